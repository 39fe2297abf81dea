import type { FilePool } from '../pool/file-pool.js';
import type { ListHost } from '../reader/lists/thread-lists.js';
import type { ThreadHost } from '../thread-host.js';
import type { ThreadId, ThreadSummary } from '../types.js';
import type { Registry } from './registry.js';

/** A disk in trouble holds no list up for longer. */
const CATCH_UP_MS = 1000;
/** The writer answers for so many in one turn. */
const OWNERS_AT_ONCE = 256;

/** What lists need to know of the threads that are open here. */
export class RegistryListHost implements ListHost {
  readonly pool: FilePool;
  readonly #host: ThreadHost;
  readonly #registry: Registry;
  /** Rollouts of threads that were closed since anybody asked. */
  readonly #released = new Set<string>();

  constructor(host: ThreadHost, registry: Registry, pool: FilePool) {
    this.#host = host;
    this.#registry = registry;
    this.pool = pool;
  }

  get directory(): string {
    return this.#host.options.directory;
  }

  async caughtUp(): Promise<void> {
    const timeoutMs = Math.min(CATCH_UP_MS, this.#host.options.closeTimeoutMs);
    const behind = this.#registry.threads.filter(({ state, written, accepted }) => (state === 'open' || state === 'closing') && written < accepted);
    // Whoever cannot be written is listed as far as it is.
    await Promise.allSettled(behind.map((thread) => thread.flush({ durability: 'written', timeoutMs })));
  }

  async ownersOf(ids: readonly ThreadId[]): Promise<ThreadSummary['owner'][]> {
    const { options, writer } = this.#host;
    const owners: ThreadSummary['owner'][] = [];
    for (let next = 0; next < ids.length; next += OWNERS_AT_ONCE) {
      const some = ids.slice(next, next + OWNERS_AT_ONCE);
      owners.push(...await writer.call('ownersOf', options.closeTimeoutMs, (control) => control.ownersOf(some)));
    }
    return owners;
  }

  changedPaths(): string[] {
    const paths = [...this.#registry.threads.map(({ path }) => path), ...this.#released];
    this.#released.clear();
    return paths;
  }

  unsaved(code: string): void {
    this.#host.log.debug({ code }, 'the catalogue could not be stored');
  }

  released(path: string): void {
    this.#released.add(path);
  }
}
