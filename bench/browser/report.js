/** The tables of docs/BENCHMARKS.md, from what run.mjs wrote. */
import { ratio, summary } from "./statistics.js";

const AIMED_AT = 100000; // entries

/** How many times as fast as the legacy method. */
const AIMS = { "one change": 20, "first save": 6, "open in a new page": 10, "open in the same page again": 10 };
const SHARE = 0.2; // of a frame's own transaction that handing it over may cost

const LEVELS = ["relaxed", "strict"];

const digits = (n) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n >= 1 ? n.toFixed(2) : n.toFixed(3));
const whole = (n) => (n >= 1000 ? Math.round(n).toString() : digits(n));
const spread = ({ min, lowerQuartile, median, upperQuartile, max }) =>
  `**${digits(median)}** (${[min, lowerQuartile, upperQuartile, max].map(digits).join(", ")})`;
const times = ({ min, median, max }) => `**${digits(median)}** (${digits(min)} to ${digits(max)})`;
const row = (cells) => `| ${cells.join(" | ")} |`;
const table = (head, rows) => [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
const name = (count) => (count % 1000 === 0 ? `${count / 1000}k` : `${count}`);

function verdict(operation, count, { median }) {
  if (count !== AIMED_AT) return "";
  const aim = AIMS[operation];
  return `${aim}: ${median >= aim ? "met" : "not met"}`;
}

/** The pairs that are compared: [what, theirs, ours]. */
function pairsOf(operation) {
  if (operation.startsWith("open")) return [["", `${operation}/legacy/`, `${operation}/hearth/`]];
  return [
    ...LEVELS.map((level) => [`both ${level}`, `${operation}/legacy/${level}`, `${operation}/hearth/${level}`]),
    ["legacy relaxed, Hearth strict (the default of each)",
      `${operation}/legacy/relaxed`, `${operation}/hearth/strict`],
    ["the same, legacy until its last request succeeded",
      `${operation}/legacy until its last request succeeded/relaxed`, `${operation}/hearth/strict`],
  ];
}

function comparisons(result) {
  const rows = [];
  for (const operation of Object.keys(AIMS))
    for (const [size, { samples }] of Object.entries(result.sizes))
      for (const [what, theirs, ours] of pairsOf(operation)) {
        const factor = ratio(samples[theirs], samples[ours]);
        rows.push([operation, name(size), what, factor.rounds, spread(summary(samples[theirs])),
          spread(summary(samples[ours])), times(factor), verdict(operation, Number(size), factor)]);
      }
  return table(["operation", "entries", "compared", "rounds", "legacy, ms", "Hearth, ms", "times as fast", "aim"],
    rows);
}

/** Milliseconds of the parts of a commit, and what part of its transaction the handing over is. */
function frames(result) {
  const rows = [];
  for (const what of ["frame of one change", "frame of a first save"])
    for (const [size, { samples }] of Object.entries(result.sizes))
      for (const level of LEVELS) {
        const of = (part) => samples[`${what}: ${part}/hearth/${level}`];
        const median = (part) => whole(summary(of(part)).median);
        const parts = ["bytes", "commit", "append", "request", "transaction"].map(median);
        const judged = (part) => {
          const share = ratio(of(part), of("transaction"));
          return `${times(share)} ${share.median <= SHARE ? "met" : "not met"}`;
        };
        rows.push([what, name(size), level, ...parts, judged("append"), judged("handing"),
          digits(ratio(of("commit"), of("rest")).median)]);
      }
  return table(["frame", "entries", "level", "bytes", "commit() returns, ms", "append, ms", "request, ms",
    "transaction, ms", `append / transaction, aim ${SHARE}`, `(append + request) / transaction, aim ${SHARE}`,
    "commit() / rest"], rows);
}

/** Where the time of opening goes, in a page that has opened the store before. */
function parts(result) {
  const begin = "part of open: ";
  const [first] = Object.values(result.sizes);
  const names = Object.keys(first.samples).filter((key) => key.startsWith(begin));
  const rows = Object.entries(result.sizes).map(([size, { samples }]) =>
    [name(size), ...names.map((key) => spread(summary(samples[key])))]);
  return table(["open, parts in ms", ...names.map((key) => key.slice(begin.length, key.indexOf("/")))], rows);
}

function others(result) {
  const kilobytes = (bytes) => `${Math.round(bytes / 1000)} kB`;
  const { bytes, gzipBytes } = result.wasm;
  const rows = [["hearth.wasm", kilobytes(bytes)], ["hearth.wasm, gzip -9", kilobytes(gzipBytes)]];
  for (const [size, { samples }] of Object.entries(result.sizes)) {
    const last = (what) => kilobytes(samples[`${what} after open/hearth/`].at(-1));
    for (const where of ["in a new page", "in the same page again"])
      rows.push([`instance with a Lua state and no store, ${where} (measured with ${name(size)})`,
        `${spread(summary(samples[`instance alone, ${where}/hearth/`]))} ms`]);
    rows.push([`WebAssembly memory after open, ${name(size)}`, last("memoryBytes")]);
    rows.push([`of it Lua's, ${name(size)}`, last("luaBytes")]);
    rows.push([`bytes of the log and the ballast of 1 MiB, ${name(size)}`, last("totalBytes")]);
  }
  return table(["what", "figure"], rows);
}

/** @param {object} result what run.mjs writes as JSON */
export function report(result) {
  const { machine, chromium, sizes } = result;
  const load = Object.values(sizes).map(({ loadBefore: [before], loadAfter: [after] }) =>
    `${before.toFixed(1)} to ${after.toFixed(1)}`);
  return [
    `${result.date.slice(0, 10)}, Chromium ${chromium}, ${machine.processors} x ${machine.processor}, ` +
      `load ${load.join(", ")}.`,
    `Times: **median** (least, quartiles, most). Ratios: **median** of the rounds' own (least to most).`,
    comparisons(result),
    frames(result),
    parts(result),
    others(result),
  ].join("\n\n");
}
