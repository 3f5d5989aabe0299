/**
 * What is being written, by ticket: each part of a store that was handed over has one, in order. A failure fails
 * everything that was handed over behind it.
 */
export class Pending {
  /** @type {{ticket: number, resolve: () => void, reject: (error: Error) => void}[]} in order */
  #waiting = [];
  /** @type {(() => void)[]} */
  #idle = [];

  get waiting() {
    return this.#waiting.length > 0;
  }

  /** Resolves when everything up to the ticket is written; rejects with what prevented it. */
  until(ticket) {
    return new Promise((resolve, reject) => this.#waiting.push({ ticket, resolve, reject }));
  }

  /** Resolves when nothing waits any more. */
  idle() {
    return new Promise((resolve) => (this.waiting ? this.#idle.push(resolve) : resolve()));
  }

  /** Everything up to the ticket is written, or it failed and all behind it with it. */
  settle(ticket, failure) {
    const done = failure === undefined ? this.#waiting.filter((wait) => wait.ticket <= ticket) : this.#waiting;
    this.#waiting = failure === undefined ? this.#waiting.filter((wait) => wait.ticket > ticket) : [];
    for (const wait of done) {
      if (failure === undefined) wait.resolve();
      else wait.reject(failure);
    }
    if (this.waiting) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
