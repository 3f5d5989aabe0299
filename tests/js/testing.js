/** What the tests of the npm package share: where things are, folders that go away, other processes. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

function required(name, what) {
  if (!process.env[name]) throw new Error(`set ${name} to ${what}`);
  return process.env[name];
}

/** The package: a folder with package.json and src/, hearth.wasm in it. */
export const packageFolder = required("HEARTH_PACKAGE", "the npm package's folder");
export const packageURL = pathToFileURL(join(packageFolder, "src", "hearth.js")).href;
export const { Hearth, HearthError, LuaError } = await import(packageURL);

/** The native command, for the tests that compare. */
export const command = () => required("HEARTH_COMMAND", "the native hearth command");

let folder, folders = 0;

/** A new empty folder, removed when the process ends. */
export function newFolder() {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), "hearth-js-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  }
  return mkdtempSync(join(folder, `${folders++}-`));
}

/** For assert.throws and assert.rejects: an error of Hearth's with this code, and a text in its message. */
export function failure(code, text = "") {
  return (error) => {
    assert.ok(error instanceof HearthError, `a HearthError expected, got ${error?.stack ?? error}`);
    assert.equal(error.code, code, error.message);
    assert.equal(error instanceof LuaError, code === "raised");
    assert.ok(error.message.includes(text), `a message with "${text}" expected, got: ${error.message}`);
    return true;
  };
}

const PRELUDE = `import assert from "node:assert/strict";
import * as fs from "node:fs";
const { Hearth, HearthError, LuaError } = await import(${JSON.stringify(packageURL)});
`;

const nodeArguments = (code, flags) => [...flags, "--input-type=module", "-e", PRELUDE + code];

/** Runs code in another node process, with arguments in process.argv[1] and so on: what it printed. */
export function runNode(code, { flags = [], args = [], status = 0 } = {}) {
  const child = spawnSync(process.execPath, [...nodeArguments(code, flags), "--", ...args],
    { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(child.status, status, `status ${child.status} ${child.signal ?? ""}\n${child.stdout}${child.stderr}`);
  return child.stdout;
}

/** The same without waiting. */
export function startNode(code, { flags = [], args = [] } = {}) {
  return spawn(process.execPath, [...nodeArguments(code, flags), "--", ...args],
    { stdio: ["pipe", "pipe", "inherit"] });
}

/** Runs the native command: what it printed. */
export function runCommand(args, { status = 0, input = "", encoding = "utf8" } = {}) {
  const child = spawnSync(command(), args, { encoding, input, maxBuffer: 1 << 28 });
  assert.equal(child.status, status, `${args.join(" ")}: status ${child.status}\n${child.stdout}${child.stderr}`);
  return status === 0 ? child.stdout : child.stderr;
}

/** Resolves with the next line that a process prints. */
export function lineOf(child) {
  return new Promise((resolve, reject) => {
    let text = "";
    const end = () => reject(new Error(`the process ended after "${text}"`));
    child.once("exit", end);
    child.stdout.on("data", function read(bytes) {
      text += bytes;
      if (!text.includes("\n")) return;
      child.stdout.off("data", read);
      child.off("exit", end);
      resolve(text.slice(0, text.indexOf("\n")));
    });
  });
}

/** Resolves when a process has gone. */
export function gone(child) {
  return new Promise(
    (resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve() : child.once("exit", resolve)));
}
