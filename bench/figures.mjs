/**
 * Puts tables into docs/BENCHMARKS.md, in the place of the same name: node bench/figures.mjs FOLDER/NAME.md...
 *
 * A place is what stands between "<!-- figures: NAME -->" and "<!-- end of figures -->".
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

const document = new URL("../docs/BENCHMARKS.md", import.meta.url);
const END = "<!-- end of figures -->";

let text = readFileSync(document, "utf8");
for (const file of process.argv.slice(2)) {
  const mark = `<!-- figures: ${basename(file, ".md")} -->\n`;
  const begin = text.indexOf(mark) + mark.length;
  const end = text.indexOf(END, begin);
  if (begin < mark.length || end < 0) throw new Error(`docs/BENCHMARKS.md has no place for ${file}`);
  text = `${text.slice(0, begin)}\n${readFileSync(file, "utf8").trim()}\n\n${text.slice(end)}`;
}
writeFileSync(document, text);
