/**
 * The log of an open store: a queue of what is to be written, and the transactions under way. Every record gets its
 * key when its transaction begins.
 *
 * One transaction is under way at a time, and what comes meanwhile shares the next; `urgent` begins others behind it,
 * which the browser runs in their order. When one fails, so does everything behind it: records of later
 * transactions that were under way may be written nevertheless, behind a gap, where nobody reads them ("strays"); the
 * next transaction removes them.
 */
import { BALLAST, GUARD, LOG, NOTES, STATE, rangeOf } from "./database.js";
import { headOf } from "./spare.js";
import { guard, write } from "./transaction.js";

const STRICT = 3; // HEARTH_DURABLE
const SHRINKS = 2; // IDB_LAST_SHRINKS
const FLUSHED = "flushed";

const sizeOf = (records) => records.reduce((size, record) => size + record.length, 0);

/** 64 KiB at a time is all that the browser gives. Random, since a database may compress. */
function ballastOf(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

/**
 * @typedef {object} Job
 * @property {"frames" | "flush" | "piece" | "replace" | "discard" | "ballast"} kind
 * @property {Uint8Array[]} [records]
 * @property {number} [ticket]
 * @property {number} [level]
 * @property {boolean} [shrinks]
 * @property {object} [fresh] the new generation that a piece belongs to
 * @property {number} [generation] to discard
 */

export class Log {
  #database;
  #host;
  #state; // as the note in the database will be when all under way is written
  #next; // sequence of the next record in the current generation
  #strays;
  #bytes; // of the records of the log
  #last = headOf(undefined); // of the last record
  #spared; // the newest of the flights that the spare holds
  #fresh; // { generation, next, bytes } while compacting
  #ballast; // its bytes now
  #ballastSize;
  #ballastTried = false;
  /** @type {Job[]} */
  #jobs = [];
  #flying = []; // { jobs, void, undo, frames }, oldest first
  #waiting = false; // the pump will run
  #holding = false; // the ballast is being given up: nothing begins before it is gone
  #stopped = false;

  /**
   * @param {IDBDatabase} database
   * @param {{state: object, counts: number[], strays: boolean, leftovers: number[], ballast: boolean,
   *   bytes: number}} found
   * @param {{settled(ticket: number, outcome: object): void, failed(outcome: object): void, idle(): void,
   *   spare: import("./spare.js").Spare}} host `settled`: a ticket is complete, or failed with "full" or "nomem";
   *   `failed`: the fate of all that is under way is unknown
   * @param {number} ballastSize bytes; 0: none
   */
  constructor(database, found, host, ballastSize) {
    this.#database = database;
    this.#host = host;
    this.#state = found.state;
    this.#next = found.counts.at(-1);
    this.#strays = found.strays;
    this.#bytes = found.bytes;
    this.#ballast = found.ballast ? ballastSize : 0;
    this.#ballastSize = ballastSize;
    for (const generation of found.leftovers) this.#add({ kind: "discard", generation });
  }

  get #current() {
    return this.#state.generations.at(-1);
  }

  get occupied() {
    return this.#bytes + (this.#fresh?.bytes ?? 0) + this.#ballast;
  }

  get isIdle() {
    return this.#jobs.length === 0 && this.#flying.length === 0 && !this.#holding;
  }

  /**
   * The log ends after so many records of the current generation, `bytes` in all: the others are strays. `last` is the
   * head of its last record, of whatever generation.
   */
  cut(records, bytes, last) {
    this.#strays ||= records < this.#next;
    this.#next = records;
    this.#bytes = bytes;
    this.#last = last;
  }

  frames(records, level, shrinks, ticket) {
    this.#add({ kind: "frames", records, level, shrinks, ticket });
  }

  flush(level, ticket) {
    this.#add({ kind: "flush", records: [], level, ticket });
  }

  beginGeneration() {
    this.#fresh = { generation: this.#current + 1, next: 0, bytes: 0 };
  }

  piece(record, ticket) {
    this.#add({ kind: "piece", records: [record], ticket, fresh: this.#fresh });
  }

  replace(record, ticket) {
    this.#add({ kind: "replace", records: [record], ticket });
  }

  /** The new generation is given up; nothing happens when there is none, or when its replacing is under way. */
  stay() {
    if (this.#fresh === undefined || this.#jobs.some((job) => job.kind === "replace")) return;
    const { generation } = this.#fresh;
    this.#fresh = undefined;
    this.#jobs = this.#jobs.filter((job) => job.kind !== "piece");
    this.#add({ kind: "discard", generation });
  }

  /** Nothing more is begun, and nobody hears of what is under way. */
  stop() {
    this.#stopped = true;
    this.#jobs = [];
    this.#flying = [];
  }

  /** Begins now what can be begun: the page may be gone before anything under way has completed. */
  urgent() {
    if (this.#stopped || this.#holding) return;
    for (let jobs = this.#takeUrgent(); jobs.length > 0; jobs = this.#takeUrgent()) this.#begin(jobs);
    this.#keepSpare();
  }

  /** The browser may abort the transactions of a page that goes. */
  #keepSpare() {
    const flights = this.#flying.filter(({ frames }) => frames?.generation === this.#current);
    if (flights.length === 0 || flights.at(-1) === this.#spared) return;
    this.#spared = flights.at(-1);
    this.#host.spare.put(flights.map(({ frames }) => frames));
  }

  #dropSpare() {
    if (this.#spared === undefined) return;
    this.#spared = undefined;
    this.#host.spare.remove();
  }

  #add(job) {
    if (this.#stopped) return;
    this.#jobs.push(job);
    this.#pumpSoon();
  }

  /** After the caller is done, which may have more for the same transaction. */
  #pumpSoon() {
    if (this.#waiting) return;
    this.#waiting = true;
    queueMicrotask(() => {
      this.#waiting = false;
      this.#pump();
    });
  }

  #pump() {
    if (this.#stopped || this.#holding || this.#flying.length > 0) return;
    if (this.#jobs.length > 0) this.#begin(this.#takeNext());
    else this.#host.idle();
  }

  static #isFrames = (job) => job.kind === "frames" || job.kind === "flush";

  #takeNext() {
    let count = 1;
    if (Log.#isFrames(this.#jobs[0])) while (count < this.#jobs.length && Log.#isFrames(this.#jobs[count])) count++;
    return this.#jobs.splice(0, count);
  }

  /** Frames pass what only a compaction waits for; they do not pass its end, and that waits for what is under way. */
  #takeUrgent() {
    const end = this.#jobs.findIndex((job) => job.kind === "replace");
    if (end === 0 && this.#flying.length === 0) return this.#jobs.splice(0, 1);
    const before = end < 0 ? this.#jobs : this.#jobs.slice(0, end);
    const taken = before.filter(Log.#isFrames);
    this.#jobs = this.#jobs.filter((job) => !taken.includes(job));
    return taken;
  }

  // ------------------------------------------------------------ transactions

  /** @param {Job[]} jobs frames and flushes, or one of another kind */
  #begin(jobs) {
    const flight = { jobs, void: false, undo: () => {} };
    this.#flying.push(flight);
    const { kind } = jobs[0];
    const plan = {
      piece: () => this.#planPiece(jobs[0]),
      replace: () => this.#planReplace(jobs[0], flight),
      discard: () => this.#planDiscard(jobs[0]),
      ballast: () => this.#planBallast(),
    }[kind]?.() ?? this.#planFrames(jobs, flight);
    const durability = plan.strict ? "strict" : "relaxed";
    write(this.#database, plan.stores, durability, plan.body, (outcome) => this.#ended(flight, outcome));
  }

  #planFrames(jobs, flight) {
    const records = jobs.flatMap((job) => job.records);
    const strict = jobs.some((job) => job.level >= STRICT);
    const [generation, first, strays, after] = [this.#current, this.#next, this.#strays, this.#last];
    const size = sizeOf(records);
    if (records.length > 0) flight.frames = { generation, first, after, records };
    const body = (transaction) => {
      if (strays) {
        guard(transaction, generation); // what is removed shall not be a poison
        transaction.objectStore(LOG).delete(rangeOf(generation, first));
      }
      const log = transaction.objectStore(LOG);
      records.forEach((record, i) => log.add(record, [generation, first + i]));
      // a transaction without a change would flush nothing
      if (records.length === 0) transaction.objectStore(NOTES).put(first, FLUSHED);
    };
    this.#next += records.length;
    this.#bytes += size;
    this.#strays = false;
    if (records.length > 0) this.#last = headOf(records.at(-1));
    flight.undo = () => {
      this.#next = first;
      this.#bytes -= size;
      this.#strays = strays;
      this.#last = after;
    };
    return { stores: records.length === 0 ? [LOG, NOTES] : [LOG], strict, body };
  }

  #planPiece(job) {
    const [record] = job.records;
    const { generation, next } = job.fresh;
    const old = this.#current;
    const body = (transaction) => {
      guard(transaction, old);
      const log = transaction.objectStore(LOG);
      if (next === 0) log.delete(rangeOf(generation));
      log.add(record, [generation, next]);
    };
    return { stores: [LOG], strict: false, body };
  }

  #planReplace(job, flight) {
    const [record] = job.records;
    const fresh = this.#fresh;
    const before = {
      state: this.#state, next: this.#next, bytes: this.#bytes, strays: this.#strays, last: this.#last,
    };
    const state = { generations: [fresh.generation], poisons: before.state.poisons };
    const body = (transaction) => {
      const log = transaction.objectStore(LOG);
      guard(transaction, before.state.generations.at(-1));
      if (fresh.next === 0) log.delete(rangeOf(fresh.generation));
      log.add(record, [fresh.generation, fresh.next]);
      for (const generation of before.state.generations) Log.#removeOld(log, generation, state.poisons);
      transaction.objectStore(NOTES).put(state, STATE);
    };
    this.#state = state;
    this.#next = fresh.next + 1;
    this.#bytes = fresh.bytes + record.length;
    this.#last = headOf(record);
    this.#strays = false;
    this.#fresh = undefined;
    flight.undo = () => {
      this.#state = before.state;
      this.#next = before.next;
      this.#bytes = before.bytes;
      this.#strays = before.strays;
      this.#last = before.last;
      this.#fresh = fresh;
    };
    return { stores: [LOG, NOTES], strict: true, body };
  }

  /** All records of a generation but its poison. */
  static #removeOld(log, generation, poisons) {
    const poison = poisons.find(([poisoned]) => poisoned === generation);
    if (poison === undefined) {
      log.delete(rangeOf(generation));
      return;
    }
    const [, end] = poison;
    log.delete(IDBKeyRange.bound([generation, 0], [generation, end], false, true));
    log.delete(IDBKeyRange.bound([generation, end], [generation, Infinity], true, false));
  }

  /** No guard, which would need room in a full database: nobody else writes in this generation. */
  #planDiscard({ generation }) {
    const body = (transaction) => transaction.objectStore(LOG).delete(rangeOf(generation, GUARD));
    return { stores: [LOG], strict: false, body };
  }

  #planBallast() {
    const old = this.#current;
    const bytes = ballastOf(this.#ballastSize);
    const body = (transaction) => {
      guard(transaction, old);
      transaction.objectStore(NOTES).put(bytes, BALLAST);
    };
    return { stores: [LOG, NOTES], strict: false, body };
  }

  // ------------------------------------------------------------------- ends

  #ended(flight, outcome) {
    if (this.#stopped || flight.void) return;
    if (outcome.complete) {
      this.#flying = this.#flying.filter((other) => other !== flight);
      if (flight === this.#spared) this.#dropSpare(); // and so are those before it
      this.#complete(flight);
    } else {
      this.#undo();
      if (outcome.code === "dead" || outcome.code === "io") {
        this.#host.failed(outcome);
        return;
      }
      this.#refused(flight, outcome);
    }
    this.#pump();
  }

  #complete({ jobs }) {
    const [{ kind, records, fresh }] = jobs;
    if (kind === "piece") {
      fresh.next++;
      fresh.bytes += records[0].length;
    }
    if (kind === "ballast") this.#ballast = this.#ballastSize;
    if (kind === "replace" || kind === "discard" || jobs.some((job) => job.shrinks)) this.#ballastTried = false;
    for (const { ticket } of jobs) if (ticket !== undefined) this.#host.settled(ticket, { complete: true });
  }

  /** All that is under way is as if it had not been begun, newest first; what was written of it are strays. */
  #undo() {
    this.#dropSpare(); // what failed is not to come back
    const others = this.#flying.length > 1;
    for (const flight of this.#flying.reverse()) {
      flight.void = true;
      flight.undo();
    }
    this.#strays ||= others;
  }

  /** There was no room: once more without the ballast where that helps the store to shrink, else it has failed. */
  #refused(flight, outcome) {
    const behind = this.#flying.filter((other) => other !== flight).reverse().flatMap((other) => other.jobs);
    this.#flying = [];
    const jobs = flight.jobs.filter((job) => job.kind !== "piece" || job.fresh === this.#fresh); // else given up
    const shrinks = jobs.some((job) => job.kind === "piece" || job.kind === "replace" || job.shrinks);
    if (outcome.code === "full" && this.#ballast > 0 && shrinks) {
      this.#jobs.unshift(...jobs, ...behind);
      this.#giveBallastUp();
    } else if (jobs.some((job) => job.kind === "frames" || job.kind === "replace")) {
      const stacked = [...jobs, ...behind, ...this.#jobs].filter(Log.#isStacked);
      this.#jobs = [...behind, ...this.#jobs].filter((job) => !Log.#isStacked(job));
      this.#fail(stacked, outcome);
    } else {
      this.#jobs.unshift(...behind);
      this.#fail(jobs, outcome);
    }
  }

  static #isStacked = (job) => Log.#isFrames(job) || job.kind === "replace";

  #fail(jobs, outcome) {
    for (const { ticket } of jobs) if (ticket !== undefined) this.#host.settled(ticket, outcome);
  }

  /** A transaction that only deletes passes where a database is full, and its room is there at once. */
  #giveBallastUp() {
    this.#holding = true;
    this.#ballast = 0;
    this.#ballastTried = true;
    // no guard, which would need room: taking another tab's ballast does no harm
    const body = (transaction) => transaction.objectStore(NOTES).delete(BALLAST);
    write(this.#database, [NOTES], "relaxed", body, (outcome) => {
      if (this.#stopped) return;
      this.#holding = false;
      if (outcome.complete) this.#pump();
      else this.#host.failed(outcome);
    });
  }

  /** Makes the ballast when there is none: tried once, and again whenever something made room. */
  ballast() {
    if (this.#stopped || this.#ballast > 0 || this.#ballastTried || this.#ballastSize === 0) return;
    this.#ballastTried = true;
    this.#add({ kind: "ballast" });
  }
}
