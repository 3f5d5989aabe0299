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

/** Opens a store; where the browser has lost it, begins anew and says why. */
async function openOrLost(options) {
  try {
    return { hearth: await Hearth.open(options), lost: undefined };
  } catch (error) {
    if (error.code !== "lost") throw error;
    return { hearth: await Hearth.open({ ...options, acceptLoss: true }), lost: error.message };
  }
}

/** Bytes as base64, in which they come and go. */
function toText(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

const fromText = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

Object.assign(globalThis, { Hearth, HearthError, LuaError, failureOf, openOrLost, sleep, toText, fromText });
if (typeof document === "undefined") postMessage("ready"); // a worker, which nobody can ask whether it is
