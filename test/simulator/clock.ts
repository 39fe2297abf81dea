/** Time that stands still until the schedule moves it. */
import type { Clock } from '../../worker/seams.js';

const START_MS = Date.UTC(2026, 10, 21);

interface Timer { readonly dueUs: number; readonly callback: () => void }

export class VirtualClock implements Clock {
  #us = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return START_MS + Math.floor(this.#us / 1000);
  }

  monotonicUs(): number {
    this.#us += 1;
    return this.#us;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { dueUs: this.#us + ms * 1000, callback };
    this.#timers.add(timer);
    return () => { this.#timers.delete(timer); };
  }

  /** Moves on, and calls back what is due. */
  advance(ms: number): void {
    const end = this.#us + ms * 1000;
    for (let timer = this.#first; timer !== undefined && timer.dueUs <= end; timer = this.#first) {
      this.#timers.delete(timer);
      this.#us = Math.max(this.#us, timer.dueUs);
      timer.callback();
    }
    this.#us = Math.max(this.#us, end);
  }

  /** Until the next timer, ms; undefined when there is none. */
  get untilNextMs(): number | undefined {
    return this.#first === undefined ? undefined : Math.max(0, this.#first.dueUs - this.#us) / 1000;
  }

  /** Their owner is dead. */
  forget(): void {
    this.#timers.clear();
  }

  get #first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (first === undefined || timer.dueUs < first.dueUs) first = timer;
    return first;
  }
}
