import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RolloutItem } from 'lastword';
import { figure, table, whole } from '../format.js';
import { fixedItems } from '../load/fixed.js';
import { ShapeSource } from '../load/shapes.js';
import { bareWrite } from '../peers/bare-write.js';
import type { Contender } from '../peers/contender.js';
import { lastword } from '../peers/lastword.js';
import { pinoTransport } from '../peers/pino-transport.js';
import { sonicBooms } from '../peers/sonic-boom.js';
import { appendFile, writeKept } from '../peers/sync-files.js';
import { writeStreams } from '../peers/write-stream.js';
import { Entrant, type FanOut, type Run } from './fan-out.js';
import { median, withDirectory } from './support.js';

const OURS = 'lastword';
const POOL_ITEMS = 997;
const PEERS: readonly Contender[] = [appendFile, writeKept, writeStreams, sonicBooms, pinoTransport];
/** Repetitions that are not counted: everybody's code gets compiled, files and memory are there. */
const WARM_UPS = 2;
/** A peer this much slower than the best one when it has warmed up cannot be the best, and is run no more than once. */
const HOPELESS = 1.6;

/** One cell of the table. `times` is the least that is wanted, as a multiple of the best peer. */
interface Cell {
  readonly name: string;
  readonly threads: number;
  readonly itemsPerThread: number;
  readonly burst: number;
  readonly times: number;
  readonly pool: (seed: number) => readonly RolloutItem[];
}

const fixed = (size: Parameters<typeof fixedItems>[0]) => (seed: number) => fixedItems(size, POOL_ITEMS, seed);
const mixed = (seed: number): RolloutItem[] => {
  const source = new ShapeSource(seed);
  return Array.from({ length: POOL_ITEMS }, () => source.item());
};

/**
 * Deltas and messages of many agents interleave one by one; that is the hardest order for whoever groups by file. A
 * burst of 10 is a tool step. The mix has bursts of 2, the median of real rollouts.
 */
const CELLS: readonly Cell[] = [
  { name: '116 B', threads: 100, itemsPerThread: 1500, burst: 1, times: 3, pool: fixed('116 B') },
  { name: '1.1 kB', threads: 100, itemsPerThread: 300, burst: 1, times: 3, pool: fixed('1.1 kB') },
  { name: '8.5 kB', threads: 100, itemsPerThread: 60, burst: 1, times: 2, pool: fixed('8.5 kB') },
  { name: 'mix', threads: 100, itemsPerThread: 150, burst: 2, times: 2, pool: mixed },
  { name: '520 B', threads: 100, itemsPerThread: 500, burst: 1, times: 1, pool: fixed('520 B') },
  { name: '520 B', threads: 2000, itemsPerThread: 20, burst: 1, times: 1, pool: fixed('520 B') },
  { name: '520 B', threads: 2000, itemsPerThread: 20, burst: 10, times: 1, pool: fixed('520 B') },
];

export interface SustainedResult {
  readonly name: string;
  readonly threads: number;
  readonly burst: number;
  readonly items: number;
  readonly rows: { readonly name: string; readonly itemsPerSecond: number; readonly megabytesPerSecond: number; readonly runs: Run[] }[];
  readonly bestPeer: string;
  readonly ratioToBestPeer: number;
  /** Items/s: so many times the best peer, or 0.8 of the bare write() of the same bytes, whichever is less. */
  readonly target: number;
}

/** Items per second until write() has returned for the last one; every contender's files are checked after every run. */
export async function runSustained(
  repetitions: number, seed: number, onCell: (result: SustainedResult) => void,
): Promise<SustainedResult[]> {
  const results: SustainedResult[] = [];
  for (const cell of CELLS) {
    const result = await measureCell(cell, repetitions, seed);
    onCell(result);
    results.push(result);
  }
  return results;
}

async function measureCell(cell: Cell, repetitions: number, seed: number): Promise<SustainedResult> {
  const { name, threads, burst, itemsPerThread, times } = cell;
  const load: FanOut = { threads, itemsPerThread, burst, pool: cell.pool(seed) };
  const runs = await withDirectory((directory) => runAll(directory, load, repetitions));
  const rows = [...runs].map(([who, each]) => ({
    name: who, runs: each,
    itemsPerSecond: median(each.map((run) => run.itemsPerSecond)),
    megabytesPerSecond: median(each.map((run) => run.megabytesPerSecond)),
  }));
  const speedOf = (who: string): number => rows.find((row) => row.name === who)?.itemsPerSecond ?? NaN;
  const bestPeer = PEERS.reduce((best, peer) => (speedOf(peer.name) > speedOf(best.name) ? peer : best), writeKept).name;
  return {
    name, threads, burst, items: threads * itemsPerThread, rows, bestPeer,
    ratioToBestPeer: speedOf(OURS) / speedOf(bestPeer),
    target: Math.min(times * speedOf(bestPeer), 0.8 * speedOf(bareWrite.name)),
  };
}

/** Everybody's runs, one after the other in every repetition. */
async function runAll(directory: string, load: FanOut, repetitions: number): Promise<Map<string, Run[]>> {
  let entrants: Entrant[] = [];
  for (const [index, contender] of [lastword(OURS), ...PEERS, bareWrite].entries()) {
    const own = join(directory, String(index));
    mkdirSync(own);
    entrants.push(await Entrant.open(contender, own, load));
  }
  const all = entrants;
  const runs = new Map(all.map((entrant) => [entrant.name, [] as Run[]]));
  const slow = new Set<Entrant>();
  for (let repetition = -WARM_UPS; repetition < repetitions; repetition += 1) {
    for (const entrant of turned(entrants, repetition + WARM_UPS)) {
      const run = await entrant.run();
      // A slow one has only its last warm-up.
      if (repetition >= 0 || repetition === -1) runs.get(entrant.name)?.push(run);
    }
    if (repetition !== -1) continue;
    const speed = ({ name }: Entrant): number => runs.get(name)?.[0]?.itemsPerSecond ?? 0;
    const isPeer = ({ name }: Entrant): boolean => name !== OURS && name !== bareWrite.name;
    const best = Math.max(...entrants.filter(isPeer).map(speed));
    for (const entrant of entrants) if (isPeer(entrant) && speed(entrant) * HOPELESS <= best) slow.add(entrant);
    entrants = entrants.filter((entrant) => !slow.has(entrant));
    for (const { name } of entrants) runs.set(name, []);
  }
  for (const entrant of all) await entrant.close();
  return runs;
}

/** Another one is first in each repetition, so that nobody always runs after the same one. */
function turned<T>(list: readonly T[], by: number): T[] {
  const first = by % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

export function sustainedTable({ name, threads, burst, items, rows, bestPeer, target }: SustainedResult): string {
  const best = rows.find((row) => row.name === bestPeer)?.itemsPerSecond ?? NaN;
  const ours = rows.find((row) => row.name === OURS)?.itemsPerSecond ?? NaN;
  const lines = rows.map((row) => [
    row.name, whole(row.itemsPerSecond), figure(row.megabytesPerSecond), `${figure(row.itemsPerSecond / best)} ×`,
    String(row.runs.length),
  ]);
  return `  ${name}, ${whole(threads)} threads, bursts of ${burst}, ${whole(items)} items\n`
    + table([['', 'items/s', 'MB/s', 'of best peer', 'runs'], ...lines], '    ')
    + `    target ${whole(target)} items/s: ${ours >= target ? 'met' : 'MISSED'}\n`;
}
