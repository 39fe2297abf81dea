import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { figure, whole } from '../format.js';
import type { Figures, What } from './producers-child.js';
import type { ReadingRow } from './reading.js';
import { median, quantile, withDirectory } from './support.js';

/** JavaScript threads, each with its part of the agents. */
const WORKERS = [1, 2, 4] as const;
const AGENTS = 100;
const ITEMS = { quick: 20_000, full: 120_000 } as const;
const SAMPLES = { quick: 50, full: 400 } as const;
const CHILD = fileURLToPath(new URL('producers-child.js', import.meta.url));

/** Agents in other JavaScript threads: that append there, beside those that send each item to main, which appends it. */
export async function runProducers(repetitions: number, isQuick: boolean, seed: number): Promise<ReadingRow[]> {
  const extent = isQuick ? 'quick' : 'full';
  const runs = WORKERS.map((workers) => ({ workers, producer: [] as Figures[], messages: [] as Figures[] }));
  for (let round = 0; round < repetitions; round += 1) {
    for (const run of runs) {
      for (const way of ['producer', 'messages'] as const) {
        const samples = way === 'producer' && run.workers === 2 ? SAMPLES[extent] : 0;
        run[way].push(await inChild({ way, workers: run.workers, agents: AGENTS / run.workers, items: ITEMS[extent], samples, load: '520 B', seed }));
      }
    }
  }
  const latencies = runs.flatMap(({ producer }) => producer);
  return [
    ...runs.map(({ workers, producer, messages }): ReadingRow => {
      const [ours, theirs] = [speedOf(producer), speedOf(messages)];
      return {
        what: `${AGENTS} agents in ${workers} JavaScript ${workers === 1 ? 'thread' : 'threads'}, 520 B`,
        ours: `${whole(ours)} items/s, ${figure(mainOf(producer))} µs of main each`,
        beside: `a message each to main, ${whole(theirs)} items/s, ${figure(mainOf(messages))} µs: ${figure(ours / theirs)} ×`,
        target: '–',
      };
    }),
    {
      what: 'an item now and then until written, beside a thread that floods its ring', ours: quantilesOf(latencies.flatMap(({ besideFlood }) => besideFlood)),
      beside: `that thread at rest, ${quantilesOf(latencies.flatMap(({ alone }) => alone))}`, target: '–',
    },
  ];
}

const speedOf = (figures: readonly Figures[]): number => median(figures.map(({ itemsPerSecond }) => itemsPerSecond));
const mainOf = (figures: readonly Figures[]): number => median(figures.map(({ mainUs }) => mainUs));

function quantilesOf(latencies: readonly number[]): string {
  const sorted = latencies.toSorted((one, other) => one - other);
  return `p50 ${figure(quantile(sorted, 0.5))}, p99 ${figure(quantile(sorted, 0.99))}, most ${figure(quantile(sorted, 1))} ms`;
}

function inChild(what: What): Promise<Figures> {
  return withDirectory(async (directory) => {
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, directory, JSON.stringify(what)]);
    return JSON.parse(stdout) as Figures;
  });
}
