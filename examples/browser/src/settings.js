/** What this browser remembers for the page beside the store: the program in the editor and two choices. */
const PREFIX = "hearth-page:";

export function remembered(name, otherwise) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise; // blocked, or not ours: the page works without
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // blocked or full: it is only convenience
  }
}
