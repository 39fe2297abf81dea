/** A clock that stands still until it is told to go on. */
import type { JobClock } from '../../../dist/src/jobs/clock.js';
import { turn } from '../steps.js';

interface Timer { readonly atMs: number; readonly callback: () => void }

export class StoppedClock implements JobClock {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return Date.UTC(2026, 0, 2) + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.add(timer);
    return () => { this.#timers.delete(timer); };
  }

  /** Timers that expire so long from now. */
  pendingIn(ms: number): number {
    return [...this.#timers].filter(({ atMs }) => atMs === this.#nowMs + ms).length;
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Whatever is due until then, in its order; what comes of one is done before the next. */
  async advanceTo(nowMs: number): Promise<void> {
    for (;;) {
      const [due] = [...this.#timers].filter(({ atMs }) => atMs <= nowMs).sort((one, other) => one.atMs - other.atMs);
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
      await turn();
    }
    this.#nowMs = nowMs;
  }
}
