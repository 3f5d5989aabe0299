/**
 * Commits that nobody asks for: soon after something ran, and when the page is hidden or left. Several changes
 * become one commit; while one is being written the next waits, and takes all that came meanwhile.
 */
export class Autocommit {
  #hearth;
  #enabled;
  #durability;
  #onError;
  #scheduled = false;
  /** @type {Promise<void> | undefined} */
  #running;
  #leave;

  constructor(hearth, { autocommit = false, flushOnHide, readonly = false, warn = console.warn }) {
    this.#hearth = hearth;
    this.#enabled = autocommit !== false && !readonly;
    this.#durability = autocommit.durability;
    this.#onError = autocommit.onError ?? ((error) => warn(`hearth: not stored: ${error.message}`));
    if ((flushOnHide ?? this.#enabled) && !readonly) this.#watchPage();
  }

  /** Something may have changed. */
  schedule() {
    if (!this.#enabled || this.#scheduled) return;
    this.#scheduled = true;
    this.#running ??= this.#run();
  }

  async #run() {
    try {
      await undefined; // after what runs now
      while (this.#scheduled) {
        this.#scheduled = false;
        try {
          await this.#hearth.commit({ durability: this.#durability });
        } catch (error) {
          this.#tell(error);
        }
      }
    } finally {
      this.#running = undefined;
    }
  }

  #tell(error) {
    if (this.#hearth.closed) return;
    try {
      this.#onError(error);
    } catch (exception) {
      console.error(exception); // nobody is there who could catch it
    }
  }

  /** A page that is hidden may never be seen again, and gets no other event for sure. */
  #watchPage() {
    if (typeof document === "undefined") return;
    const flush = () => {
      if (document.visibilityState !== "hidden" && !leaving) return;
      this.#scheduled = false;
      try {
        this.#hearth.commitNow().catch((error) => this.#tell(error));
      } catch (error) {
        this.#tell(error);
      }
    };
    let leaving = false;
    const leave = () => {
      leaving = true;
      flush();
      leaving = false; // it may come back from the cache of pages
    };
    document.addEventListener("visibilitychange", flush);
    globalThis.addEventListener("pagehide", leave);
    this.#leave = () => {
      document.removeEventListener("visibilitychange", flush);
      globalThis.removeEventListener("pagehide", leave);
    };
  }

  /** Commits what was scheduled; nothing more comes from here. */
  async end() {
    await this.#running;
    this.#enabled = false;
    this.#leave?.();
  }
}
