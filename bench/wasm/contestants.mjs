/**
 * Those who take turns: Hearth natively in a process of its own, Hearth in WebAssembly, and what else JavaScript has.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

export const bench = new URL("..", import.meta.url).pathname;

/** Seconds of the processor's time, in all threads of this process. */
export const clock = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Lua with Hearth's module, built for speed. */
export class Native {
  #process;
  #answers;

  constructor(module) {
    this.#process = spawn("lua5.4", [join(bench, "wasm/native.lua"), bench, module],
      { stdio: ["pipe", "pipe", "inherit"] });
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async ask(expression) {
    this.#process.stdin.write(`${expression}\n`);
    const { value, done } = await this.#answers.next();
    if (done || value.startsWith("error: ")) throw new Error(`natively: ${value ?? "it has ended"}`);
    return Number(value);
  }

  close() {
    this.#process.stdin.end();
  }
}

/** hearth.wasm in this process. */
export class Wasm {
  static async open(packageFolder) {
    const { Hearth } = await import(pathToFileURL(join(packageFolder, "src/hearth.js")));
    const made = new Wasm();
    made.hearth = await Hearth.open();
    made.hearth.run(`local codec_source, data_source, clock = ...
      codec = assert(load(codec_source))(require "hearth", assert(load(data_source))(), clock)`,
    { args: [readFileSync(join(bench, "wasm/codec.lua")), readFileSync(join(bench, "data.lua")), clock] });
    return made;
  }

  run(expression, ...args) {
    return this.hearth.run(`return codec.${expression}`, { args })[0];
  }

  async close() {
    await this.hearth.close();
  }
}

/** Another Lua 5.4 in WebAssembly: its tables become JavaScript's values, which something else writes. */
export class Wasmoon {
  static async open(nodeModules) {
    const { LuaFactory } = createRequire(join(nodeModules, "/"))("wasmoon");
    const made = new Wasmoon();
    made.engine = await new LuaFactory().createEngine({ enableProxy: false });
    await made.engine.doString(`data = (function() ${readFileSync(join(bench, "data.lua"))} end)()`);
    return made;
  }

  async make(name, count) {
    await this.engine.doString(`value = data.sets.${name}(${count}) collectgarbage()`);
  }

  get() {
    return this.engine.global.get("value");
  }

  set(value) {
    this.engine.global.set("copy", value);
  }

  async check() {
    await this.engine.doString("data.same(value, copy, 1e-300)");
  }

  close() {
    this.engine.global.close();
  }
}
