/** What the tests of class Hearth find in a page or a worker, as globals. */
import { Hearth, HearthError, LuaError } from "/src/hearth.js";

/** What fails fails with: "code: message"; "nothing failed" when it does not. */
async function failureOf(promise) {
  try {
    await promise;
    return "nothing failed";
  } catch (error) {
    if (!(error instanceof HearthError)) return `${error?.name}, no HearthError: ${error?.stack}`;
    return `${error.code}: ${error.message}`;
  }
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

Object.assign(globalThis, { Hearth, HearthError, LuaError, failureOf, sleep });
if (typeof document === "undefined") postMessage("ready"); // a worker, which nobody can ask whether it is
