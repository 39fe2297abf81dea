import type { Clock, FsOps } from './seams.js';

/** Longest time that a sync which has ended waits for others to be confirmed with it, while the disk works for some. */
const WAIT_MS = 1;
const BATCH_MAX = 32;

interface Ended {
  readonly descriptor: number;
  /** The file system it is in. */
  readonly dev: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Confirms that the syncs which have ended can be believed: one call for all of a file system, since it covers every sync that ended before it. */
export class Confirmations {
  readonly #fs: FsOps;
  readonly #clock: Clock;
  #ended: Ended[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(fs: FsOps, clock: Clock) {
    this.#fs = fs;
    this.#clock = clock;
  }

  /** A sync has ended; its descriptor stays open until this settles. Rejects where the file system has given up writing. */
  confirmed(descriptor: number, dev: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ended.push({ descriptor, dev, resolve, reject });
      if (this.#ended.length >= BATCH_MAX) this.now();
      else this.#cancelTimer ??= this.#clock.after(WAIT_MS, () => { this.now(); });
    });
  }

  /** No other sync is about to end. */
  now(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const all = this.#ended;
    this.#ended = [];
    for (const dev of new Set(all.map((ended) => ended.dev))) this.#confirm(all.filter((ended) => ended.dev === dev));
  }

  #confirm(ended: readonly Ended[]): void {
    try {
      // A file of another user refuses the call, which says nothing of the others.
      ended.some(({ descriptor }) => this.#fs.confirmSyncs(descriptor));
      for (const { resolve } of ended) resolve();
    } catch (error) {
      for (const { reject } of ended) reject(error);
    }
  }
}
