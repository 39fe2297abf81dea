import type { RolloutItem } from 'lastword';
import { figure, table, whole } from '../format.js';
import { fixedItems } from '../load/fixed.js';
import { ShapeSource } from '../load/shapes.js';
import type { Contender } from '../peers/contender.js';
import { lastword } from '../peers/lastword.js';
import { pinoTransport } from '../peers/pino-transport.js';
import { sonicBooms } from '../peers/sonic-boom.js';
import { appendFile, writeKept } from '../peers/sync-files.js';
import { writeStreams } from '../peers/write-stream.js';
import { runBareWrite, runContender, type FanOut, type Run } from './fan-out.js';
import { median } from './support.js';

const OURS = 'lastword';
const LIMIT = 'bare write() of ready bytes';
const POOL_ITEMS = 997;
const PEERS: readonly Contender[] = [appendFile, writeKept, writeStreams, sonicBooms, pinoTransport];
/** A peer this much slower than the best one in the first repetition cannot be the best, and is not run again. */
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
  { name: '116 B', threads: 100, itemsPerThread: 2000, burst: 1, times: 3, pool: fixed('116 B') },
  { name: '1.1 kB', threads: 100, itemsPerThread: 400, burst: 1, times: 3, pool: fixed('1.1 kB') },
  { name: '8.5 kB', threads: 100, itemsPerThread: 100, burst: 1, times: 2, pool: fixed('8.5 kB') },
  { name: 'mix', threads: 100, itemsPerThread: 240, burst: 2, times: 2, pool: mixed },
  { name: '520 B', threads: 100, itemsPerThread: 700, burst: 1, times: 1, pool: fixed('520 B') },
  { name: '520 B', threads: 2000, itemsPerThread: 30, burst: 1, times: 1, pool: fixed('520 B') },
  { name: '520 B', threads: 2000, itemsPerThread: 30, burst: 10, times: 1, pool: fixed('520 B') },
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
  const warmUp: FanOut = { threads: 20, itemsPerThread: 250, burst: 2, pool: mixed(seed) };
  for (const contender of [lastword(OURS), ...PEERS]) await runContender(contender, warmUp);
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
  const runs = new Map<string, Run[]>();
  const add = (who: string, run: Run): void => void runs.set(who, [...(runs.get(who) ?? []), run]);
  const ours = lastword(OURS);
  let peers = PEERS;
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    for (const contender of turned([ours, ...peers], repetition)) add(contender.name, await runContender(contender, load));
    add(LIMIT, await runBareWrite(load));
    const speed = ({ name: who }: Contender): number => runs.get(who)?.[0]?.itemsPerSecond ?? 0;
    const best = Math.max(...peers.map(speed));
    peers = peers.filter((peer) => speed(peer) * HOPELESS > best);
  }
  const rows = [OURS, ...PEERS.map((peer) => peer.name), LIMIT].map((who) => {
    const each = runs.get(who) ?? [];
    return {
      name: who, runs: each,
      itemsPerSecond: median(each.map((run) => run.itemsPerSecond)),
      megabytesPerSecond: median(each.map((run) => run.megabytesPerSecond)),
    };
  });
  const speedOf = (who: string): number => rows.find((row) => row.name === who)?.itemsPerSecond ?? NaN;
  const bestPeer = PEERS.reduce((best, peer) => (speedOf(peer.name) > speedOf(best.name) ? peer : best), writeKept).name;
  return {
    name, threads, burst, items: threads * itemsPerThread, rows, bestPeer,
    ratioToBestPeer: speedOf(OURS) / speedOf(bestPeer),
    target: Math.min(times * speedOf(bestPeer), 0.8 * speedOf(LIMIT)),
  };
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
