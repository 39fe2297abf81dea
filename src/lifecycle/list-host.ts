import type { FilePool } from '../pool/file-pool.js';
import type { ListHost } from '../reader/lists/thread-lists.js';
import type { ThreadHost } from '../thread-host.js';
import type { ThreadId } from '../types.js';
import type { Registry } from './registry.js';

/** A disk in trouble holds no list up for longer. */
const CATCH_UP_MS = 1000;

/** What lists need to know of the threads that are open here. */
export class RegistryListHost implements ListHost {
  readonly pool: FilePool;
  readonly instance: string;
  readonly #host: ThreadHost;
  readonly #registry: Registry;
  /** Rollouts of threads that were closed since anybody asked. */
  readonly #released = new Set<string>();

  constructor(host: ThreadHost, registry: Registry, { pool, instance }: Pick<ListHost, 'pool' | 'instance'>) {
    this.#host = host;
    this.#registry = registry;
    this.pool = pool;
    this.instance = instance;
  }

  get directory(): string {
    return this.#host.options.directory;
  }

  isOpenHere(id: ThreadId): boolean {
    return this.#registry.get(id) !== undefined;
  }

  async caughtUp(): Promise<void> {
    const timeoutMs = Math.min(CATCH_UP_MS, this.#host.options.closeTimeoutMs);
    const behind = this.#registry.threads.filter(({ state, written, accepted }) => (state === 'open' || state === 'closing') && written < accepted);
    // Whoever cannot be written is listed as far as it is.
    await Promise.allSettled(behind.map((thread) => thread.flush({ durability: 'written', timeoutMs })));
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
