import { CONTENDERS } from '../peers/all.js';
import type { Kind } from '../peers/contender.js';
import { appendTable, runAppend, type AppendResult } from './append.js';
import { latencyTable, loopTable, runLatency, runLoop, type LatencyRow, type LoopRow } from './host.js';
import { runJobs } from './jobs.js';
import { lifecycleTable, runLifecycle, type LifecycleRow } from './lifecycle.js';
import { runLists } from './lists.js';
import { runProducers } from './producers.js';
import { readingTable, runReading, type ReadingRow } from './reading.js';
import { SIZES, THREADS, cellTable, runCells, type Cell, type CellExtent, type CellResult } from './sustained.js';
import { runSynced, syncedTable, type SyncedRow } from './synced.js';

/** By scenario; those that ran. */
export interface Results {
  append?: AppendResult[];
  sustained?: CellResult[];
  threads?: CellResult[];
  latency?: LatencyRow[];
  loop?: LoopRow[];
  synced?: SyncedRow[];
  lifecycle?: LifecycleRow[];
  reading?: ReadingRow[];
  lists?: ReadingRow[];
  jobs?: ReadingRow[];
  producers?: ReadingRow[];
}
export type Scenario = keyof Required<Results>;

/** How much is measured. */
interface Extent extends CellExtent {
  readonly appendRounds: number;
  readonly sizes: readonly Cell[];
  readonly threads: readonly Cell[];
  readonly samples: number;
  readonly loopMs: number;
  readonly syncRounds: number;
  readonly isQuick: boolean;
}

const QUICK_SIZES = new Set(['116 B', '1.1 kB', '8.5 kB', 'mix']);
const QUICK_THREADS = 1000;
const QUICK_PART = 4;
/** Ours, the peers that targets are multiples of, and the limits beside them. */
const QUICK_KINDS: readonly Kind[] = ['ours', 'files', 'limit'];

/** Whether caches are dropped is said beside them. */
type Amount = Omit<Extent, 'dropsCaches'>;

export const FULL: Amount = { contenders: CONTENDERS, appendRounds: 300, repetitions: 5, runMsMax: 750, sizes: SIZES, threads: THREADS, samples: 1000, loopMs: 2000, syncRounds: 9, isQuick: false };
export const QUICK: Amount = {
  contenders: CONTENDERS.filter(({ kind }) => QUICK_KINDS.includes(kind)), appendRounds: 40, repetitions: 1, runMsMax: 150, samples: 80, loopMs: 400, syncRounds: 3, isQuick: true,
  sizes: SIZES.filter(({ load }) => QUICK_SIZES.has(load)).map((cell) => ({ ...cell, items: cell.items / QUICK_PART })),
  threads: THREADS.filter(({ threads }) => threads === QUICK_THREADS).map((cell) => ({ ...cell, items: cell.items / QUICK_PART })),
};

type Print = (text: string) => void;
type Runner<S extends Scenario> = (extent: Extent, seed: number, print: Print) => Promise<Required<Results>[S]>;

/** Prints a title, then the table of what the scenario found. */
const runner = <S extends Scenario>(title: (extent: Extent) => string, run: (extent: Extent, seed: number) => Promise<Required<Results>[S]>, tableOf: (result: Required<Results>[S]) => string): Runner<S> =>
  async (extent, seed, print) => {
    print(`\n${title(extent)}\n`);
    const result = await run(extent, seed);
    print(tableOf(result));
    return result;
  };

const cells = (title: string, of: (extent: Extent) => readonly Cell[]) => async (extent: Extent, seed: number, print: Print): Promise<CellResult[]> => {
  print(`\n${title} (medians of interleaved runs, after two to warm up)\n`);
  return runCells(of(extent), extent, seed, (result) => print(`\n${cellTable(result)}`));
};

/** In the order in which they run. */
export const SCENARIOS: { readonly [S in Scenario]: Runner<S> } = {
  append: runner(({ appendRounds }) => `Cost to the calling thread, per item (medians of ${appendRounds} alternating rounds)`,
    ({ appendRounds }, seed) => runAppend(appendRounds, seed), (results) => appendTable(results, process.version)),
  sustained: cells('Sustained until write() has returned for the last item, 100 threads', ({ sizes }) => sizes),
  threads: cells('The same over more and more threads', ({ threads }) => threads),
  latency: runner(({ samples }) => `Latency when idle (${samples} items, one at a time, in four interleaved parts)`, ({ contenders, samples }, seed) => runLatency(contenders, samples, seed), latencyTable),
  loop: runner(() => 'Delay of the host\'s event loop under full load, above what it is without (medians of four interleaved parts)', ({ contenders, loopMs }, seed) => runLoop(contenders, loopMs, seed), loopTable),
  synced: runner(({ syncRounds }) => `Group commit (medians of ${syncRounds} alternating rounds)`, ({ syncRounds, isQuick }, seed) => runSynced(syncRounds, isQuick, seed), syncedTable),
  lifecycle: runner(() => 'Threads created, idle, closed and opened again (per thread, fresh processes)', ({ isQuick }) => runLifecycle(isQuick), lifecycleTable),
  reading: runner(({ repetitions }) => `Reading back (medians of ${repetitions} alternating rounds)`, ({ repetitions, isQuick }, seed) => runReading(repetitions, isQuick, seed), readingTable),
  lists: runner(({ repetitions }) => `Lists (medians of ${repetitions} rounds, each of fresh processes)`, ({ repetitions, isQuick }, seed) => runLists(repetitions, isQuick, seed), readingTable),
  producers: runner(({ repetitions }) => `Agents in other JavaScript threads (medians of ${repetitions} interleaved rounds, each of fresh processes)`, ({ repetitions, isQuick }, seed) => runProducers(repetitions, isQuick, seed), readingTable),
  jobs: runner(({ repetitions }) => `Jobs (medians of ${repetitions} rounds)`, ({ repetitions, isQuick }) => runJobs(repetitions, isQuick), readingTable),
};
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as Scenario[];
