import { openSidecar, type RolloutItem, type SidecarOptions } from 'lastword';
import type { Contender } from './contender.js';

const AT_ONCE = 64;
const NO_SYNCS = { syncIntervalMs: 0, unsyncedBytes: 1 << 30 } as const;

/** The results of so many calls, some of them at once. */
export async function batched<T>(count: number, call: (index: number) => Promise<T> | T): Promise<T[]> {
  const results: T[] = [];
  while (results.length < count) {
    const from = results.length;
    results.push(...await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - from) }, (_none, index) => call(from + index))));
  }
  return results;
}

/**
 * The library, driven as its documentation tells a host to: append, and await drained() when needsDrain says so. It syncs
 * nothing, as no peer does: syncs of one would also slow all others down.
 */
export function lastword(name: string, options: Omit<SidecarOptions, 'directory'> = NO_SYNCS): Contender {
  return {
    name,
    kind: 'ours',
    async open(directory, count) {
      const sidecar = await openSidecar({ ...options, directory });
      const threads = await batched(count, () => sidecar.createThread());
      return {
        paths: threads.map(({ path }) => path),
        headerLines: 1,
        append(thread: number, _ordinal: number, item: RolloutItem): boolean {
          threads[thread]?.append(item);
          return !sidecar.needsDrain;
        },
        drained: () => sidecar.drained(),
        async complete(): Promise<void> {
          await sidecar.flush();
        },
        async sync(): Promise<void> {
          await sidecar.flush({ durability: 'synced' });
        },
        async close(): Promise<void> {
          await sidecar.close();
        },
      };
    },
  };
}
