/** Bytes to lines of text: what Lua prints. Bytes that are no UTF-8 become U+FFFD. */
const decoder = new TextDecoder();
const none = new Uint8Array(0);

export class Lines {
  #rest = none; // of a line whose end has not come yet
  #line;

  /** @param {(line: string) => void} line called with each line, without its end */
  constructor(line) {
    this.#line = line;
  }

  /** The bytes are borrowed until it returns. */
  write(bytes) {
    let from = 0;
    for (let end; (end = bytes.indexOf(10, from)) >= 0; from = end + 1) this.#emit(bytes.subarray(from, end));
    if (from < bytes.length) this.#rest = concatenate(this.#rest, bytes.subarray(from));
  }

  /** Ends a line that was not ended. */
  flush() {
    if (this.#rest.length > 0) this.#emit(none);
  }

  #emit(bytes) {
    const line = this.#rest.length > 0 ? concatenate(this.#rest, bytes) : bytes;
    this.#rest = none;
    this.#line(decoder.decode(line));
  }
}

function concatenate(a, b) {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
