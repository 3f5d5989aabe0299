/** The figures of the store and of the browser's storage. */
import { sizeText } from "./tree.js";

const time = new Intl.DateTimeFormat([], {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});

export class StorageFigures {
  #list;
  #keep;
  #latest = 0;

  /** @param {HTMLElement} list a dl @param {HTMLButtonElement} keep asks the browser to keep the storage */
  constructor(list, keep) {
    this.#list = list;
    this.#keep = keep;
  }

  /** @param {import("hearth-lua").Stat | undefined} stat */
  async update(stat) {
    const turn = ++this.#latest;
    const rows = [];
    if (stat !== undefined) {
      const { storage } = stat;
      rows.push(["Last commit", stat.savedAt ? time.format(stat.savedAt) : "never yet",
        stat.savedAt ? `${sizeText(stat.committedBytes)} written` : ""]);
      rows.push(["Store", sizeText(storage.totalBytes),
        `${storage.entries} records, ${sizeText(storage.liveBytes)} in use`]);
      rows.push(["Objects", String(stat.objects), stat.externals > 0 ? `${stat.externals} external` : ""]);
      rows.push(["Lua memory", sizeText(stat.luaBytes), `of ${sizeText(stat.memoryBytes)}`]);
    }
    const kept = stat?.backend === "memory" ? undefined : await navigator.storage?.persisted?.();
    const estimate = stat?.backend === "memory" ? undefined : await navigator.storage?.estimate?.();
    if (turn !== this.#latest) return; // a later one has begun
    if (estimate)
      rows.push(["This site", sizeText(estimate.usage ?? 0), `of ${sizeText(estimate.quota ?? 0)} allowed`]);
    if (stat?.backend === "memory") rows.push(["Kept", "no", "gone with the page"]);
    else if (kept) rows.push(["Kept", "persistent", "until you delete it"]);
    else if (kept === false) rows.push(["Kept", "best effort", "may go when space is short"]);
    this.#keep.hidden = kept !== false;
    this.#list.replaceChildren(...rows.map(([name, value, detail]) => {
      const row = document.createElement("div");
      const [term, data, small] = ["dt", "dd", "small"].map((tag) => document.createElement(tag));
      term.textContent = name;
      data.textContent = value;
      small.textContent = detail;
      if (detail) data.append(" ", small);
      row.append(term, data);
      return row;
    }));
  }
}
