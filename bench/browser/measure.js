/**
 * The rounds. In each, the methods take turns, so that what else the machine does meets all of them.
 */
import { call } from "./session.js";

const LEVELS = ["relaxed", "strict"];
const METHODS = ["legacy", "hearth"];
const CHANGES = 20; // commits whose handing over is watched

const FEW = 3; // rounds that are made however long they take
const LONG = 40; // seconds after which no further round of the same kind is begun

/** Does `round(number)` so many times, or fewer when they take long. */
async function inRounds(rounds, round, few = FEW) {
  const began = performance.now();
  for (let i = 0; i < rounds && (i < few || performance.now() - began < LONG * 1000); i++) await round(i);
}

/** Samples by name: "first save/hearth/strict". */
export class Samples {
  /** @type {Record<string, number[]>} */
  all = {};

  add(name, value) {
    (this.all[name] ??= []).push(value);
  }
}

function addSave(samples, operation, method, level, { complete, succeeded }) {
  samples.add(`${operation}/${method}/${level}`, complete);
  if (succeeded === undefined) return;
  samples.add(`${operation}/${method} until its last request succeeded/${level}`, succeeded);
}

async function eachSave(f) {
  for (const level of LEVELS) for (const method of METHODS) await f(method, level);
}

async function firstSaves(session, samples, count, rounds) {
  const page = await session.page();
  await eachSave((method, level) => call(page, "firstSave", method, Math.min(count, 1000), level)); // warms the page
  await inRounds(rounds, () => eachSave(async (method, level) =>
    addSave(samples, "first save", method, level, await call(page, "firstSave", method, count, level))));
  await page.close();
}

async function changes(session, samples, count, rounds) {
  const page = await session.page();
  await call(page, "keep", count);
  await inRounds(rounds + 1, (round) => eachSave(async (method, level) => {
    const took = await call(page, "oneChange", method, level);
    if (round > 0) addSave(samples, "one change", method, level, took); // the first is not counted
  }), FEW + 1);
  await handingOver(page, samples, count);
  await call(page, "leave");
  await page.close();
}

/** What a frame costs its caller, for small frames and for one that holds everything. */
async function handingOver(page, samples, count) {
  const add = (what, level, took) => {
    for (const [part, value] of Object.entries(took)) samples.add(`${what}: ${part}/hearth/${level}`, value);
  };
  await call(page, "watch");
  for (let i = 0; i < CHANGES; i++)
    for (const level of LEVELS) add("frame of one change", level, await call(page, "handOverChange", level));
  for (let i = 0; i < 3; i++)
    for (const level of LEVELS) add("frame of a first save", level, await call(page, "handOverFirst", count, level));
}

/** The stores that `changes` left. Each is opened in a page of its own, as by a user, and then twice again in it. */
async function opens(session, samples, count, rounds) {
  await inRounds(rounds, async () => {
    for (const method of METHODS) {
      const page = await session.page();
      const { took, ...sizes } = await call(page, "open", method, count);
      samples.add(`open in a new page/${method}/`, took);
      for (const [name, bytes] of Object.entries(sizes)) samples.add(`${name} after open/${method}/`, bytes);
      await call(page, "open", method, count);
      samples.add(`open in the same page again/${method}/`, (await call(page, "open", method, count)).took);
      if (method === "hearth")
        for (const [part, milliseconds] of Object.entries(await call(page, "openPhases", count)))
          samples.add(`part of open: ${part}/hearth/`, milliseconds);
      else
        for (const where of ["in a new page", "in the same page again"])
          samples.add(`instance alone, ${where}/hearth/`, await call(page, "instance"));
      await page.close();
    }
  });
  const page = await session.page();
  await call(page, "deleteKept");
  await page.close();
}

/**
 * Everything at one size.
 * @param {import("./session.js").Session} session
 * @param {number} count entries
 * @param {number} rounds fewer are made when they take long
 * @returns {Promise<Record<string, number[]>>}
 */
export async function measure(session, count, rounds) {
  const samples = new Samples();
  await firstSaves(session, samples, count, rounds);
  await changes(session, samples, count, rounds);
  await opens(session, samples, count, rounds);
  return samples.all;
}
