import type { CellLoad, LoopFigures, Quantiles } from '../cells/entrant.js';
import { withRivals, type Rival } from '../cells/rival.js';
import { figure, table, whole } from '../format.js';
import { OURS } from '../peers/all.js';
import type { Contender } from '../peers/contender.js';
import { median, quantile, withDirectory } from './support.js';

const LOAD = '1.1 kB';
/** Everybody's samples are taken in so many parts, in turn. */
const PARTS = 4;
/** Recorded before anything is measured: a host has been at work for a while, and its code is compiled. */
const WARM_UP_ITEMS = 20_000;
/** The same for what is done item by item. */
const WARM_UP_SAMPLES = 4000;
const TARGET_MS = 1;
/** Upper ends of the histogram's bars, ms: four to a decade, from 10 µs on. */
export const BAR_ENDS: readonly number[] = Array.from({ length: 17 }, (_none, index) => 0.01 * 10 ** (index / 4));

export interface LatencyRow extends Quantiles {
  readonly name: string;
  readonly unavailable?: string;
  readonly samples: number;
  /** Samples up to each of BAR_ENDS, beyond the one before; the last bar has all that are longer, too. */
  readonly bars: readonly number[];
}

export interface LoopRow {
  readonly name: string;
  readonly unavailable?: string;
  readonly parts: readonly LoopFigures[];
  readonly itemsPerSecond: number;
  /** Delay of a timer of 1 ms under load, less what it is without, ms. */
  readonly added: Quantiles;
}

/** From append() until write() has returned, in a system that is otherwise idle: one item of 1.1 kB every few milliseconds. */
export async function runLatency(contenders: readonly Contender[], samples: number, seed: number): Promise<LatencyRow[]> {
  const times = await inTurn(contenders, { load: LOAD, threads: 1, burst: 1, seed }, (rival) => rival.latencies(WARM_UP_SAMPLES, false), (rival) => rival.latencies(Math.ceil(samples / PARTS), true));
  return times.map(({ rival, values }) => {
    const sorted = values.flat().sort((one, other) => one - other);
    const bars = BAR_ENDS.map((end, index) => sorted.filter((ms) =>
      ms > (BAR_ENDS[index - 1] ?? 0) && (ms <= end || index === BAR_ENDS.length - 1)).length);
    return { ...named(rival), samples: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: quantile(sorted, 1), bars };
  });
}

/** What recording as fast as it is taken does to the host's event loop: 100 threads, 50 items of 1.1 kB in every turn. */
export async function runLoop(contenders: readonly Contender[], ms: number, seed: number): Promise<LoopRow[]> {
  const figures = await inTurn(contenders, { load: LOAD, threads: 100, burst: 50, seed }, (rival) => rival.run(WARM_UP_ITEMS), (rival) => rival.loop(ms / PARTS));
  return figures.map(({ rival, values }) => {
    const of = (value: (part: LoopFigures) => number): number => median(values.map(value));
    const added = (key: keyof Quantiles) => of(({ idle, loaded }) => Math.max(0, loaded[key] - idle[key]));
    return { ...named(rival), parts: values, itemsPerSecond: of((part) => part.itemsPerSecond), added: { p50: added('p50'), p99: added('p99'), max: added('max') } };
  });
}

const named = ({ name, unavailable }: Rival): { name: string; unavailable?: string } => ({ name, ...(unavailable === undefined ? {} : { unavailable }) });

type WhatOfRival<T> = (rival: Rival) => Promise<T>;

function inTurn<T>(contenders: readonly Contender[], load: CellLoad, warmUp: WhatOfRival<unknown>, part: WhatOfRival<T>): Promise<{ rival: Rival; values: T[] }[]> {
  const recorders = contenders.filter(({ kind }) => kind !== 'limit');
  return withDirectory((directory) => withRivals(recorders, directory, load, async (rivals) => {
    const all = rivals.map((rival) => ({ rival, values: [] as T[] }));
    const there = all.filter(({ rival }) => rival.unavailable === undefined);
    for (const { rival } of there) await warmUp(rival);
    for (let index = 0; index < PARTS; index += 1) {
      for (const { rival, values } of there) values.push(await part(rival));
    }
    return all;
  }));
}

const verdict = (name: string, p99: number, than: string): string =>
  (name === OURS ? `p99 ${than} ${TARGET_MS} ms ${p99 < TARGET_MS ? 'met' : 'MISSED'}` : '');

const micro = (ms: number): string => `${figure(ms * 1000)} µs`;

export function latencyTable(rows: readonly LatencyRow[]): string {
  return table([['append to written', 'p50', 'p99', 'max', 'samples', 'target'], ...rows.map(({ name, unavailable, p50, p99, max, samples }) =>
    (unavailable === undefined ? [name, micro(p50), micro(p99), micro(max), whole(samples), verdict(name, p99, '<')] : [name, unavailable]))]);
}

export function loopTable(rows: readonly LoopRow[]): string {
  return table([['delay added', 'p50', 'p99', 'max', 'items/s', 'target'], ...rows.map(({ name, unavailable, added: { p50, p99, max }, itemsPerSecond }) =>
    (unavailable === undefined ? [name, micro(p50), micro(p99), micro(max), whole(itemsPerSecond), verdict(name, p99, '≤')] : [name, unavailable]))]);
}
