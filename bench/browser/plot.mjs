/**
 * The figures as a picture: node bench/browser/plot.mjs build/bench/browser.json > docs/BENCHMARKS.svg
 *
 * One row for each operation and size, a bar for each method, on a logarithmic scale; the thin line is from the
 * least to the most of the rounds.
 */
import { readFile } from "node:fs/promises";

const OPERATIONS = [
  ["one change", "one change/legacy/relaxed", "one change/hearth/strict"],
  ["first save", "first save/legacy/relaxed", "first save/hearth/strict"],
  ["open in a new page", "open in a new page/legacy/", "open in a new page/hearth/"],
];
const COLOURS = { legacy: "#b0a08c", hearth: "#c8501e" };
const LEFT = 190, WIDTH = 560, RIGHT = 90, TOP = 56, BAR = 11, ROW = 34, GAP = 14;

const result = JSON.parse(await readFile(process.argv[2], "utf8"));
const sizes = Object.keys(result.sizes);
const all = Object.values(result.sizes).flatMap(({ summaries }) =>
  OPERATIONS.flatMap(([, ...names]) => names.map((name) => summaries[name])));
const least = Math.floor(Math.log10(Math.min(...all.map(({ min }) => min))));
const most = Math.ceil(Math.log10(Math.max(...all.map(({ max }) => max))));
const x = (milliseconds) => LEFT + ((Math.log10(milliseconds) - least) / (most - least)) * WIDTH;
const n = (number) => number.toFixed(1);
const label = (milliseconds) => (milliseconds >= 10 ? milliseconds.toFixed(0) : milliseconds.toFixed(1));

function bar({ min, median, max }, y, method) {
  const middle = n(y + BAR / 2);
  return [
    `<rect x="${LEFT}" y="${n(y)}" width="${n(x(median) - LEFT)}" height="${BAR}" fill="${COLOURS[method]}"/>`,
    `<line x1="${n(x(min))}" x2="${n(x(max))}" y1="${middle}" y2="${middle}" stroke="#333" stroke-width="1"/>`,
    `<text x="${n(x(max) + 5)}" y="${n(y + BAR - 1.5)}">${label(median)} ms</text>`,
  ];
}

const rows = [];
let y = TOP;
for (const [operation, theirs, ours] of OPERATIONS) {
  for (const size of sizes) {
    const { summaries } = result.sizes[size];
    const name = `${operation}, ${Number(size).toLocaleString("en")}`;
    rows.push(`<text x="${LEFT - 8}" y="${y + BAR + 4}" text-anchor="end">${name}</text>`,
      ...bar(summaries[theirs], y, "legacy"), ...bar(summaries[ours], y + BAR + 1, "hearth"));
    y += ROW;
  }
  y += GAP;
}
const ticks = Array.from({ length: most - least + 1 }, (_, i) => 10 ** (least + i)).map((milliseconds) =>
  `<line x1="${n(x(milliseconds))}" x2="${n(x(milliseconds))}" y1="${TOP - 8}" y2="${y - GAP}" stroke="#ddd"/>` +
  `<text x="${n(x(milliseconds))}" y="${TOP - 14}" text-anchor="middle">${milliseconds} ms</text>`);
const methods = [["legacy", "the legacy method (relaxed)"], ["hearth", "Hearth (strict), Lua included"]];
const key = methods.map(([method, text], i) =>
  `<rect x="${LEFT + i * 230}" y="10" width="12" height="12" fill="${COLOURS[method]}"/>` +
  `<text x="${LEFT + 18 + i * 230}" y="20.5">${text}</text>`);

const box = `0 0 ${LEFT + WIDTH + RIGHT} ${y}`;
const font = 'font-family="sans-serif" font-size="12" fill="#333"';
console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}" ${font}>
<rect width="100%" height="100%" fill="#fff"/>
${[...key, ...ticks, ...rows].join("\n")}
</svg>`);
