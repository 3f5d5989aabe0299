/** The table of docs/BENCHMARKS.md, from what peers.mjs wrote. */
import { ratio, summary } from "./statistics.js";

const digits = (n) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n >= 1 ? n.toFixed(2) : n.toFixed(3));
const spread = ({ lowerQuartile, median, upperQuartile }) =>
  `**${digits(median)}** (${digits(lowerQuartile)} to ${digits(upperQuartile)})`;
const table = (...rows) => rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** Whether Hearth is the quicker one: only where the quartiles of the rounds' ratios agree. */
function verdict({ lowerQuartile, upperQuartile }) {
  if (lowerQuartile > 1) return "Hearth is faster";
  return upperQuartile < 1 ? "Hearth is **slower**" : "the same";
}

/** @param {object} result what peers.mjs writes as JSON */
export function peersReport(result) {
  const { date, chromium, processor, processors, versions, contestants, samples } = result;
  const { loadBefore, loadAfter, seconds } = result;
  const rows = Object.entries(samples).flatMap(([row, all]) => contestants.map((who) => {
    const factor = ratio(all[who], all.Hearth);
    const compared = who === "Hearth" ? "" : spread(factor);
    const judged = who.startsWith("Hearth") ? "" : verdict(factor);
    return [row, who, all[who].length, spread(summary(all[who])), compared, judged];
  }));
  return [
    `${date.slice(0, 10)}, Chromium ${chromium}, ${processors} x ${processor}, ` +
      `load ${loadBefore[0].toFixed(1)} before, ${loadAfter[0].toFixed(1)} after, ${seconds.toFixed(0)} s; ` +
      `${versions.join(", ")}. Milliseconds and ratios: **median** (quartiles).`,
    table(["row", "who", "rounds", "ms", "times as long as Hearth", ""], Array(6).fill("---"), ...rows),
  ].join("\n\n");
}
