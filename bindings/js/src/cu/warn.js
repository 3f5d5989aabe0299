/** What this module has to say, on the console. */
export function warn(text) {
  console.warn(`[hearth-lua/cu] ${text}`);
}
