/** The middle of repeated measurements, and how far they spread. */

/** The value below which the part `q` (0 to 1) of the sorted samples lies, interpolated. */
function quantile(sorted, q) {
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/** @param {number[]} samples at least one */
export function summary(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    rounds: samples.length,
    min: sorted[0],
    lowerQuartile: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    upperQuartile: quantile(sorted, 0.75),
    max: sorted.at(-1),
  };
}

/**
 * How many times as long the first took: of each round by itself, since what else the machine does changes from
 * round to round and not within one.
 * @param {number[]} those
 * @param {number[]} ours as many, of the same rounds
 */
export const ratio = (those, ours) => summary(those.map((sample, i) => sample / ours[i]));
