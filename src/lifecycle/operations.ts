import type { ThreadId } from '../types.js';

/** Lifecycle operations: first in, first out for each id, side by side for different ones. */
export class Operations {
  /** The last of each id. */
  readonly #last = new Map<ThreadId, Promise<unknown>>();

  /** Of several ids, it is in line for all of them from the call on: two that want each other's wait for none. */
  run<T>(ids: readonly ThreadId[], operation: () => Promise<T>): Promise<T> {
    const before = ids.flatMap((id) => this.#last.get(id) ?? []);
    const running = before.length === 0 ? operation() : Promise.all(before).then(operation);
    const settled = running.then(() => undefined, () => undefined).then(() => {
      for (const id of ids) {
        if (this.#last.get(id) === settled) this.#last.delete(id);
      }
    });
    for (const id of ids) this.#last.set(id, settled);
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
