/**
 * The tree of `_home`: what inspect.lua read, as rows. It is drawn anew from each reading; what is open, and which row
 * has the focus, is known by paths and stays.
 */
const AT_FIRST = 100; // entries of a table
const number = new Intl.NumberFormat("en");

const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

export function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const unit = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** unit).toFixed(bytes < 10 * 1000 ** unit ? 1 : 0)} ${["B", "kB", "MB", "GB"][unit]}`;
}

const pathAt = (event) => event.target.closest("[role=treeitem]")?.dataset.path;

const leadsTo = (path, to) => to.startsWith(path) && (to.length === path.length || ".[^…".includes(to[path.length]));

/** Entries; bytes of strings that are not short, and of functions. */
function sizeOf(row) {
  if (row.count === 1) return "1 entry";
  if (row.count > 1) return `${number.format(row.count)}${row.atleast ? "+" : ""} entries`;
  if (row.bytes !== undefined && (row.kind !== "string" || row.bytes > 24)) return sizeText(row.bytes);
  return "";
}

function notesOf(row) {
  if (row.same !== undefined) return [];
  const notes = [];
  if (row.cell !== undefined) notes.push(`shared with ${row.cell}`);
  if (row.source !== undefined) notes.push(row.source);
  return notes;
}

export class Tree {
  #root;
  #read;
  /** @type {Map<string, number>} path of a row that is open -> how many entries it shows */
  #limits;
  #rows = []; // as shown, in order: {path, row, element, parent}
  #focused = "_home";
  #texts = new Map(); // of the last reading, to show what has changed
  #shown = new Set(); // paths of the rows that were open in it
  #marked;
  #onopen;

  /**
   * @param {HTMLElement} root with role "tree"
   * @param {{open?: [string, number][], onopen: (open: [string, number][]) => void}} options what was open before
   */
  constructor(root, { open, onopen }) {
    this.#root = root;
    this.#limits = new Map(open ?? [["_home", AT_FIRST]]);
    this.#onopen = onopen;
    root.addEventListener("click", (event) => this.#click(event));
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("focusin", (event) => this.#setFocused(pathAt(event)));
  }

  /** @param {((limits: Map<string, number>) => object) | undefined} read reads the graph; undefined: none is open */
  set source(read) {
    this.#read = read;
    this.#shown.clear();
    this.#marked = undefined;
    this.update();
  }

  /** Reads again, and draws. */
  update() {
    const hadFocus = this.#root.contains(document.activeElement);
    if (this.#read === undefined) {
      this.#rows = [];
      this.#root.replaceChildren();
      return;
    }
    const rows = [];
    this.#collect(rows, this.#read(this.#limits), 1, 1, 1);
    const texts = new Map(rows.map(({ path, row }) => [path, `${row.kind} ${row.text} ${row.count ?? ""}`]));
    const hasChanged = ({ path, parent }) => this.#shown.has(parent) && this.#texts.get(path) !== texts.get(path);
    for (const item of rows) item.element = this.#draw(item, hasChanged(item));
    this.#texts = texts;
    this.#shown = new Set(rows.filter(({ row }) => row.open).map(({ path }) => path));
    this.#rows = rows;
    this.#root.replaceChildren(...rows.map((item) => item.element));
    if (!rows.some(({ path }) => path === this.#focused)) this.#focused = this.#nearest(this.#focused);
    this.#setFocused(this.#focused);
    if (hadFocus) this.#itemOf(this.#focused)?.element.focus({ preventScroll: true });
  }

  #nearest(path) {
    let best = "_home";
    for (const item of this.#rows) if (leadsTo(item.path, path) && item.path.length > best.length) best = item.path;
    return best;
  }

  #collect(rows, row, level, position, siblings, parent) {
    rows.push({ path: row.path, row, level, position, siblings, parent });
    if (!Array.isArray(row.children)) return;
    const all = row.children.length + (row.more !== undefined ? 1 : 0);
    row.children.forEach((child, i) => this.#collect(rows, child, level + 1, i + 1, all, row.path));
    if (row.more === undefined) return;
    const text = `… and ${number.format(row.more)}${row.atleast ? " or more" : " more"}`;
    const rest = { more: row.more, text };
    rows.push({ path: `${row.path}…`, row: rest, level: level + 1, position: all, siblings: all, parent: row.path });
  }

  #draw({ path, row, level, position, siblings }, changed) {
    const item = element("div", `row ${row.kind ?? "more"} ${row.role ?? ""}`);
    item.setAttribute("role", "treeitem");
    item.tabIndex = -1;
    item.dataset.path = path;
    item.style.setProperty("--level", level);
    item.setAttribute("aria-level", level);
    item.setAttribute("aria-posinset", position);
    item.setAttribute("aria-setsize", siblings);
    item.setAttribute("aria-selected", "false");
    if (row.expandable) item.setAttribute("aria-expanded", String(row.open === true));
    item.append(element("span", "twist"));
    if (row.label !== undefined) item.append(element("span", "label", row.label));
    if (row.same !== undefined) {
      item.append(element("span", "same", row.same));
    } else {
      if (row.metatable !== undefined) item.append(element("span", "class", row.metatable.replace(/^.*[.^]/, "")));
      item.append(element("span", "value", row.text));
    }
    for (const note of notesOf(row)) item.append(element("span", "note", note));
    const size = sizeOf(row);
    if (size !== "") item.append(element("span", "size", size));
    if (row.label !== undefined) item.title = row.metatable ? `${path}\nmetatable ${row.metatable}` : path;
    if (changed) item.classList.add("changed");
    if (path === this.#marked) item.classList.add("marked");
    return item;
  }

  #itemOf(path) {
    return this.#rows.find((item) => item.path === path);
  }

  #setFocused(path) {
    if (path === undefined) return;
    this.#focused = path;
    for (const item of this.#rows) {
      const is = item.path === path;
      item.element.tabIndex = is ? 0 : -1;
      item.element.setAttribute("aria-selected", String(is));
    }
  }

  #focus(path) {
    const item = this.#itemOf(path);
    if (item === undefined) return;
    item.element.focus();
    item.element.scrollIntoView({ block: "nearest" });
  }

  #open(path, limit = AT_FIRST) {
    this.#limits.set(path, limit);
    this.#changed();
  }

  #close(path) {
    this.#limits.delete(path);
    this.#changed();
  }

  #changed() {
    this.#onopen([...this.#limits]);
    this.update();
  }

  /** Opens or closes, shows more, or goes to what a row refers to. */
  #act({ path, row, parent }) {
    if (row.more !== undefined && row.label === undefined) {
      const shown = this.#itemOf(parent).row.children.length;
      this.#open(parent, Math.max(AT_FIRST, shown * 2));
      const first = this.#itemOf(parent).row.children[shown]; // of those that came
      this.#focus(first?.path ?? parent);
    } else if (row.same !== undefined) {
      this.#focus(row.same);
    } else if (row.expandable) {
      if (row.open) this.#close(path);
      else this.#open(path);
      this.#focus(path);
    }
  }

  #click(event) {
    const path = pathAt(event);
    const item = path === undefined ? undefined : this.#itemOf(path);
    if (item === undefined || getSelection()?.toString()) return; // text was selected, to be copied
    this.#focus(path);
    this.#act(item);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#rows.findIndex((item) => item.path === this.#focused);
    const item = this.#rows[at];
    if (item === undefined) return;
    const go = (i) => this.#focus(this.#rows[Math.max(0, Math.min(i, this.#rows.length - 1))].path);
    switch (event.key) {
      case "ArrowDown": go(at + 1); break;
      case "ArrowUp": go(at - 1); break;
      case "Home": go(0); break;
      case "End": go(this.#rows.length - 1); break;
      case "ArrowRight":
        if (item.row.expandable && !item.row.open) this.#act(item);
        else if (item.row.open) go(at + 1);
        break;
      case "ArrowLeft":
        if (item.row.open) this.#act(item);
        else if (item.parent !== undefined) this.#focus(item.parent);
        break;
      case "Enter":
      case " ": this.#act(item); break;
      default: return;
    }
    event.preventDefault();
  }

  /** Opens what leads to a path, or to as much of it as is there, and shows it as the place of an error. */
  reveal(path) {
    for (;;) {
      const item = this.#itemOf(this.#nearest(path));
      if (item === undefined) return;
      if (item.path !== path && item.row.expandable && !item.row.open) {
        this.#limits.set(item.path, AT_FIRST);
        this.#onopen([...this.#limits]);
        this.update();
        continue;
      }
      this.#marked = item.path;
      this.#setFocused(item.path);
      this.update();
      this.#itemOf(item.path).element.scrollIntoView({ block: "nearest" });
      return;
    }
  }

  unmark() {
    this.#marked = undefined;
  }

  /** Nothing is in `_home`. */
  get isEmpty() {
    return this.#rows[0]?.row.count === 0;
  }

  focus() {
    this.#focus(this.#focused);
  }
}
