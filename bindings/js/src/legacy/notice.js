/** Says that there is a legacy database, when a new store is opened: once in a page. */
import { DATABASE, look } from "./database.js";

const PATIENCE = 300; // milliseconds that the opening waits for it; what comes later is said then

let told = false;

async function notice(uri, warn) {
  let found;
  try {
    found = await look(DATABASE);
  } catch {
    return; // only a hint: the store is open, and importLegacy says what is wrong
  }
  if (found === undefined || told) return;
  told = true;
  try {
    warn(`'${uri}' is new, and this site has data of the legacy runtime, in the database ${DATABASE}: ` +
      `Hearth.importLegacy({ from: "${DATABASE}", store: "${uri}" }) takes it over`);
  } catch (exception) {
    console.error(exception); // as wherever else the host's warn throws
  }
}

/** @param {(line: string) => void} warn */
export async function noticeLegacy(uri, warn) {
  if (told) return;
  let timer;
  const patience = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE)));
  await Promise.race([notice(uri, warn), patience]);
  clearTimeout(timer);
}
