/** A producer that ends at the worst moment: its item is accepted, and not published. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { verifyRollouts, type Sidecar, type ThreadCloseReceipt } from 'lastword';
import { describe, expect, test } from 'vitest';
import { mutantPackage, mutantWriter, type Patch } from '../support/mutants.js';
import { STOPS } from '../support/producers/stress.js';
import { HostWorker } from '../support/producers/workers.js';
import { itemsOf, numbered, oneDeath, openTestSidecar, rejection, temporaryFolder, upTo } from '../support/sidecars.js';
import { within } from '../support/steps.js';

/** A writer that believes the tail. */
const BLIND: Patch = { file: 'src/ring/ring-consumer.js', find: 'if (sealed.length === 0)', replace: 'if (sealed.length >= 0)' };

/** What is appended, one call after the other; the last one is not published. */
type Appended = 'append' | 'appendAll' | 'after an overflow';

async function stopped(sidecar: Sidecar, appended: Appended): Promise<{ worker: HostWorker; path: string; items: number }> {
  const worker = await HostWorker.start(mutantPackage(STOPS).lastwordUrl);
  await worker.attach(sidecar.createProducerPort());
  const path = await worker.tell(async (state) => {
    const thread = await state.producer.createThread();
    state.threads.push(thread);
    return thread.path;
  });
  const word = new Int32Array(new SharedArrayBuffer(4));
  void worker.told(({ threads: [thread] }, given) => {
    const item = (index: number): { type: string; payload: object } => ({ type: 'event_msg', payload: { index, text: `item ${index}` } });
    const calls = given.appended === 'appendAll' ? 2 : 11;
    (globalThis as { stopsAt?: object }).stopsAt = { left: calls, word: given.word };
    for (let call = 0; call < calls; call += 1) {
      if (given.appended === 'appendAll') thread?.appendAll(Array.from({ length: 5 }, (_, index) => item(call * 5 + index)));
      else if (given.appended === 'after an overflow' && call === 5) thread?.append({ type: 'event_msg', payload: { index: call, text: 'x'.repeat(40_000) } });
      else thread?.append(item(call));
    }
  }, { appended, word });
  const arrived = Atomics.waitAsync(word, 0, 0);
  await within(Promise.resolve(arrived.value), 'the stop between exchange and publish');
  return { worker, path, items: appended === 'appendAll' ? 10 : 11 };
}

const expected = (appended: Appended, count: number): object[] => upTo(count).map((index) =>
  (appended === 'after an overflow' && index === 5 ? { type: 'event_msg', payload: { index, text: 'x'.repeat(40_000) } } : numbered(index)));

function forcedClose(sidecar: Sidecar): Promise<ThreadCloseReceipt> {
  return within(new Promise((resolve) => { sidecar.once('threadClosed', resolve); }), 'the close by force');
}

describe('what is accepted and not published', () => {
  const options = { ringBytes: 64 * 1024 };
  const all: readonly Appended[] = ['append', 'appendAll', 'after an overflow'];

  test.each(all)('is recovered when its producer is terminated there: %s', async (appended) => {
    const sidecar = await openTestSidecar(options);
    const { worker, path, items } = await stopped(sidecar, appended);
    const closed = forcedClose(sidecar);
    await worker.worker.terminate();
    expect(await closed).toMatchObject({ items, forced: true, heldBy: ['producer'] });
    expect(await itemsOf(path)).toEqual(expected(appended, items));
  });

  test.each(all)('is written when its thread is closed while the producer stands there: %s', async (appended) => {
    const sidecar = await openTestSidecar(options);
    const { path, items } = await stopped(sidecar, appended);
    const [live] = [...sidecar.liveThreads()];
    expect(await live?.close()).toMatchObject({ items });
    expect(await itemsOf(path)).toEqual(expected(appended, items));
    // The one that stands there has not let go: another thread does not get its slot.
    const other = await sidecar.createThread();
    other.append(numbered(0));
    expect((await other.close()).items).toBe(1);
  });

  test('the control: a writer that believes the published tail loses it, and the close says so', async () => {
    const sidecar = await openTestSidecar({ ...options, writerUrl: mutantWriter(BLIND) });
    const { worker } = await stopped(sidecar, 'append');
    const [live] = [...sidecar.liveThreads()];
    await worker.worker.terminate();
    expect(await rejection(live?.close() ?? Promise.resolve())).toMatchObject({ code: 'LASTWORD_DRAIN_INCOMPLETE', context: { unwritten: [{ from: 11, to: 11 }] } });
    expect(await live?.close({ abandon: true })).toMatchObject({ items: 11, nextOrdinal: 11, salvage: expect.any(String) });
  });

  test('is written by the last drain of a process that exits meanwhile', async () => {
    const folder = temporaryFolder();
    const { lastwordUrl } = mutantPackage(STOPS);
    const host = fileURLToPath(new URL('../support/producers/exiting-host.mjs', import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [host, folder, lastwordUrl], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 7, stderr: '' });
    const [path = ''] = stdout.trim().split('\n');
    expect(await itemsOf(path)).toEqual(upTo(5).map(numbered));
    expect((await verifyRollouts(folder)).map(({ end, damage }) => ({ end, damage }))).toEqual([{ end: 'clean', damage: [] }]);
  });
});

describe('a writer that dies', () => {
  test('is replaced by one that takes the items of every producer, and writes none of them twice', async () => {
    const sidecar = await openTestSidecar({ writerUrl: oneDeath() });
    const workers = [await HostWorker.attached(sidecar), await HostWorker.attached(sidecar)];
    const restarted = within(new Promise((resolve) => { sidecar.once('writerRestarted', resolve); }), 'the successor');
    const paths = await Promise.all(workers.map((worker, which) => worker.tell(async ({ producer }, isBreaking) => {
      const thread = await producer.createThread();
      for (let index = 0; index < 300; index += 1) {
        thread.append({ type: 'event_msg', payload: { index, text: `item ${index}` } });
        if (index === 150 && isBreaking) thread.append({ type: 'BREAK' });
        if (index % 50 === 0) await new Promise((resolve) => { setImmediate(resolve); });
      }
      await thread.flush();
      await thread.close();
      return thread.path;
    }, which === 0)));
    await restarted;
    const [broken = [], whole] = await Promise.all(paths.map((path) => itemsOf(path)));
    expect(whole).toEqual(upTo(300).map(numbered));
    expect(broken.filter((item) => (item as { type: string }).type !== 'BREAK')).toEqual(upTo(300).map(numbered));
  });
});

describe('producers that come and go', () => {
  const CYCLES = Number(process.env['LASTWORD_PRODUCER_CYCLES'] ?? 100);
  const ENDS = Number(process.env['LASTWORD_PRODUCER_ENDS'] ?? 10);

  test(`leave nothing behind: ${CYCLES} attached and closed in one worker, ${ENDS} ended with theirs`, async () => {
    const sidecar = await openTestSidecar({ ringBytes: 64 * 1024, overflowBytes: 64 * 1024 });
    const worker = await HostWorker.start();
    const cycle = async (): Promise<void> => {
      await worker.attach(sidecar.createProducerPort());
      await worker.tell(async ({ producer }) => {
        const thread = await producer.createThread();
        thread.append({ type: 'event_msg', payload: { a: 1, b: 2 } });
        thread.append({ type: 'event_msg', payload: { a: 1, b: 2 } });
        await producer.close();
      });
    };
    const end = async (): Promise<void> => {
      const ending = await HostWorker.attached(sidecar);
      await ending.tell(async ({ producer }) => { (await producer.createThread()).append({ type: 'event_msg' }); });
      const closed = forcedClose(sidecar);
      await ending.worker.terminate();
      await closed;
    };
    const resources = (): { descriptors: number; ports: number } => ({
      descriptors: readdirSync('/proc/self/fd').length,
      ports: process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length,
    });
    for (let index = 0; index < 5; index += 1) await cycle();
    await end();
    const before = resources();
    for (let index = 0; index < CYCLES; index += 1) await cycle();
    for (let index = 0; index < ENDS; index += 1) await end();
    // What each leaves would add up; one more or less is on its way to be closed.
    const after = resources();
    expect(after.descriptors - before.descriptors).toBeLessThan(5);
    expect(after.ports - before.ports).toBeLessThan(5);
    expect(sidecar.stats()).toMatchObject({ threads: { open: 0, closing: 0, closed: 6 + CYCLES + ENDS }, items: { accepted: 11 + 2 * CYCLES + ENDS, written: 11 + 2 * CYCLES + ENDS } });
    const records = (await verifyRollouts(sidecar.directory)).map(({ damage, end: fileEnd }) => ({ damage, fileEnd }));
    expect(records.filter(({ damage, fileEnd }) => damage.length > 0 || fileEnd !== 'clean')).toEqual([]);
  });
});
