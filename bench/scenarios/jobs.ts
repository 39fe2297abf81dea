import { createReadStream, createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'csv-parse';
import { stringify } from 'csv-stringify';
import { openSidecar, type Sidecar } from 'lastword';
import { runJob } from 'lastword/jobs';
import pMap from 'p-map';
import PQueue from 'p-queue';
import { figure, whole } from '../format.js';
import type { ReadingRow } from './reading.js';
import { collectGarbage, median, quantile, withDirectory } from './support.js';

const CONCURRENCY = 64;
const ITEMS = { quick: 5000, full: 20_000 } as const;
const REPORTS = { quick: 1000, full: 5000 } as const;
const TABLE_ROWS = { quick: 20_000, full: 100_000 } as const;
/** Workers of the latency part take up to so long, ms, so that reports come one by one. */
const WORK_MS_MAX = 20;
const [OVERHEAD_US_MAX, FINALISED_MS_MAX] = [50, 5];

/** What a job costs beside its workers: each item, a report, and a large table. */
export function runJobs(repetitions: number, isQuick: boolean): Promise<ReadingRow[]> {
  const extent = isQuick ? 'quick' : 'full';
  return withDirectory(async (directory) => {
    await using sidecar = await openSidecar({ directory: join(directory, 'rollouts') });
    return [
      ...await runOverhead(sidecar, ITEMS[extent], repetitions),
      await runReports(sidecar, REPORTS[extent]),
      await runTable(sidecar, directory, TABLE_ROWS[extent]),
    ];
  });
}

/** Workers that do nothing, all rows logged before. The peers only schedule: nothing of theirs is on a disk. */
async function runOverhead(sidecar: Sidecar, count: number, repetitions: number): Promise<ReadingRow[]> {
  const rows = Array.from({ length: count }, (_, n) => ({ n, text: 'some text of a row' }));
  const times = { ours: [] as number[], log: [] as number[], pMap: [] as number[], pQueue: [] as number[] };
  for (let round = -1; round < repetitions; round += 1) {
    const beganMs = performance.now();
    const job = await runJob(sidecar, { rows, concurrency: CONCURRENCY, worker: async () => 1 });
    const log = performance.now() - beganMs;
    const ours = await millisecondsOf(() => job.result);
    const map = await millisecondsOf(() => pMap(rows, async () => 1, { concurrency: CONCURRENCY }));
    const queue = await millisecondsOf(() => new PQueue({ concurrency: CONCURRENCY }).addAll(rows.map(() => async () => 1)));
    if (round < 0) continue;
    times.ours.push(ours);
    times.log.push(log);
    times.pMap.push(map);
    times.pQueue.push(queue);
  }
  const perItem = (values: readonly number[]): number => (median(values) / count) * 1000;
  const us = (values: readonly number[]): string => `${figure(perItem(values))} µs`;
  const isMet = perItem(times.ours) < OVERHEAD_US_MAX;
  return [
    { what: `an item of a job, ${CONCURRENCY} at once`, ours: us(times.ours), beside: `p-map ${us(times.pMap)}, p-queue ${us(times.pQueue)}, with nothing on disk`, target: `< ${OVERHEAD_US_MAX} µs ${isMet ? 'met' : 'MISSED'}` },
    { what: 'its row, logged', ours: us(times.log), beside: '–', target: '–' },
  ];
}

/** From report() until the item's event, which comes once the report is written. */
async function runReports(sidecar: Sidecar, count: number): Promise<ReadingRow> {
  const reportedMs: number[] = [];
  const latencies: number[] = [];
  const job = await runJob<{ n: number }, number>(sidecar, {
    rows: Array.from({ length: count }, (_, n) => ({ n })), concurrency: CONCURRENCY,
    worker: async ({ index }, { report }) => {
      await sleep(1 + (index * 7) % WORK_MS_MAX);
      reportedMs[index] = performance.now();
      report(index);
    },
  });
  for await (const event of job) if (event.type === 'item') latencies.push(performance.now() - (reportedMs[event.item.index] ?? NaN));
  latencies.sort((one, other) => one - other);
  const p99 = quantile(latencies, 0.99);
  return { what: 'report to finalised, p99', ours: `${figure(p99)} ms`, beside: `p50 ${figure(quantile(latencies, 0.5))} ms`, target: `< ${FINALISED_MS_MAX} ms ${p99 < FINALISED_MS_MAX ? 'met' : 'MISSED'}` };
}

/** A CSV file in, a CSV file out, beside reading and writing it with nothing in between. */
async function runTable(sidecar: Sidecar, directory: string, count: number): Promise<ReadingRow> {
  const csvPath = join(directory, 'in.csv');
  const rows = Array.from({ length: count }, (_, n) => `row ${n},"a question, and why?",${n}`);
  writeFileSync(csvPath, `name,question,number\n${rows.join('\n')}\n`);
  const bare = await millisecondsOf(() => pipeline(createReadStream(csvPath), parse({ columns: true }), stringify({ header: true }), createWriteStream(join(directory, 'bare.csv'))));
  const ours = await millisecondsOf(async () => {
    const job = await runJob(sidecar, { rows: { csvPath }, outputCsvPath: join(directory, 'out.csv'), concurrency: CONCURRENCY, worker: async () => 1 });
    await job.result;
  });
  return { what: `a table of ${whole(count)} rows, in and out`, ours: `${figure(ours / 1000)} s`, beside: `parsed and written only, ${figure(bare / 1000)} s: ${figure(ours / bare)} ×`, target: '–' };
}

async function millisecondsOf(body: () => Promise<unknown>): Promise<number> {
  collectGarbage();
  const beganMs = performance.now();
  await body();
  return performance.now() - beganMs;
}
