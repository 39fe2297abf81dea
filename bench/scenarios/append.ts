import { openSidecar, type RolloutItem, type Thread } from 'lastword';
import { figure, table, whole } from '../format.js';
import { FIXED_SIZES } from '../load/fixed.js';
import { bytesOf, poolOf, type Load } from '../load/pool.js';
import { recordLine } from '../peers/contender.js';
import { collectGarbage, median, withDirectory } from './support.js';

const THREADS = 16;
const WARM_UP_ROUNDS = 30;
/**
 * A round's items fit into the ring (8 MiB) several times over, so that no append ever waits for the writer. Rounds are
 * short, so that other work on the machine disturbs some of them and not the median.
 */
const ROUND_BYTES_MAX = 1 << 20;
const ROUND_ITEMS_MAX = 4096;

const LOADS: readonly Load[] = [...FIXED_SIZES, 'mix'];

/** What the cost of append() may be, as a part of JSON.stringify's, on Node 20; newer ones stringify faster. For the other loads there is no bound. */
const TARGETS: Readonly<Partial<Record<Load, number>>> = { '116 B': 0.6, '1.1 kB': 0.5, '8.5 kB': 0.35 };
const TARGET_OF_LATER_LINES = 0.8;

/** Undefined where there is none. `node`: as process.version has it. */
export function appendTarget(load: Load, node: string): number | undefined {
  return node.startsWith('v20.') || TARGETS[load] === undefined ? TARGETS[load] : TARGET_OF_LATER_LINES;
}

export interface AppendResult {
  readonly load: Load;
  readonly appendNs: number;
  readonly stringifyNs: number;
  readonly copyNs: number;
  readonly ratio: number;
  readonly rounds: { readonly appendNs: number; readonly stringifyNs: number; readonly copyNs: number }[];
}

/**
 * Cost of append() to the thread that calls it, beside the least a host pays to make a line itself: JSON.stringify of
 * the record with a fresh timestamp; and beside what a copy of the line's ready bytes into shared memory costs. Rounds
 * alternate; between them everything is flushed, off the clock. The writer is at work during ours and asleep during the others.
 */
export async function runAppend(rounds: number, seed: number): Promise<AppendResult[]> {
  const results: AppendResult[] = [];
  for (const load of LOADS) results.push(await measure(load, rounds, seed));
  return results;
}

function measure(load: Load, rounds: number, seed: number): Promise<AppendResult> {
  return withDirectory(async (directory) => {
    await using sidecar = await openSidecar({ directory });
    const threads = await Promise.all(Array.from({ length: THREADS }, () => sidecar.createThread()));
    const pool = poolOf(load, seed);
    const lines = pool.map((item, index) => Buffer.from(recordLine(index, item)));
    const count = Math.min(ROUND_ITEMS_MAX, Math.floor(ROUND_BYTES_MAX / bytesOf(load)));
    const measured: AppendResult['rounds'] = [];
    collectGarbage();
    for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
      const appendNs = nsPerItem(count, () => appendRound(threads, pool, count));
      await sidecar.flush();
      const stringifyNs = nsPerItem(count, () => stringifyRound(pool, count));
      const copyNs = nsPerItem(count, () => copyRound(lines, count));
      if (round >= 0) measured.push({ appendNs, stringifyNs, copyNs });
    }
    const appendNs = median(measured.map((each) => each.appendNs));
    const stringifyNs = median(measured.map((each) => each.stringifyNs));
    const copyNs = median(measured.map((each) => each.copyNs));
    return { load, appendNs, stringifyNs, copyNs, ratio: appendNs / stringifyNs, rounds: measured };
  });
}

function nsPerItem(count: number, body: () => number): number {
  const begin = process.hrtime.bigint();
  const sum = body();
  const ns = Number(process.hrtime.bigint() - begin);
  if (!(sum > 0)) throw new Error('the timed part did nothing');
  return ns / count;
}

function appendRound(threads: readonly Thread[], pool: readonly RolloutItem[], count: number): number {
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const item = pool[index % pool.length];
    if (item !== undefined) sum += threads[index % THREADS]?.append(item) ?? 0;
  }
  return sum;
}

function stringifyRound(pool: readonly RolloutItem[], count: number): number {
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const item = pool[index % pool.length];
    if (item !== undefined) sum += recordLine(index, item).length;
  }
  return sum;
}

/** As large as the ring. */
const SHARED = new Uint8Array(new SharedArrayBuffer(8 << 20));

function copyRound(lines: readonly Buffer[], count: number): number {
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const line = lines[index % lines.length];
    if (line === undefined) continue;
    if (at + line.length > SHARED.length) at = 0;
    SHARED.set(line, at);
    at += line.length;
  }
  return at;
}

export function appendTable(results: readonly AppendResult[], node: string): string {
  const verdict = ({ load, ratio }: AppendResult): string => {
    const target = appendTarget(load, node);
    return target === undefined ? '–' : `≤ ${target} × ${ratio <= target ? 'met' : 'MISSED'}`;
  };
  return table([
    ['item', 'append()', 'JSON.stringify', 'copy of the bytes', 'ratio', 'target'],
    ...results.map((result) => [
      result.load, `${whole(result.appendNs)} ns`, `${whole(result.stringifyNs)} ns`, `${whole(result.copyNs)} ns`, `${figure(result.ratio)} ×`, verdict(result),
    ]),
  ]);
}
