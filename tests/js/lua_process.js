/** harness.run's other process: standard input is { harness, code, args, read, write }; prints what the code prints. */
import { readFileSync, writeFileSync } from "node:fs";
import { Hearth } from "./testing.js";

const { harness, code, args } = JSON.parse(readFileSync(0, "utf8"));
const last = [];
const hearth = await Hearth.open({ print: (line) => last.push(line), warn: (line) => last.push(line) });
hearth.run(`local harness, host = ...
  _home, ext = nil, nil
  package.preload.harness = assert(load(harness, "@tests/lua/harness.lua"))
  package.loaded["harness.host"] = host`,
  { args: [harness, { write: (path, bytes) => writeFileSync(path, bytes), read: (path) => readFileSync(path) }] });
try {
  process.stdout.write(hearth.capture(code, { name: "@script.lua", args }).output);
} catch (error) {
  process.stdout.write(`${error.message}\n${error.traceback}\n`);
  process.exitCode = 1;
}
await hearth.close();
process.stdout.write(last.join("\n")); // of finalizers
