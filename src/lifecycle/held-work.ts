/** What may still append to a thread: tracked work and holds. close() waits for it before the seal. */
import { types } from 'node:util';
import { isPending, watchSettled } from './settled.js';

/** How tracked work is named in a receipt. */
const TRACKED = 'tracked';
/** Settled promises may stay in the list until it has grown to this. */
const SWEEP_MIN = 16;

export class HeldWork {
  /** In the order of holding: promises, other thenables, and holds, with what a receipt calls them. */
  readonly #held = new Map<object, string>();
  #promises = 0;
  #sweepAt = SWEEP_MIN;
  /** While somebody waits for the end of it all. */
  #onEmpty: (() => void) | undefined;
  readonly #stopWatching: (() => void)[] = [];

  /** Nothing is held any more. */
  readonly #onNone: (() => void) | undefined;

  constructor(onNone?: () => void) {
    this.#onNone = onNone;
  }

  /** No handler is attached to a promise: its rejection must stay its owner's to handle, or not to. */
  track<P extends PromiseLike<unknown>>(work: P): P {
    if (types.isPromise(work)) {
      if (this.#promises >= this.#sweepAt) {
        this.#sweep();
        this.#sweepAt = Math.max(SWEEP_MIN, this.#promises * 2);
      }
      if (this.#held.has(work) || !isPending(work)) return work;
      this.#promises += 1;
      this.#held.set(work, TRACKED);
      if (this.#onEmpty !== undefined) this.#watch(work);
    } else if (typeof (work as { then?: unknown } | null | undefined)?.then === 'function') {
      const release = this.#hold(TRACKED);
      work.then(release, release);
    }
    return work;
  }

  hold(label: string): Disposable {
    return { [Symbol.dispose]: this.#hold(label) };
  }

  /** What is still held. */
  get labels(): string[] {
    this.#sweep();
    return [...this.#held.values()];
  }

  /** Resolves once nothing is held any more, or after `timeoutMs`. */
  async settled(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
      this.#onEmpty = resolve;
      for (const held of this.#held.keys()) {
        if (types.isPromise(held)) this.#watch(held);
      }
    });
    clearTimeout(timer);
    this.#onEmpty = undefined;
    for (const stop of this.#stopWatching.splice(0)) stop();
  }

  #hold(label: string): () => void {
    const key = {};
    this.#held.set(key, label);
    return () => { this.#remove(key); };
  }

  #watch(work: Promise<unknown>): void {
    this.#stopWatching.push(watchSettled(work, () => { this.#removeSettled(work); }));
  }

  #sweep(): void {
    for (const held of this.#held.keys()) {
      if (types.isPromise(held)) this.#removeSettled(held);
    }
  }

  #removeSettled(work: Promise<unknown>): void {
    if (isPending(work)) return;
    if (this.#held.has(work)) this.#promises -= 1;
    this.#remove(work);
  }

  #remove(key: object): void {
    this.#held.delete(key);
    if (this.#held.size > 0) return;
    this.#onEmpty?.();
    this.#onNone?.();
  }
}
