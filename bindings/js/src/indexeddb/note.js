/**
 * A note in localStorage that a store exists: what a browser that loses a database does not lose with it. Workers
 * have no localStorage, so a loss is not noticed there.
 */
const keyOf = (name) => `hearth:${name}`;

function storage() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined; // the browser refuses to be asked
  }
}

/** Was a store of this name here? false also where nobody can know. */
export function wasHere(name) {
  try {
    return storage()?.getItem(keyOf(name)) != null;
  } catch {
    return false;
  }
}

/** True when it was noted. */
export function noteHere(name) {
  try {
    const notes = storage();
    notes?.setItem(keyOf(name), "1");
    return notes !== undefined;
  } catch {
    return false; // full, or refused
  }
}

export function forgetHere(name) {
  try {
    storage()?.removeItem(keyOf(name));
  } catch {
    // then it was not noted either
  }
}
