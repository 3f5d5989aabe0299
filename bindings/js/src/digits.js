/**
 * The decimal digits of numbers that are finite and not negative, rounded as C's printf rounds: exactly, ties to
 * even. JavaScript's own toFixed and toExponential round ties up.
 */

const view = new DataView(new ArrayBuffer(8));
const FRACTION = (1n << 52n) - 1n;
const SMALLEST_NORMAL = 2 ** -1022;

/** value * 10 ** places as a whole number. */
function scaled(value, places) {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0), exponent = Number(bits >> 52n);
  const significand = exponent === 0 ? bits & FRACTION : (bits & FRACTION) + FRACTION + 1n;
  const power = Math.max(exponent, 1) - 1075; // value is significand * 2 ** power
  const above = significand * 10n ** BigInt(Math.max(places, 0)) << BigInt(Math.max(power, 0));
  const below = 10n ** BigInt(Math.max(-places, 0)) << BigInt(Math.max(-power, 0));
  const whole = above / below, rest = 2n * (above % below);
  return whole + BigInt(rest > below || (rest === below && whole % 2n === 1n));
}

/** "1.25e-7": its digits, and its exponent. */
function parts(text) {
  const end = text.indexOf("e");
  return [text[0] + text.slice(2, end), Number(text.slice(end + 1))];
}

/**
 * So many digits, by JavaScript's own rounding where that is right; `shortest` is the number's shortest text. Numbers
 * are closer to each other than what up to 15 digits tell apart: rounding begins at the shortest text as well as at
 * the number, and a tie has a digit more than is asked for there, a 5.
 */
function quickDigits(value, count, [shortest, exponent]) {
  if (count < 1 || count > 15 || value < SMALLEST_NORMAL) return undefined;
  if (shortest.length <= count) return [shortest.padEnd(count, "0"), exponent + 1];
  if (shortest.length === count + 1 && shortest.endsWith("5")) return undefined;
  const [digits, rounded] = parts(value.toExponential(count - 1));
  return [digits, rounded + 1];
}

/**
 * All digits down to so many behind the point, one before it at least.
 * @returns {[digits: string, before: number]} and how many of them stand before the point
 */
export function fixedDigits(value, places) {
  const shortest = parts(value.toExponential());
  const quick = quickDigits(value, shortest[1] + 1 + places, shortest);
  if (quick === undefined) {
    const digits = scaled(value, places).toString().padStart(places + 1, "0");
    return [digits, digits.length - places];
  }
  const [digits, before] = quick;
  const whole = Math.max(before, 1); // rounding up to 10...0 took a digit:
  return ["0".repeat(whole - before).concat(digits).padEnd(whole + places, "0"), whole];
}

/**
 * So many digits from the first that is not zero on.
 * @returns {[digits: string, before: number]} and how many of them stand before the point: negative when zeros follow
 */
export function significantDigits(value, count) {
  if (value === 0) return ["0".repeat(count), 1];
  const quick = quickDigits(value, count, parts(value.toExponential()));
  if (quick !== undefined) return quick;
  // The shortest text may have been rounded up to a power of ten; no number is so close to one that this one is.
  const [, exponent] = parts(value.toExponential(60));
  const digits = scaled(value, count - 1 - exponent).toString();
  return [digits.slice(0, count), exponent + 1 + digits.length - count]; // one more where rounding gave 10...0
}
