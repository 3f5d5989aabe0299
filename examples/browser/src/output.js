/** What programs printed and returned, and what became of commits: one block for each thing done. */
const MOST_BLOCKS = 50;
const MOST_LINES = 400; // of one run: so many first, and so many last

const element = (name, className, text) => {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

/** The lines of one run; a program that prints without end does not fill the page. */
export class Lines {
  #first = [];
  #last = [];
  #left = 0;

  print(line) {
    this.#add({ line });
  }

  warn(line) {
    this.#add({ line, warning: true });
  }

  #add(line) {
    if (this.#first.length < MOST_LINES) {
      this.#first.push(line);
      return;
    }
    this.#last.push(line);
    if (this.#last.length < 2 * MOST_LINES) return;
    this.#left += MOST_LINES;
    this.#last.splice(0, MOST_LINES);
  }

  get all() {
    const over = Math.max(0, this.#last.length - MOST_LINES);
    const left = this.#left + over;
    const gap = left > 0 ? [{ line: `… ${left} lines left out …`, warning: true }] : [];
    return [...this.#first, ...gap, ...this.#last.slice(over)];
  }
}

/** Lua's traceback without the page's own frames. */
function programFrames(traceback) {
  const others = ["(page)", "(...", "[C]: in ?"];
  return traceback.split("\n").slice(1).map((line) => line.trim())
    .filter((line) => line !== "" && !others.some((other) => line.startsWith(other)));
}

export class Output {
  #root;
  #onpath;

  /**
   * @param {HTMLElement} root with role "log"
   * @param {(path: string) => void} onpath called when the path in an error is chosen
   */
  constructor(root, onpath) {
    this.#root = root;
    this.#onpath = onpath;
  }

  clear() {
    this.#root.replaceChildren();
  }

  #block(kind, title) {
    const block = element("article", `block ${kind}`);
    const head = element("header", "block-head");
    const time = element("time", "block-time", new Date().toLocaleTimeString([], { hour12: false }));
    head.append(element("span", "block-title", title), time);
    block.append(head);
    return block;
  }

  #show(block) {
    this.#root.append(block);
    while (this.#root.children.length > MOST_BLOCKS) this.#root.firstElementChild.remove();
    this.#root.scrollTop = this.#root.scrollHeight;
    this.#root.scrollIntoView({ block: "nearest" }); // on a phone it may lie below
  }

  /** @param {Lines} lines @param {{results?: string[], error?: Error, hint?: string, milliseconds: number}} outcome */
  ran(lines, { results = [], error, hint, milliseconds }) {
    const time = milliseconds.toFixed(milliseconds < 10 ? 1 : 0);
    const block = this.#block(error ? "failed" : "ran", `Ran in ${time} ms`);
    const printed = element("pre", "printed");
    for (const { line, warning } of lines.all) printed.append(element("span", warning ? "warning" : "", `${line}\n`));
    if (printed.childElementCount > 0) block.append(printed);
    if (results.length > 0) block.append(element("pre", "results", `→ ${results.join(", ")}`));
    if (error) this.#addError(block, error, hint);
    if (block.childElementCount === 1) block.append(element("p", "nothing", "It printed and returned nothing."));
    this.#show(block);
  }

  /** @param {string} title @param {string} [text] */
  say(title, text) {
    const block = this.#block("said", title);
    if (text) block.append(element("p", "text", text));
    this.#show(block);
  }

  /** @param {string} title @param {Error} error @param {string} [hint] */
  fail(title, error, hint) {
    const block = this.#block("failed", title);
    this.#addError(block, error, hint);
    this.#show(block);
  }

  #addError(block, error, hint) {
    const message = element("p", "message");
    const { path } = error;
    const at = path === undefined || path === "" ? -1 : error.message.indexOf(path);
    if (at >= 0) {
      const button = element("button", "path", path);
      button.type = "button";
      button.title = "Show it in the tree";
      button.addEventListener("click", () => this.#onpath(path));
      message.append(error.message.slice(0, at), button, error.message.slice(at + path.length));
    } else {
      message.textContent = error.message;
    }
    block.append(message);
    if (hint) block.append(element("p", "hint", hint));
    const frames = programFrames(error.traceback ?? "");
    if (frames.length > 1) block.append(element("pre", "traceback", frames.join("\n")));
  }
}
