/**
 * How much work a thing is: system calls, bytes written and copied, memory. Times differ from machine to machine, these do not; what
 * makes them grow is found here, and not in a benchmark that a noisy machine hides it from.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CountedEngine, type Work } from '../support/counted-engine.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { numbered, temporaryFolder, upTo } from '../support/sidecars.js';

const ITEMS = 1_000;
const THREADS = 10;
/** What the writer has room for between two write() calls. */
const OUTPUT_BYTES = 4 << 20;
const FOLDERS = ['', 'sessions', '2026', '01', '01'].length;

const sumOf = ({ calls }: Work): number => Object.values(calls).reduce((sum, count) => sum + count, 0);

/** A pass over items of some threads, one after the other. */
async function passOver(threads: number, item: (index: number) => object, ...patches: readonly Patch[]): Promise<Work> {
  const { engine, opened } = await CountedEngine.create(threads, ...patches);
  for (const index of upTo(ITEMS)) engine.append(opened[index % threads] ?? { slot: 0, incarnation: 0 }, item(index));
  return engine.pass();
}

describe('a pass of the writer', () => {
  test('over 1,000 items of one thread is one look and one write, and copies each byte once, to hold it', async () => {
    const { calls, bytesWritten, bytesCopied } = await passOver(1, numbered);
    expect(calls).toEqual({ identify: 1, write: 1 });
    expect(bytesCopied).toBe(bytesWritten);
  });

  test('over items of ten threads in turn is one look and one write for each thread', async () => {
    const { calls, bytesWritten, bytesCopied } = await passOver(THREADS, numbered);
    expect(calls).toEqual({ identify: THREADS, write: THREADS });
    expect(bytesCopied).toBe(bytesWritten);
  });

  test('over items of 8 kB is no more than a write for each thread and each 4 MiB', async () => {
    const { calls, bytesWritten } = await passOver(THREADS, (index) => ({ type: 'event_msg', payload: { index, text: 'x'.repeat(8_000) } }));
    expect(bytesWritten).toBeGreaterThan(ITEMS * 8_000);
    expect(calls['write']).toBeLessThanOrEqual(THREADS + Math.ceil(bytesWritten / OUTPUT_BYTES));
    expect(calls['identify']).toBe(THREADS);
  });

  test('over nothing is nothing', async () => {
    const { engine } = await CountedEngine.create(THREADS);
    expect(sumOf(engine.pass())).toBe(0);
  });

  test.each<[string, Patch]>([
    ['a writer that writes line by line', { file: 'worker/writer.js', find: 'output.line(groups', replace: 'output.write(); output.line(groups' }],
    ['a writer that copies what it holds twice', { file: 'worker/rollout-file.js', find: 'this.held.add(', replace: 'bytes.slice(offset, offset + length);\n        this.held.add(' }],
  ])('the control: %s', async (_what, patch) => {
    const { calls, bytesWritten, bytesCopied } = await passOver(1, numbered, patch);
    expect(calls['write'] === 1 && bytesCopied === bytesWritten).toBe(false);
  });
});

describe('a producer that floods its ring', () => {
  /** More than one batch takes. */
  const FLOOD = 40_000;
  const BATCH_FRAMES_MAX = 16_384;

  /** What one pass writes of the flood, and of the one item of another producer behind it. */
  async function passBeside(...patches: readonly Patch[]): Promise<{ flood: number; other: number }> {
    const { engine, opened: [flooded, quiet] } = await CountedEngine.create(2, ...patches);
    if (flooded === undefined || quiet === undefined) throw new Error('two threads were wanted');
    const other = await engine.addProducer();
    for (const index of upTo(FLOOD)) engine.append(flooded, numbered(index));
    engine.append(quiet, numbered(0), other);
    engine.pass();
    return { flood: engine.written(flooded), other: engine.written(quiet) };
  }

  test('keeps an item of another one waiting for one batch, of 16,384 frames', async () => {
    expect(await passBeside()).toEqual({ flood: BATCH_FRAMES_MAX, other: 1 });
  });

  test('the control: a writer whose batch is the whole ring', async () => {
    const patch = { file: 'worker/writer.js', find: 'const PASS_FRAMES_MAX = 16_384;', replace: 'const PASS_FRAMES_MAX = 1 << 20;' };
    expect(await passBeside(patch)).toEqual({ flood: FLOOD, other: 1 });
  });
});

describe('a sync', () => {
  test('of ten threads that are dirty is one of each file and, where names are new, of each folder; each is found in its place, and they are confirmed together', async () => {
    const { engine, opened } = await CountedEngine.create(THREADS);
    const each = async (): Promise<Readonly<Record<string, number>>> => {
      for (const thread of opened) engine.append(thread, numbered(0));
      engine.pass();
      return (await engine.sync(opened)).calls;
    };
    const calls = { syncFile: THREADS, identifyPath: THREADS };
    // The folder above the root has the root's name.
    for (const folders of [{ syncDirectory: FOLDERS + 1 }, {}]) {
      const { confirmSyncs = 0, ...others } = await each();
      expect(others).toEqual({ ...calls, ...folders });
      // As many as it takes milliseconds, at most.
      expect(confirmSyncs).toBeGreaterThan(0);
      expect(confirmSyncs).toBeLessThanOrEqual(THREADS);
    }
  });

  test('of what is synced already is nothing', async () => {
    const { engine, opened } = await CountedEngine.create(THREADS);
    for (const thread of opened) engine.append(thread, numbered(0));
    engine.pass();
    await engine.sync(opened);
    expect(sumOf(await engine.sync(opened))).toBe(0);
  });
});

describe('a flush', () => {
  const RESOURCES = new URL('../support/resources/', import.meta.url);
  const COUNTS = new URL('count-signals.mjs', RESOURCES).href;
  const FIRST_IMPORT = "import { parentPort, workerData } from 'node:worker_threads';";
  const COUNTING: Patch = { file: 'worker/main.js', find: FIRST_IMPORT, replace: `import '${COUNTS}';\n${FIRST_IMPORT}` };
  const FLUSHES = 100;

  interface Signals { readonly messages: number; readonly notifies: number }

  /** Of 100 flushes: of nothing, of an item of one thread, of an item of each of ten, to written and to synced. */
  async function signalsOf(...patches: readonly Patch[]): Promise<Record<'nothing' | 'written' | 'allWritten' | 'synced' | 'allSynced', { main: Signals; writer: Signals }>> {
    const { lastwordUrl } = mutantPackage(COUNTING, ...patches);
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', COUNTS, fileURLToPath(new URL('flush-signals.mjs', RESOURCES)), lastwordUrl, temporaryFolder()]);
    return JSON.parse(stdout) as Awaited<ReturnType<typeof signalsOf>>;
  }

  test('sends no message, and wakes the writer once and the host once for each level, of however many threads it is', async () => {
    const signals = await signalsOf();
    expect(Object.values(signals).map(({ main }) => main)).toEqual(Object.values(signals).map(() => ({ messages: 0, notifies: FLUSHES })));
    const { nothing, written, synced, allWritten, allSynced } = signals;
    expect([nothing, written, synced].map(({ writer }) => writer)).toEqual([0, 1, 2].map((notifies) => ({ messages: 0, notifies: notifies * FLUSHES })));
    // Items that come while it writes make a pass of their own, as many as there are threads at most; so do syncs that end one by one.
    expect(allWritten.writer.notifies).toBeLessThanOrEqual(FLUSHES * THREADS);
    expect(allSynced.writer.notifies).toBeLessThanOrEqual(2 * FLUSHES * THREADS);
    expect(allWritten.writer.messages + allSynced.writer.messages).toBe(0);
  });

  test.each<[string, Patch]>([
    ['wakes the writer for each thread', { file: 'src/lifecycle/flush.js', find: 'thread.beginFlush(checked.durability, false)', replace: 'thread.beginFlush(checked.durability, true)' }],
    ['tells the host by a message', { file: 'worker/writer.js', find: 'if (!ring.isStalled)\n            release(consumer, batch);', replace: "if (!ring.isStalled)\n            release(consumer, batch);\n        process.getBuiltinModule('node:worker_threads').parentPort.postMessage({ event: 'ready' });" }],
  ])('the control: a library that %s', async (_what, patch) => {
    const { allWritten: { main, writer } } = await signalsOf(patch);
    expect(main.notifies > FLUSHES || writer.messages > 0).toBe(true);
  });
});

describe('a million appends', () => {
  const PROGRAM = fileURLToPath(new URL('../support/resources/heap-growth.mjs', import.meta.url));
  const LIBRARY = new URL('../../dist/src/index.js', import.meta.url).href;
  /** Of the heap at rest, which the engine's own code makes larger and smaller. */
  const GROWN_BYTES_MAX = 512 << 10;
  const BYTES_PER_APPEND_MAX = 160;

  async function growthOf(library: string): Promise<{ grownBytes: number; bytesPerAppend: number }> {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--max-semi-space-size=64', PROGRAM, library, temporaryFolder()]);
    return JSON.parse(stdout) as { grownBytes: number; bytesPerAppend: number };
  }

  test('leave nothing in the heap, and each allocates at most 160 bytes', async () => {
    const { grownBytes, bytesPerAppend } = await growthOf(LIBRARY);
    console.log(`${grownBytes} bytes left, ${bytesPerAppend} for each append`);
    expect(grownBytes).toBeLessThan(GROWN_BYTES_MAX);
    expect(bytesPerAppend).toBeLessThanOrEqual(BYTES_PER_APPEND_MAX);
  });

  test('the control: a library that keeps a number for each', async () => {
    const { lastwordUrl } = mutantPackage({
      file: 'src/producer/item-producer.js', find: 'append(slot, incarnation, item) {', replace: 'append(slot, incarnation, item) {\n        (globalThis.kept ??= []).push(slot);',
    });
    expect((await growthOf(lastwordUrl)).grownBytes).toBeGreaterThan(GROWN_BYTES_MAX);
  });
});
