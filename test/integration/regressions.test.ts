import { unlinkSync } from 'node:fs';
import type { RolloutItem } from 'lastword';
import { expect, onTestFinished, test } from 'vitest';
import { mutantWriter, withheldAnswer } from '../support/mutants.js';
import { itemsOf, numbered, openTestSidecar, rejection, thrown, until } from '../support/sidecars.js';

test('an appendAll from inside an item leaves the item as it is', async () => {
  const sidecar = await openTestSidecar();
  const [outer, inner] = [await sidecar.createThread(), await sidecar.createThread()];
  outer.append({ type: 'x', a: 'A'.repeat(300), get b() { inner.appendAll([numbered(0), numbered(1)]); return 'B'; }, c: 'C'.repeat(300) });
  outer.append(numbered(2));
  await sidecar.close();
  expect(await itemsOf(outer.path)).toEqual([{ type: 'x', a: 'A'.repeat(300), b: 'B', c: 'C'.repeat(300) }, numbered(2)]);
  expect(await itemsOf(inner.path)).toEqual([numbered(0), numbered(1)]);
});

const NO_RECORDS: Record<string, () => object> = {
  'an Error': () => Object.assign(new Error('m'), { type: 'x' }),
  'a Set': () => Object.assign(new Set([1]), { type: 'x' }),
  'a Map': () => Object.assign(new Map([['a', 1]]), { type: 'x' }),
  'bytes': () => Object.assign(new Uint8Array(3), { type: 'x' }),
  'a boxed string': () => Object.assign(Object('text') as object, { type: 'x' }),
  'a boxed symbol': () => Object.assign(Object(Symbol('s')) as object, { type: 'x' }),
  'an object that inherits its type': () => Object.create({ type: 'x' }) as object,
  'a proxy that makes up its type': () => new Proxy({ payload: 1 }, { get: (target, member) => (member === 'type' ? 'x' : Reflect.get(target, member) as unknown) }),
  'nothing (a hole)': () => undefined as unknown as object,
};

for (const [name, make] of Object.entries(NO_RECORDS)) {
  test(`${name} is refused as an item, and the thread goes on`, async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    expect(thrown(() => thread.append(make() as RolloutItem))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
    expect(thrown(() => thread.appendAll([numbered(0), make() as RolloutItem]))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
    thread.append(numbered(0));
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual([numbered(0)]);
  });
}

test('a list with a hole is refused with a code', async () => {
  const sidecar = await openTestSidecar();
  const thread = await sidecar.createThread();
  expect(thrown(() => thread.appendAll([numbered(0), , numbered(1)] as RolloutItem[]))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
  expect(thread.accepted).toBe(1);
});

test('records before and behind one that cannot be transcoded are written', async () => {
  const writerUrl = mutantWriter({
    file: 'worker/transcode/transcoder.js', find: 'this.#lineBytes = 0;', replace: 'this.#lineBytes = 0;\n        if (ordinal === 3) throw notMsgpack();',
  });
  const sidecar = await openTestSidecar({ writerUrl });
  const thread = await sidecar.createThread();
  thread.appendAll([numbered(0), numbered(1), numbered(2)]);
  thread.append(numbered(3));
  expect((await thread.close()).items).toBe(4);
  expect(await itemsOf(thread.path)).toMatchObject([numbered(0), numbered(1), { payload: { type: 'record_set_aside' } }, numbered(3)]);
});

test('a flush of all threads with a durability that is none rejects once', async () => {
  const unhandled: unknown[] = [];
  const listener = (error: unknown): void => { unhandled.push(error); };
  process.on('unhandledRejection', listener);
  onTestFinished(() => { process.off('unhandledRejection', listener); });
  const sidecar = await openTestSidecar();
  await sidecar.createThread();
  expect(await rejection(sidecar.flush({ durability: 'safe' as 'synced' }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
  // Unhandled rejections are told when the microtasks are done.
  await new Promise((resolve) => { setImmediate(resolve); });
  expect(unhandled).toEqual([]);
});

test('a thread has no handle before the writer takes its items', async () => {
  const sidecar = await openTestSidecar();
  const id = '01936c1e-7b2a-7000-8000-000000000001';
  const creating = sidecar.createThread({ id });
  expect(sidecar.liveThread(id)).toBeUndefined();
  expect(await rejection(sidecar.createThread({ id }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
  const thread = await creating;
  expect(sidecar.liveThread(id)).toBe(thread);
});

test('the header of a thread made while the writer sleeps is synced within the interval', async () => {
  const sidecar = await openTestSidecar({ syncIntervalMs: 50 });
  await until(() => sidecar.stats().signals.parks > 0, 'the writer sleeps');
  const thread = await sidecar.createThread();
  await until(() => thread.synced === 1, 'the sync of the header');
});

test('deleting the rollout of a closed thread is no failure', async () => {
  const logged: unknown[] = [];
  const log = (entry: unknown): void => { logged.push(entry); };
  const logger = { debug: () => undefined, info: () => undefined, warn: log, error: log } as never;
  const sidecar = await openTestSidecar({ syncIntervalMs: 100, logger });
  const thread = await sidecar.createThread();
  await thread.close();
  unlinkSync(thread.path);
  await until(() => sidecar.stats().bytes.unsynced === 0, 'the sync of what was left');
  expect(logged).toEqual([]);
});

test('a rollout that was deleted while it was open is made again, and no other is touched', async () => {
  const sidecar = await openTestSidecar();
  const [thread, other] = [await sidecar.createThread(), await sidecar.createThread()];
  unlinkSync(thread.path);
  thread.append(numbered(0));
  other.append(numbered(0));
  await thread.flush();
  await other.close();
  expect([await itemsOf(thread.path), await itemsOf(other.path)]).toEqual([[numbered(0)], [numbered(0)]]);
});

test('a close that timed out while the file was let go of can be called again', async () => {
  const sidecar = await openTestSidecar({ writerUrl: withheldAnswer('releaseThread') });
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  expect(await rejection(thread.close({ timeoutMs: 200 }))).toMatchObject({ code: 'LASTWORD_TIMEOUT' });
  expect(await thread.close()).toMatchObject({ items: 1, nextOrdinal: 2 });
  await sidecar.close();
});

test('a flush that comes when the file was let go of ends with the receipt of the close', async () => {
  const sidecar = await openTestSidecar({ writerUrl: withheldAnswer('releaseThread') });
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  expect(await rejection(thread.close({ timeoutMs: 200 }))).toMatchObject({ code: 'LASTWORD_TIMEOUT' });
  const flushed = thread.flush({ durability: 'synced', timeoutMs: 5_000 });
  const receipt = await thread.close();
  expect(await flushed).toBe(receipt);
});

test('a creation that timed out leaves no file open, and its slot only when the writer let go of it', async () => {
  const sidecar = await openTestSidecar({ closeTimeoutMs: 300, writerUrl: withheldAnswer('createThread') });
  expect(await rejection(sidecar.createThread())).toMatchObject({ code: 'LASTWORD_TIMEOUT' });
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  expect(await thread.flush({ durability: 'synced' })).toMatchObject({ nextOrdinal: 2 });
  await thread.close();
  expect(sidecar.stats().files.open).toBe(0);
});
