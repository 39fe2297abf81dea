/** What one thread does to the others: the bound that docs/reliability.md states, and nothing lost on a slow disk. */
import { join } from 'node:path';
import type { Thread } from 'lastword';
import { expect, test } from 'vitest';
import { lackOf, SlowDisk } from '../support/crash/disks.js';
import { mutantWriter } from '../support/mutants.js';
import { numbered, openTestSidecar, recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

const LARGE_BYTES = 60 << 20;
const ROUNDS = 10;
/** Of an item of another thread to be written, while one of 60 MiB is. As docs/reliability.md says it. */
const LATENCY_MAX_MS = 5_000;
const FLUSH_MS = 60_000;

/** How long it takes until an item is written, at the 99th percentile and at most, while `act` runs. */
async function latenciesDuring(thread: Thread, act: () => Promise<unknown>): Promise<number[]> {
  let isOver = false;
  const acting = act().finally(() => { isOver = true; });
  const latencies: number[] = [];
  while (!isOver) {
    const start = performance.now();
    thread.append(numbered(latencies.length));
    await thread.flush({ timeoutMs: FLUSH_MS });
    latencies.push(performance.now() - start);
  }
  await acting;
  return latencies;
}

/** Rounds in which one thread writes a large item and another one small ones. */
async function latenciesBesideLarge(rounds: number, writerUrl?: URL): Promise<number[]> {
  const sidecar = await openTestSidecar({ overflowBytes: 128 << 20, itemBytesMax: 64 << 20, ...writerUrl === undefined ? {} : { writerUrl } });
  const [large, small] = [await sidecar.createThread(), await sidecar.createThread()];
  const item = { type: 'event_msg', payload: { text: 'x'.repeat(LARGE_BYTES) } };
  const latencies: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    latencies.push(...await latenciesDuring(small, async () => { large.append(item); await large.flush({ timeoutMs: FLUSH_MS }); }));
  }
  await sidecar.close({ timeoutMs: FLUSH_MS });
  expect((await recordsOf(large.path)).length).toBe(rounds + 1);
  expect((await recordsOf(small.path)).length).toBe(latencies.length + 1);
  return latencies.sort((one, other) => one - other);
}

const p99 = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.99)] ?? 0;

test('P16: beside an item of 60 MiB, the items of another thread are written within the stated time', async ({ task }) => {
  const latencies = await latenciesBesideLarge(ROUNDS);
  counted(task, latencies.length);
  console.log(`beside a large item: p99 ${p99(latencies).toFixed(1)} ms, most ${(latencies.at(-1) ?? 0).toFixed(1)} ms, of ${latencies.length}`);
  expect(p99(latencies)).toBeLessThan(LATENCY_MAX_MS);
});

test('P16, the control: a writer that takes a second for each large write', async () => {
  const writerUrl = mutantWriter({
    file: 'worker/fs-ops.js', find: 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),',
    replace: 'write: (descriptor, bytes, offset, length) => { if (length > 1 << 20) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000); return fs.writeSync(descriptor, bytes, offset, length); },',
  });
  const latencies = await latenciesBesideLarge(1, writerUrl);
  expect(latencies.at(-1)).toBeGreaterThan(LATENCY_MAX_MS);
});

test('P11 P16: a disk of which each write takes 100 ms, and a ring that is full: nothing is lost, nothing is written over, memory stays', async (context) => {
  const lack = lackOf({ hasFuse: true });
  if (lack !== undefined) context.skip(lack);
  const disk = new SlowDisk(temporaryFolder());
  await disk.mount();
  const sidecar = await openTestSidecar({ directory: join(disk.folder, 'root'), ringBytes: 64 * 1024, overflowBytes: 256 * 1024, itemBytesMax: 64 * 1024, fullTimeoutMs: 60_000, closeTimeoutMs: 120_000 });
  const threads = await Promise.all(upTo(4).map(() => sidecar.createThread()));
  disk.set({ write: 'sleep:0.1' });
  const before = process.memoryUsage().rss;
  const items = 4_000;
  counted(context.task, items);
  for (const index of upTo(items)) threads[index % threads.length]?.append({ type: 'event_msg', payload: { index, text: 'w'.repeat(500) } });
  await sidecar.close();
  for (const [which, thread] of threads.entries()) {
    const indexes = (await recordsOf(thread.path)).slice(1).map(({ payload }) => (payload as { index: number }).index);
    expect(indexes).toEqual(upTo(items / 4).map((index) => index * 4 + which));
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
});
