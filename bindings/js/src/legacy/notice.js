/** Says that there is a legacy database, when a new store is opened: once in a page. */
import { DATABASE, look } from "./database.js";

let told = false;

/** @param {(line: string) => void} warn */
export async function noticeLegacy(uri, warn) {
  if (told) return;
  let found;
  try {
    found = await look(DATABASE);
  } catch {
    return; // only a hint: the store is open, and importLegacy says what is wrong
  }
  if (found === undefined || told) return;
  told = true;
  warn(`'${uri}' is new, and this site has data of the legacy runtime, in the database ${DATABASE}: ` +
    `Hearth.importLegacy({ from: "${DATABASE}", store: "${uri}" }) takes it over`);
}
