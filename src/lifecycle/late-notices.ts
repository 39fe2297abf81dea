import type { ThreadId } from '../types.js';

/** Shortest time between two notices of one thread, ms. */
const INTERVAL_MS = 1000;

interface Pending {
  items: number;
  timer: NodeJS.Timeout | undefined;
}

/** Gathers what came late, so that one thread is told of at most once a second. Keeps no process alive. */
export class LateNotices {
  readonly #tell: (threadId: ThreadId, count: number) => void;
  readonly #pending = new Map<ThreadId, Pending>();

  constructor(tell: (threadId: ThreadId, count: number) => void) {
    this.#tell = tell;
  }

  add(threadId: ThreadId, items: number): void {
    const pending = this.#pending.get(threadId);
    if (pending !== undefined) {
      pending.items += items;
      return;
    }
    this.#pending.set(threadId, { items, timer: undefined });
    // Not from within append(), and what comes in the same turn is one notice.
    queueMicrotask(() => { this.#notify(threadId); });
  }

  /** Tells what it has now: nobody is there to hear the rest. */
  flush(): void {
    for (const [threadId, { items, timer }] of this.#pending) {
      clearTimeout(timer);
      this.#pending.delete(threadId);
      if (items > 0) this.#tell(threadId, items);
    }
  }

  #notify(threadId: ThreadId): void {
    const pending = this.#pending.get(threadId);
    if (pending === undefined) return;
    const { items } = pending;
    if (items === 0) {
      this.#pending.delete(threadId);
      return;
    }
    pending.items = 0;
    pending.timer = setTimeout(() => { this.#notify(threadId); }, INTERVAL_MS).unref();
    this.#tell(threadId, items);
  }
}
