/** What each option changes. What is refused of them is in `bad-input.test.ts`. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openSidecar, type Sidecar } from 'lastword';
import { expect, test } from 'vitest';
import { mutantWriter } from '../support/mutants.js';
import { itemsOf, numbered, openTestSidecar, rejection, temporaryFolder, until, upTo } from '../support/sidecars.js';

const KIB = 1024;

/** A writer whose passes, those of a drain too, find nothing while the file is there. */
function gatedWriter(gate: string): URL {
  return mutantWriter({
    file: 'worker/writer.js', find: 'pass() {',
    replace: `pass() {
      if (process.getBuiltinModule('node:fs').existsSync(${JSON.stringify(gate)})) return 0;`,
  });
}

function syncsOf(sidecar: Sidecar): number {
  return sidecar.stats().latency.sync.count;
}

test('option durability: what flush and close wait for unless told otherwise', async () => {
  const sidecar = await openTestSidecar({ durability: 'synced' });
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  expect(await thread.flush()).toMatchObject({ durability: 'synced', nextOrdinal: 2 });
  expect(thread.synced).toBe(2);
  thread.append(numbered(1));
  expect(await thread.close()).toMatchObject({ durability: 'synced', nextOrdinal: 3 });
});

test('option syncIntervalMs: what is written is synced within it though nobody asks, and with 0 only on request', async () => {
  const [timed, asked] = [await openTestSidecar({ syncIntervalMs: 20 }), await openTestSidecar({ syncIntervalMs: 0 })];
  const [one, other] = [await timed.createThread(), await asked.createThread()];
  one.append(numbered(0));
  other.append(numbered(0));
  await until(() => one.synced === 2, 'the sync');
  await other.flush();
  expect(syncsOf(asked)).toBe(0);
  await other.flush({ durability: 'synced' });
  expect(syncsOf(asked)).toBe(1);
});

test('option unsyncedBytes: as many written bytes start a sync', async () => {
  const sidecar = await openTestSidecar({ syncIntervalMs: 0, unsyncedBytes: 64 * KIB });
  const thread = await sidecar.createThread();
  thread.append({ type: 'note', payload: 's'.repeat(32 * KIB) });
  await thread.flush();
  expect(syncsOf(sidecar)).toBe(0);
  for (let items = 0; items < 4; items += 1) thread.append({ type: 'note', payload: 's'.repeat(32 * KIB) });
  await until(() => thread.synced > 1, 'the sync');
});

test('option ringBytes: the size of the ring that stats() names', async () => {
  const sidecar = await openTestSidecar({ ringBytes: 128 * KIB });
  expect(sidecar.stats().bytes.ringCapacity).toBe(128 * KIB);
});

test('option overflowBytes: takes what finds the ring full, up to as many bytes; option whenFull: throw refuses the rest at once', async () => {
  const gate = join(temporaryFolder(), 'gate');
  const accepted: number[] = [];
  for (const overflowBytes of [64 * KIB, 512 * KIB]) {
    const sidecar = await openTestSidecar({
      ringBytes: 64 * KIB, overflowBytes, whenFull: 'throw', fullTimeoutMs: 3_600_000, writerUrl: gatedWriter(gate),
    });
    const thread = await sidecar.createThread();
    writeFileSync(gate, '');
    // What is taken before the writer stands still can only be more.
    const append = (): unknown => thread.append({ type: 'note', payload: 'f'.repeat(1_000) });
    expect(() => { for (let tries = 0; tries < 10_000; tries += 1) append(); }).toThrow(/LASTWORD_RING_FULL/);
    accepted.push(thread.accepted);
    rmSync(gate);
    const { items } = await thread.close();
    expect(await itemsOf(thread.path)).toHaveLength(items);
  }
  expect(accepted[1]).toBeGreaterThan((accepted[0] ?? 0) + 300);
});

test('option whenFull: throw is refused only while there is no room', async () => {
  const sidecar = await openTestSidecar({ ringBytes: 64 * KIB, overflowBytes: 64 * KIB, whenFull: 'throw' });
  const thread = await sidecar.createThread();
  let taken = 0;
  // Large items go through the overflow each time: what was written before takes no room from them.
  for (let round = 0; round < 20; round += 1) {
    thread.append({ type: 'note', payload: 'l'.repeat(40 * KIB) });
    taken += 1;
    await thread.flush();
    await sidecar.drained();
  }
  expect((await thread.close()).items).toBe(taken);
});

test('option openFilesMax: more threads than files, and nothing is lost', async () => {
  const sidecar = await openTestSidecar({ openFilesMax: 4 });
  const threads = await Promise.all(upTo(40).map(() => sidecar.createThread()));
  for (const round of upTo(5)) {
    for (const thread of threads) thread.append(numbered(round));
    await sidecar.flush();
    expect(sidecar.stats().files.open).toBeLessThanOrEqual(4);
  }
  expect(sidecar.stats().files.evicted).toBeGreaterThan(0);
  await sidecar.close();
  for (const { path } of threads) expect(await itemsOf(path)).toEqual(upTo(5).map(numbered));
});

test('option closeTimeoutMs: a close that is not acknowledged within it rejects, and goes through when called again', async () => {
  const gate = join(temporaryFolder(), 'gate');
  const sidecar = await openTestSidecar({ closeTimeoutMs: 1_000, writerUrl: gatedWriter(gate) });
  const thread = await sidecar.createThread();
  writeFileSync(gate, '');
  thread.append(numbered(0));
  expect(await rejection(thread.close())).toMatchObject({ code: expect.stringMatching(/^LASTWORD_(DRAIN_INCOMPLETE|TIMEOUT)$/) as string });
  expect(thread.state).toBe('closing');
  rmSync(gate);
  await until(() => thread.written === 2, 'the write');
  expect(await thread.close()).toMatchObject({ items: 1 });
});

test('option logger: its child is used, routine goes no higher than debug, and false is silence', async () => {
  const lines: { level: string; members: unknown }[] = [];
  const at = (level: string) => (members: unknown): void => { lines.push({ level, members }); };
  const own = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const bindings: unknown[] = [];
  const child = (members: unknown): typeof own => {
    bindings.push(members);
    return own;
  };
  const sidecar = await openTestSidecar({ logger: { ...own, child } });
  const thread = await sidecar.createThread();
  await thread.close();
  thread.append(numbered(0));
  expect(bindings).toHaveLength(1);
  expect(lines.map(({ level }) => level)).toContain('debug');
  expect(lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
});

test('option writerUrl: the entry of the writer is taken from there, and one that is not there is an error', async () => {
  const sidecar = await openTestSidecar({ writerUrl: mutantWriter() });
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  await thread.close();
  expect(await itemsOf(thread.path)).toEqual([numbered(0)]);

  const missing = join(temporaryFolder(), 'main.js');
  expect(existsSync(missing)).toBe(false);
  const opening = openSidecar({ directory: temporaryFolder(), logger: false, writerUrl: pathToFileURL(missing) });
  expect(await rejection(opening)).toMatchObject({ code: 'LASTWORD_WRITER_EXITED' });
});

test('option exitTimeoutMs: with 0 the end of the process is not listened to, otherwise until the sidecar is closed', async () => {
  const listeners = (): number => process.listenerCount('exit') + process.listenerCount('uncaughtExceptionMonitor');
  const before = listeners();
  const [off, on, another] = [
    await openTestSidecar({ exitTimeoutMs: 0 }), await openTestSidecar({ exitTimeoutMs: 100 }), await openTestSidecar(),
  ];
  expect(listeners()).toBe(before + 2);
  await Promise.all([on.close(), another.close()]);
  expect(listeners()).toBe(before);
  await off.close();
});

test('option signals: they are listened to until the sidecar is closed', async () => {
  const before = process.listenerCount('SIGUSR2');
  const [one, other] = [await openTestSidecar({ signals: ['SIGUSR2'] }), await openTestSidecar({ signals: ['SIGUSR2', 'SIGUSR2'] })];
  expect(process.listenerCount('SIGUSR2')).toBe(before + 1);
  await one.close();
  expect(process.listenerCount('SIGUSR2')).toBe(before + 1);
  await other.close();
  expect(process.listenerCount('SIGUSR2')).toBe(before);
});
