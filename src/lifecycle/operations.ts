import type { ThreadId } from '../types.js';

/** Lifecycle operations: first in, first out for each id, side by side for different ones. */
export class Operations {
  /** The last of each id. */
  readonly #last = new Map<ThreadId, Promise<unknown>>();

  run<T>(id: ThreadId, operation: () => Promise<T>): Promise<T> {
    const before = this.#last.get(id);
    const running = before === undefined ? operation() : before.then(operation, operation);
    const settled = running.then(() => undefined, () => undefined).then(() => {
      if (this.#last.get(id) === settled) this.#last.delete(id);
    });
    this.#last.set(id, settled);
    return running;
  }

  /** Resolves when none is under way, or after `timeoutMs`. */
  async settled(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<'expired'>((resolve) => {
      timer = setTimeout(() => { resolve('expired'); }, timeoutMs);
    });
    while (this.#last.size > 0) {
      if (await Promise.race([Promise.all(this.#last.values()), expired]) === 'expired') break;
    }
    clearTimeout(timer);
  }
}
