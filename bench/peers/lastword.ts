import { openSidecar, type RolloutItem, type SidecarOptions, type Thread } from 'lastword';
import type { Contender } from './contender.js';

const CREATED_AT_ONCE = 64;
const NO_SYNCS = { syncIntervalMs: 0, unsyncedBytes: 1 << 30 } as const;

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
      const threads: Thread[] = [];
      while (threads.length < count) {
        const batch = Array.from({ length: Math.min(CREATED_AT_ONCE, count - threads.length) }, () => sidecar.createThread());
        threads.push(...await Promise.all(batch));
      }
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
