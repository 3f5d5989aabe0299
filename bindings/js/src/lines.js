/** Bytes to lines of text: what Lua prints. Bytes that are no UTF-8 become U+FFFD. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** @param {Uint8Array[]} pieces */
export function textOf(pieces) {
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return decoder.decode(bytes);
}

export class Lines {
  /** @type {Uint8Array[]} of a line whose end has not come yet */
  #rest = [];
  #line;

  /** @param {(line: string) => void} line called with each line, without its end */
  constructor(line) {
    this.#line = line;
  }

  /** The bytes are borrowed until it returns. */
  write(bytes) {
    let from = 0;
    for (let end; (end = bytes.indexOf(10, from)) >= 0; from = end + 1) this.#emit(bytes.slice(from, end));
    if (from < bytes.length) this.#rest.push(bytes.slice(from));
  }

  /** Ends a line that was not ended. */
  flush() {
    if (this.#rest.length > 0) this.#emit(new Uint8Array(0));
  }

  #emit(bytes) {
    const line = textOf([...this.#rest.splice(0), bytes]);
    this.#line(line);
  }
}
