import { figure, table, whole } from '../format.js';
import { bytesOf, type Load } from '../load/pool.js';
import type { Run } from '../cells/entrant.js';
import { dropPageCache } from '../cells/page-cache.js';
import { withRivals, type Rival } from '../cells/rival.js';
import { OURS } from '../peers/all.js';
import type { Contender, Kind } from '../peers/contender.js';
import { median, withDirectory } from './support.js';

export const BARE = 'bare write() of ready bytes';
/** What is enough of it, where the best peer is so near to it that no multiple can be had. */
export const BARE_SHARE = 0.8;
/** Of a cell that nothing is wanted of; those of 10,000 threads are gigabytes. */
const REPETITIONS_MAX = 3;
/** A contender this much slower than the best when it has warmed up cannot be the best, and is run no more than once. */
const HOPELESS = 1.6;
/** The first warm-up: a part of the items, to see what all of them would take. Who is this much slower then gets no other. */
const TRY_OUT = 0.1;
const HOPELESS_COLD = 3;

export interface CellExtent {
  readonly contenders: readonly Contender[];
  readonly repetitions: number;
  /** Longest run of a contender that is slow, ms; it gets fewer items then, but not less than a tenth. */
  readonly runMsMax: number;
  /** The page cache is dropped before each run. */
  readonly dropsCaches: boolean;
}

/** One cell of the table. `times` is the least that is wanted, as a multiple of the best recorder of files. */
export interface Cell {
  readonly load: Load;
  readonly threads: number;
  readonly items: number;
  readonly burst: number;
  readonly times: number | undefined;
}

/**
 * Deltas and messages of many agents interleave one by one; that is the hardest order for whoever groups by file. The mix
 * has bursts of 2, the median of real rollouts.
 */
export const SIZES: readonly Cell[] = [
  { load: '116 B', threads: 100, items: 150_000, burst: 1, times: 3 },
  { load: '520 B', threads: 100, items: 50_000, burst: 1, times: undefined },
  { load: '1.1 kB', threads: 100, items: 30_000, burst: 1, times: 3 },
  { load: '8.5 kB', threads: 100, items: 6000, burst: 1, times: 2 },
  { load: '64 kB', threads: 100, items: 800, burst: 1, times: undefined },
  { load: '1 MB', threads: 100, items: 100, burst: 1, times: undefined },
  { load: 'mix', threads: 100, items: 15_000, burst: 2, times: 2 },
];

/** Bursts of 50 per thread. At 10,000 threads a run of all of them is 260 MB. */
export const THREADS: readonly Cell[] = [1, 10, 100, 1000, 10_000].map((threads) =>
  ({ load: '520 B', threads, items: Math.max(50_000, threads * 50), burst: 50, times: undefined }));

/** What a contender took, medians of its runs; per item in microseconds of CPU or of the calling thread. */
export interface Row {
  readonly name: string;
  readonly kind: Kind;
  readonly unavailable?: string;
  readonly runs: readonly Run[];
  readonly itemsPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly syncedPerSecond: number;
  readonly loopUs: number;
  readonly threadCpuUs: number;
  readonly processCpuUs: number;
  readonly peakBytes: number;
}

export interface CellResult {
  readonly cell: Cell;
  readonly rows: readonly Row[];
  readonly bestPeer: string;
  readonly ratioToBestPeer: number;
  /** Items/s: so many times the best peer, or 0.8 of the bare write() of the same bytes, whichever is less. */
  readonly target: number | undefined;
}

/** Items per second until write() has returned for the last one; everybody's lines are checked after every run. */
export async function runCells(
  cells: readonly Cell[], extent: CellExtent, seed: number, onCell: (result: CellResult) => void,
): Promise<CellResult[]> {
  const results: CellResult[] = [];
  for (const cell of cells) {
    const repetitions = cell.times === undefined ? Math.min(extent.repetitions, REPETITIONS_MAX) : extent.repetitions;
    const result = await measureCell(cell, { ...extent, repetitions }, seed);
    onCell(result);
    results.push(result);
  }
  return results;
}

async function measureCell(cell: Cell, extent: CellExtent, seed: number): Promise<CellResult> {
  const { load, threads, burst, times } = cell;
  const rows = await withDirectory((directory) =>
    withRivals(extent.contenders, directory, { load, threads, burst, seed }, (rivals) => runAll(rivals, cell, extent)));
  const speedOf = (name: string): number => rows.find((row) => row.name === name)?.itemsPerSecond ?? NaN;
  const peers = rows.filter(({ kind, runs }) => kind === 'files' && runs.length > 0);
  const best = peers.reduce((one, other) => (other.itemsPerSecond > one.itemsPerSecond ? other : one));
  const bare = speedOf(BARE);
  return {
    cell, rows, bestPeer: best.name,
    ratioToBestPeer: speedOf(OURS) / best.itemsPerSecond,
    target: times === undefined ? undefined : Math.min(times * best.itemsPerSecond, Number.isNaN(bare) ? Infinity : BARE_SHARE * bare),
  };
}

const isPeer = ({ contender: { kind } }: Rival): boolean => kind !== 'ours' && kind !== 'limit';
const speedOf = ({ items, wallMs }: Run): number => items / wallMs;

/** A peer that was so many times slower than the best of them. */
function isHopeless(rival: Rival, runs: ReadonlyMap<Rival, Run>, times: number): boolean {
  const speeds = new Map([...runs].filter(([each]) => isPeer(each)).map(([each, run]) => [each, speedOf(run)]));
  const speed = speeds.get(rival);
  return speed !== undefined && speed * times <= Math.max(...speeds.values());
}

/** Everybody's runs, one after the other in every repetition. */
async function runAll(rivals: readonly Rival[], cell: Cell, { repetitions, runMsMax, dropsCaches }: CellExtent): Promise<Row[]> {
  const run = (rival: Rival, items: number): Promise<Run> => {
    if (dropsCaches) dropPageCache();
    return rival.run(items);
  };
  const there = rivals.filter(({ unavailable }) => unavailable === undefined);
  const itemsOf = new Map<Rival, number>();
  const runs = new Map<Rival, Run[]>(rivals.map((rival) => [rival, []]));
  const first = new Map<Rival, Run>();
  for (const rival of there) {
    const tried = await run(rival, cell.items * TRY_OUT);
    first.set(rival, tried);
    itemsOf.set(rival, Math.ceil(Math.min(cell.items, Math.max(speedOf(tried) * runMsMax, cell.items * TRY_OUT))));
  }
  const warmed = there.filter((rival) => !isHopeless(rival, first, HOPELESS_COLD));
  const warm = new Map<Rival, Run>();
  for (const rival of warmed) warm.set(rival, await run(rival, itemsOf.get(rival) ?? 0));
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const isLast = repetition === repetitions - 1;
    for (const rival of turned(there, repetition)) {
      if (!isLast && (!warm.has(rival) || isHopeless(rival, warm, HOPELESS))) continue;
      runs.get(rival)?.push(await run(rival, itemsOf.get(rival) ?? 0));
    }
  }
  return rivals.map((rival) => rowOf(rival, runs.get(rival) ?? []));
}

function rowOf({ name, contender: { kind }, unavailable }: Rival, runs: readonly Run[]): Row {
  const of = (value: (run: Run) => number): number => median(runs.map(value));
  return {
    name, kind, runs, ...(unavailable === undefined ? {} : { unavailable }),
    itemsPerSecond: of(({ items, wallMs }) => (items * 1000) / wallMs),
    megabytesPerSecond: of(({ bytes, wallMs }) => bytes / 1000 / wallMs),
    syncedPerSecond: of(({ items, syncedMs }) => (items * 1000) / syncedMs),
    loopUs: of(({ items, loopMs }) => (loopMs * 1000) / items),
    threadCpuUs: of(({ items, threadCpuMs }) => (threadCpuMs * 1000) / items),
    processCpuUs: of(({ items, processCpuMs }) => (processCpuMs * 1000) / items),
    peakBytes: Math.max(...runs.map(({ peakBytes }) => peakBytes)),
  };
}

/** Another one is first in each repetition, so that nobody always runs after the same one. */
function turned<T>(list: readonly T[], by: number): T[] {
  const first = by % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

export function cellTitle({ load, threads, burst }: Cell): string {
  return `${load}, ${whole(threads)} ${threads === 1 ? 'thread' : 'threads'}, ${burst === 1 ? 'one by one' : `bursts of ${burst}`}`;
}

export const CELL_HEAD = ['', 'items/s', 'MB/s', 'of best', 'synced items/s', 'loop µs', 'thread CPU µs', 'all CPU µs', 'peak MB', 'runs'] as const;

export function cellRows({ rows, bestPeer }: CellResult): string[][] {
  const best = rows.find((row) => row.name === bestPeer)?.itemsPerSecond ?? NaN;
  return rows.map((row) => (row.unavailable === undefined
    ? [
      row.name, whole(row.itemsPerSecond), figure(row.megabytesPerSecond), `${figure(row.itemsPerSecond / best)} ×`, whole(row.syncedPerSecond),
      figure(row.loopUs), figure(row.threadCpuUs), figure(row.processCpuUs), figure(row.peakBytes / 1e6), String(row.runs.length),
    ]
    : [row.name, row.unavailable]));
}

export function cellTable(result: CellResult): string {
  const { cell, rows, target } = result;
  const ours = rows.find((row) => row.name === OURS)?.itemsPerSecond ?? NaN;
  return `  ${cellTitle(cell)}, ${whole(cell.items)} items of ${whole(bytesOf(cell.load))} bytes\n${table([CELL_HEAD, ...cellRows(result)], '    ')}`
    + (target === undefined ? '' : `    target ${whole(target)} items/s: ${ours >= target ? 'met' : 'MISSED'}\n`);
}
