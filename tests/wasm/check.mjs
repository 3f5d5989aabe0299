/**
 * check.mjs HEARTH.WASM: it imports from the package's own modules alone, so nothing was forgotten at linking, and
 * it is as small as promised: 400 KiB, 150 KiB with gzip -9.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const bytes = readFileSync(process.argv[2]);
const ours = new Set(["hearth", "hearth_files", "hearth_indexeddb", "hearth_math"]);
const foreign = WebAssembly.Module.imports(new WebAssembly.Module(bytes)).filter(({ module }) => !ours.has(module));
for (const { module, name } of foreign) console.error(`${module}.${name} is imported, and nobody provides it`);

// not by zlib: the one in Node packs worse than gzip itself
const zipped = execFileSync("gzip", ["-9", "-n", "-c"], { input: bytes, maxBuffer: 1 << 24 }).length;
console.log(`${bytes.length} bytes, ${zipped} with gzip -9`);
const big = bytes.length > 400 * 1024 || zipped > 150 * 1024;
if (big) console.error("too big");
process.exitCode = foreign.length > 0 || big ? 1 : 0;
