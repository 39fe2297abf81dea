import type { RolloutItem } from 'lastword';
import { bareWrite } from '../peers/bare-write.js';
import type { Contender } from '../peers/contender.js';
import { collectGarbage, withDirectory } from './support.js';
import { verifyFiles } from './verify-files.js';

/** Who gets how many items, in what order: round robin over all threads, each gets a burst in its turn. */
export interface FanOut {
  readonly threads: number;
  readonly itemsPerThread: number;
  readonly burst: number;
  /** The items are these, over and over. */
  readonly pool: readonly RolloutItem[];
}

const ALIVE_MS = 60_000;

export interface Run { readonly itemsPerSecond: number; readonly megabytesPerSecond: number }

/** Files are open before the clock starts; it stops when write() has returned for the last item. */
export function runContender(contender: Contender, load: FanOut): Promise<Run> {
  return withDirectory(async (directory) => {
    // A peer may wait without keeping the process alive (pino's worker is unreferenced); a host has other work that does.
    const alive = setInterval(() => undefined, ALIVE_MS);
    const recording = await contender.open(directory, load.threads);
    collectGarbage();
    const begin = performance.now();
    const { pool, threads, burst, itemsPerThread } = load;
    let next = 0;
    for (let first = 1; first <= itemsPerThread; first += burst) {
      const end = Math.min(first + burst, itemsPerThread + 1);
      for (let thread = 0; thread < threads; thread += 1) {
        for (let ordinal = first; ordinal < end; ordinal += 1) {
          const item = pool[next];
          next = next + 1 === pool.length ? 0 : next + 1;
          if (item !== undefined && !recording.append(thread, ordinal, item)) await recording.drained();
        }
      }
    }
    await recording.complete();
    const ms = performance.now() - begin;
    // Before close(): what is not in the files by now was not complete.
    const bytes = verifyFiles(contender.name, recording.paths, recording.headerLines, itemsPerThread);
    await recording.close();
    clearInterval(alive);
    return runOf(load, bytes, ms);
  });
}

export function runBareWrite(load: FanOut): Promise<Run> {
  return withDirectory((directory) => {
    const { paths, ms } = bareWrite(directory, load);
    return Promise.resolve(runOf(load, verifyFiles('bare write()', paths, 0, load.itemsPerThread), ms));
  });
}

function runOf({ threads, itemsPerThread }: FanOut, bytes: number, ms: number): Run {
  return { itemsPerSecond: (threads * itemsPerThread * 1000) / ms, megabytesPerSecond: bytes / 1000 / ms };
}
