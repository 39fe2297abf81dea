import { isLastwordError, LastwordError } from '../errors.js';
import { producerGeneration, sleepProducerAsync } from '../ring/doorbell.js';
import type { ProducerMemory } from '../ring/memory.js';

export interface WaitOptions {
  /** What is waited for, for the message of the time-out. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Members of the time-out's context. */
  readonly context?: Record<string, unknown>;
}

interface Waiter {
  readonly isReached: () => boolean;
  readonly settle: (error?: Error) => void;
}

/**
 * Waits for conditions over shared words: one sleep on the producer's generation word for all of them. While anybody
 * waits, `hold` keeps the process alive: a sleep on shared memory does not.
 */
export class Waiters {
  readonly #memory: ProducerMemory;
  readonly #hold: () => () => void;
  readonly #waiters = new Set<Waiter>();
  #release: (() => void) | undefined;
  #isLooking = false;

  constructor(memory: ProducerMemory, hold: () => () => void) {
    this.#memory = memory;
    this.#hold = hold;
  }

  /** Resolves once `isReached()`; rejects when it throws, at the time-out, or with the signal's reason. */
  until(isReached: () => boolean, options: WaitOptions): Promise<void> {
    const { signal, timeoutMs, what, context } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#remove(waiter);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onAbort = (): void => { settle(signal?.reason as Error); };
      const onTimeout = (): void => {
        settle(new LastwordError('LASTWORD_TIMEOUT', `${what} was not reached in ${timeoutMs} ms`, context ?? {}));
      };
      const waiter: Waiter = { isReached, settle };
      const timer = setTimeout(onTimeout, timeoutMs);
      signal?.addEventListener('abort', onAbort);
      this.#waiters.add(waiter);
      this.#release ??= this.#hold();
      this.#check(waiter);
      void this.#look();
    });
  }

  /** Resolves once `isReached()`, or after `timeoutMs`. It must not throw. */
  async forAWhile(isReached: () => boolean, timeoutMs: number): Promise<void> {
    try {
      await this.until(isReached, { what: 'a look', timeoutMs });
    } catch (error) {
      if (!isLastwordError(error)) throw error;
    }
  }

  /** The promise's end, bounded in the same way, and keeping the process alive until then. */
  async settled(promise: Promise<unknown>, options: WaitOptions): Promise<void> {
    let isSettled = false;
    promise.finally(() => {
      isSettled = true;
      this.recheck();
    }).catch(() => undefined);
    await this.until(() => isSettled, options);
    await promise;
  }

  /** Everyone looks again now: something changed that no generation word tells of. */
  recheck(): void {
    for (const waiter of [...this.#waiters]) this.#check(waiter);
  }

  #check(waiter: Waiter): void {
    try {
      if (waiter.isReached()) waiter.settle();
    } catch (error) {
      waiter.settle(error as Error);
    }
  }

  #remove(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size > 0) return;
    this.#release?.();
    this.#release = undefined;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#waiters.size > 0) {
      const generation = producerGeneration(this.#memory);
      this.recheck();
      if (this.#waiters.size === 0) break;
      const sleep = sleepProducerAsync(this.#memory, generation);
      // Without a sleep the word has moved meanwhile; the microtask keeps a busy writer from holding the event loop.
      await (sleep.async ? sleep.value : undefined);
    }
    this.#isLooking = false;
  }
}
