import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LATE, LastwordError, openSidecar } from 'lastword';
import { describe, expect, test } from 'vitest';
import { itemsOf, linesOf, numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, thrown, until, upTo } from '../support/sidecars.js';

describe('openSidecar', () => {
  test('makes the directory, with nobody else let in', async () => {
    const directory = join(temporaryFolder(), 'a', 'b');
    const sidecar = await openTestSidecar({ directory });
    expect(sidecar.directory).toBe(directory);
    expect(sidecar.state).toBe('open');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test('two sidecars of one process do not see each other', async () => {
    const [one, other] = [await openTestSidecar(), await openTestSidecar()];
    const thread = await one.createThread();
    thread.append(numbered(1));
    expect(other.liveThread(thread.id)).toBeUndefined();
    expect([...other.liveThreads()]).toEqual([]);
    await one.close();
    expect(other.state).toBe('open');
    expect((await other.createThread()).append(numbered(1))).toBe(1);
  });

  test('a sidecar and its threads are closed when their scope ends', async () => {
    const directory = temporaryFolder();
    let path = '';
    {
      await using sidecar = await openSidecar({ directory, logger: false });
      await using thread = await sidecar.createThread();
      path = thread.path;
      thread.append(numbered(0));
    }
    expect(await itemsOf(path)).toEqual([numbered(0)]);
  });
});

describe('createThread', () => {
  test('publishes a header that any reader finds at once', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread({ meta: { cwd: '/work', title: 'héllo \u2028', nested: { a: [1, undefined, null] } } });
    const [header, ...rest] = await recordsOf(thread.path);
    expect(rest).toEqual([]);
    expect(header).toEqual({
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string, ordinal: 0, type: 'session_meta',
      payload: {
        id: thread.id, timestamp: header?.timestamp, cwd: '/work', title: 'héllo \u2028', nested: { a: [1, null, null] }, history_mode: 'paginated',
      },
    });
    expect(thread).toMatchObject({ origin: 'created', state: 'open', accepted: 1, written: 1, synced: 0 });
    expect(thread.path.startsWith(join(sidecar.directory, 'sessions'))).toBe(true);
    expect(thread.path.endsWith(`-${thread.id}.jsonl`)).toBe(true);
    expect(statSync(thread.path).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(thread.path)).mode & 0o777).toBe(0o700);
  });

  test('option id: takes one of version 7 and refuses it a second time, open or stored', async () => {
    const sidecar = await openTestSidecar();
    const id = '01a1fc00-3acb-72e1-9fe5-382b9a8a8e0b';
    const thread = await sidecar.createThread({ id });
    expect(thread.id).toBe(id);
    expect(thread.path).toContain('/2026/11/21/rollout-2026-11-21T02-47-15-');
    expect(await rejection(sidecar.createThread({ id }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS', context: { threadId: id } });
    await thread.close();
    expect(await rejection(sidecar.createThread({ id }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS', context: { threadId: id } });
    expect(linesOf(thread.path)).toHaveLength(1);
    expect([...sidecar.liveThreads()]).toEqual([]);
  });

  test('two creations of one id at the same time: one thread, one refusal', async () => {
    const sidecar = await openTestSidecar();
    const id = '01a1fc00-3acb-72e1-9fe5-382b9a8a8e0c';
    const outcomes = await Promise.allSettled([sidecar.createThread({ id }), sidecar.createThread({ id })]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('after the sidecar was closed: LASTWORD_NOT_OPEN', async () => {
    const sidecar = await openTestSidecar();
    await sidecar.close();
    expect(await rejection(sidecar.createThread())).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
  });

  test('option meta: a header of 3 MB goes through', async () => {
    const sidecar = await openTestSidecar();
    const text = 'instructions "quoted"\n'.repeat(150_000);
    const thread = await sidecar.createThread({ meta: { base_instructions: { text } } });
    thread.append(numbered(0));
    await thread.close();
    expect((await recordsOf(thread.path))[0]?.payload).toMatchObject({ base_instructions: { text } });
  });
});

describe('liveThread', () => {
  test('is the handle while the thread is open, and undefined before and after', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    expect(sidecar.liveThread(thread.id)).toBe(thread);
    expect(sidecar.liveThread('no id at all')).toBeUndefined();
    const closing = thread.close();
    expect(sidecar.liveThread(thread.id)).toBe(thread);
    expect(thread.state).toBe('closing');
    await closing;
    expect(sidecar.liveThread(thread.id)).toBeUndefined();
    expect(thread.state).toBe('closed');
  });
});

describe('liveThreads', () => {
  test('lists open and closing threads', async () => {
    const sidecar = await openTestSidecar();
    const threads = await Promise.all(upTo(3).map(() => sidecar.createThread()));
    expect(new Set([...sidecar.liveThreads()].map(({ id }) => id))).toEqual(new Set(threads.map(({ id }) => id)));
    await threads[0]?.close();
    expect([...sidecar.liveThreads()]).toHaveLength(2);
  });
});

describe('append', () => {
  test('answers with contiguous ordinals at once, and the file holds the items in their order', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    expect(upTo(1000).map((index) => thread.append(numbered(index)))).toEqual(upTo(1000).map((index) => index + 1));
    expect(thread.accepted).toBe(1001);
    await thread.close();
    const records = await recordsOf(thread.path);
    expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(1001));
    expect(await itemsOf(thread.path)).toEqual(upTo(1000).map(numbered));
  });

  test('after close it answers LATE and counts', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    const closing = thread.close();
    expect(thread.append(numbered(1))).toBe(LATE);
    const receipt = await closing;
    expect(receipt).toMatchObject({ items: 1, late: 1, nextOrdinal: 2, forced: false, heldBy: [] });
    expect(thread.append(numbered(2))).toBe(LATE);
    expect(sidecar.stats().items).toMatchObject({ accepted: 1, late: 2 });
    expect(await itemsOf(thread.path)).toEqual([numbered(0)]);
  });

  test('an item larger than a quarter of the ring keeps its place in the order', async () => {
    const sidecar = await openTestSidecar({ ringBytes: 64 * 1024 });
    const thread = await sidecar.createThread();
    const items = upTo(60).map((index) => ({ type: 'note', payload: { index, text: 'x'.repeat(index % 7 === 0 ? 100_000 : 50) } }));
    for (const item of items) thread.append(item);
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual(items);
  });
});

describe('appendAll', () => {
  test('takes all, contiguous, and returns the first ordinal', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    expect(thread.append(numbered(0))).toBe(1);
    expect(thread.appendAll(upTo(50).map((index) => numbered(index + 1)))).toBe(2);
    expect(thread.appendAll([])).toBe(52);
    expect(thread.append(numbered(51))).toBe(52);
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual(upTo(52).map(numbered));
  });

  test('takes none when one of them is invalid', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const bad = { type: 'note', payload: Symbol('no JSON') };
    expect(thrown(() => thread.appendAll([numbered(0), bad, numbered(1)]))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
    expect(thread.accepted).toBe(1);
    expect(thread.appendAll([numbered(7)])).toBe(1);
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual([numbered(7)]);
  });

  test('a group larger than the ring goes through whole', async () => {
    const sidecar = await openTestSidecar({ ringBytes: 64 * 1024 });
    const thread = await sidecar.createThread();
    const items = upTo(2000).map((index) => ({ type: 'note', payload: { index, text: 'y'.repeat(200) } }));
    thread.append(numbered(0));
    expect(thread.appendAll(items)).toBe(2);
    thread.append(numbered(1));
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual([numbered(0), ...items, numbered(1)]);
  });

  test('after close: LATE, each item counted', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const closing = thread.close();
    expect(thread.appendAll([numbered(0), numbered(1), numbered(2)])).toBe(LATE);
    expect((await closing).late).toBe(3);
  });
});

describe('flush', () => {
  test('written: everything accepted at the call is in the file', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    for (const index of upTo(100)) thread.append(numbered(index));
    expect(await thread.flush()).toEqual({ threadId: thread.id, durability: 'written', nextOrdinal: 101 });
    expect(thread.written).toBe(101);
    expect(linesOf(thread.path)).toHaveLength(101);
  });

  test('option durability, synced: the watermark is there, and not before', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush();
    expect(thread.synced).toBe(0);
    expect(await thread.flush({ durability: 'synced' })).toMatchObject({ durability: 'synced', nextOrdinal: 2 });
    expect(thread.synced).toBe(2);
    expect(sidecar.stats().bytes.unsynced).toBe(0);
    expect(sidecar.stats().latency.sync.count).toBe(1);
  });

  test('option durability, accepted: resolves without the writer', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    expect(await thread.flush({ durability: 'accepted' })).toMatchObject({ durability: 'accepted', nextOrdinal: 2 });
  });

  test('option durability, synced: resolves though the writer needs many passes to get there', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.appendAll(upTo(70_000).map(numbered));
    expect(await thread.flush({ durability: 'synced' })).toMatchObject({ durability: 'synced', nextOrdinal: 70_001 });
    expect(thread.synced).toBe(70_001);
  });

  test('of the sidecar: one receipt a thread', async () => {
    const sidecar = await openTestSidecar();
    const threads = await Promise.all(upTo(20).map(() => sidecar.createThread()));
    for (const [index, thread] of threads.entries()) for (const item of upTo(index)) thread.append(numbered(item));
    const receipts = await sidecar.flush({ durability: 'synced' });
    expect(receipts).toEqual(threads.map(({ id }, index) => ({ threadId: id, durability: 'synced', nextOrdinal: index + 1 })));
    expect(threads.map(({ synced }) => synced)).toEqual(upTo(20).map((index) => index + 1));
  });

  test('option signal: an aborted one rejects with its reason; option timeoutMs: what is no time is refused', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    expect(await rejection(thread.flush({ signal: AbortSignal.abort('stop') }))).toBe('stop');
    const ended = new AbortController();
    const flush = thread.flush({ durability: 'synced', signal: ended.signal });
    ended.abort(new Error('enough'));
    expect(await rejection(flush)).toMatchObject({ message: 'enough' });
    expect(await rejection(thread.flush({ timeoutMs: Number.NaN }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'timeoutMs' } });
  });

  test('after close it resolves with the receipt', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    const receipt = await thread.close();
    expect(await thread.flush()).toEqual(receipt);
  });
});

describe('close', () => {
  test('of a thread: acknowledged by count, and every call gets the same promise', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    for (const index of upTo(5000)) thread.append(numbered(index));
    const closing = thread.close();
    expect(thread.close({ durability: 'synced' })).toBe(closing);
    expect(await closing).toEqual({
      threadId: thread.id, durability: 'written', nextOrdinal: 5001, items: 5000, late: 0, forced: false, heldBy: [], salvage: undefined,
    });
    expect(thread).toMatchObject({ state: 'closed', accepted: 5001, written: 5001 });
    expect(linesOf(thread.path)).toHaveLength(5001);
    expect(sidecar.stats().files.open).toBe(0);
  });

  test('option timeoutMs: what is no time is refused, and the thread can still be closed', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    const refused = { code: 'LASTWORD_INVALID_OPTION', context: { option: 'timeoutMs' } };
    expect(await rejection(thread.close({ timeoutMs: Number.NaN }))).toMatchObject(refused);
    expect(await thread.close({ timeoutMs: 60_000 })).toMatchObject({ items: 1 });
  });

  test('of a thread, option durability, synced: the file is synced before it is closed', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    expect(await thread.close({ durability: 'synced' })).toMatchObject({ durability: 'synced' });
    expect(thread.synced).toBe(2);
  });

  test('of the sidecar: every thread drained, the writer gone', async () => {
    const sidecar = await openTestSidecar();
    const threads = await Promise.all(upTo(50).map(() => sidecar.createThread()));
    for (const index of upTo(100)) for (const thread of threads) thread.append(numbered(index));
    const closing = sidecar.close();
    expect(sidecar.close()).toBe(closing);
    const receipt = await closing;
    expect(receipt).toMatchObject({ threads: 50, items: 5000, late: 0, forced: 0 });
    expect(receipt.bytes).toBe(threads.reduce((sum, { path }) => sum + statSync(path).size, 0));
    expect(sidecar.state).toBe('closed');
    for (const thread of threads) expect(linesOf(thread.path)).toHaveLength(101);
  });

  test('of the sidecar waits for a creation under way', async () => {
    const sidecar = await openTestSidecar();
    const creating = sidecar.createThread();
    const closing = sidecar.close();
    const thread = await creating;
    await closing;
    expect(thread.state).toBe('closed');
    expect(existsSync(thread.path)).toBe(true);
  });
});

describe('stats', () => {
  test('counts threads, items, bytes, files and calls', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    for (const index of upTo(10)) thread.append(numbered(index));
    await thread.flush();
    const stats = sidecar.stats();
    expect(stats).toMatchObject({
      threads: { open: 1, closing: 0, closed: 0 }, items: { accepted: 10, written: 10, late: 0 },
      files: { open: 1, opened: 1, evicted: 0 }, busy: undefined, writerRestarts: 0,
    });
    expect(stats.bytes).toMatchObject({ written: statSync(thread.path).size, unsynced: statSync(thread.path).size, ringCapacity: 8 * 1024 * 1024, overflow: 0 });
    expect(stats.latency.write.count).toBeGreaterThan(0);
    expect(stats.latency.write.max).toBeGreaterThan(0);
    expect(stats.latency.flush.count).toBe(1);
    await thread.close();
    expect(sidecar.stats()).toMatchObject({ threads: { open: 0, closed: 1 }, items: { accepted: 10 } });
  });
});

describe('needsDrain', () => {
  test('is true while the overflow is in use, then event drain comes', async () => {
    const sidecar = await openTestSidecar({ ringBytes: 64 * 1024 });
    const thread = await sidecar.createThread();
    expect(sidecar.needsDrain).toBe(false);
    for (const index of upTo(20)) thread.append({ type: 'note', payload: `${index}`.repeat(500_000) });
    const drain = new Promise((resolve) => { sidecar.once('drain', resolve); });
    expect(sidecar.needsDrain).toBe(true);
    await drain;
    expect(sidecar.needsDrain).toBe(false);
  });
});

describe('drained', () => {
  test('resolves at once when there is room, and else when there is', async () => {
    const sidecar = await openTestSidecar({ ringBytes: 64 * 1024 });
    const thread = await sidecar.createThread();
    await sidecar.drained();
    for (const index of upTo(20)) thread.append({ type: 'note', payload: `${index}`.repeat(20_000) });
    expect(sidecar.needsDrain).toBe(true);
    await sidecar.drained();
    expect(sidecar.needsDrain).toBe(false);
    expect(sidecar.stats().bytes.overflow).toBe(0);
  });

  test('an aborted signal ends the wait', async () => {
    const sidecar = await openTestSidecar();
    expect(await rejection(sidecar.drained({ signal: AbortSignal.abort('enough') }))).toBe('enough');
  });
});

describe('the writer', () => {
  test('sleeps when there is nothing to do, and an append wakes it', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    for (const index of upTo(20)) {
      const { parks } = sidecar.stats().signals;
      thread.append(numbered(index));
      await until(() => thread.written === index + 2 && sidecar.stats().signals.parks > parks, 'the write and the next sleep');
    }
    expect(await itemsOf(thread.path)).toEqual(upTo(20).map(numbered));
  });

  test('errors name the class and the code of the contract', async () => {
    const sidecar = await openTestSidecar();
    const error = await rejection(sidecar.createThread({ id: 'nonsense' }));
    expect(error).toBeInstanceOf(LastwordError);
    expect(error).toMatchObject({ name: 'LastwordError', code: 'LASTWORD_INVALID_OPTION' });
  });
});
