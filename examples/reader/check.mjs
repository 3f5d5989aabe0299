/** "check" in docs/FORMAT.md: XXH3-64 of some bytes with a seed. */
import { createXXHash3 } from "hash-wasm";

const hashers = new Map();

/** The package's hashers have their seed from the beginning; most here are used once, the seed 0 all the time. */
async function hasher(seed) {
  if (seed !== 0n) return createXXHash3(Number(seed & 0xffffffffn), Number(seed >> 32n));
  if (!hashers.has(seed)) hashers.set(seed, await createXXHash3(0, 0));
  return hashers.get(seed);
}

export async function check(bytes, seed = 0n) {
  return BigInt("0x" + (await hasher(seed)).init().update(bytes).digest("hex"));
}
