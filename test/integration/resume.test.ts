/** Opening stored threads again: what is found at the end of the file, and who may have it. */
import { appendFileSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SidecarEvents } from 'lastword';
import { describe, expect, test } from 'vitest';
import { itemsOf, linesOf, numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

/** A stored thread with `count` items, closed. */
async function stored(count: number, directory = temporaryFolder()): Promise<{ id: string; path: string; directory: string }> {
  const sidecar = await openTestSidecar({ directory });
  const thread = await sidecar.createThread();
  for (const index of upTo(count)) thread.append(numbered(index));
  await sidecar.close();
  return { id: thread.id, path: thread.path, directory };
}

const locksIn = (directory: string): string[] => readdirSync(join(directory, 'locks'));

describe('resumeThread', () => {
  test('goes on where the rollout ends, and counts from there', async () => {
    const { id, directory, path } = await stored(3);
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.resumeThread(id);
    expect(thread).toMatchObject({ origin: 'resumed', path, accepted: 4, written: 4, synced: 0, recovery: undefined });
    expect(thread.append(numbered(3))).toBe(4);
    expect(await thread.close({ durability: 'synced' })).toMatchObject({ items: 1, nextOrdinal: 5, durability: 'synced' });
    expect((await recordsOf(path)).map(({ ordinal }) => ordinal)).toEqual(upTo(5));
    expect(await itemsOf(path)).toEqual(upTo(4).map(numbered));
  });

  test('a flush of a thread with nothing new syncs what is there', async () => {
    const { id, directory } = await stored(2);
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.resumeThread(id);
    expect(await thread.flush({ durability: 'synced' })).toMatchObject({ nextOrdinal: 3 });
    expect(thread.synced).toBe(3);
  });

  test('five rounds leave one gap-free rollout and no lease', async () => {
    const { id, directory, path } = await stored(0);
    const sidecar = await openTestSidecar({ directory });
    for (const round of upTo(5)) {
      const thread = await sidecar.resumeThread(id);
      expect(locksIn(directory)).toContain(`${id}.lock`);
      thread.append(numbered(round));
      await thread.close();
    }
    expect(await itemsOf(path)).toEqual(upTo(5).map(numbered));
    expect(locksIn(directory).filter((name) => name.endsWith('.lock'))).toEqual([]);
    await sidecar.close();
    expect(locksIn(directory)).toEqual([]);
  });

  test('of an open thread gives the same handle; of a closing one waits, then reopens', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    expect(await sidecar.resumeThread(thread.id)).toBe(thread);
    const hold = thread.hold('work');
    const closing = thread.close();
    const resuming = sidecar.resumeThread(thread.id);
    thread.append(numbered(0));
    hold[Symbol.dispose]();
    const [receipt, again] = await Promise.all([closing, resuming]);
    expect(receipt).toMatchObject({ items: 1 });
    expect(again).not.toBe(thread);
    expect(again).toMatchObject({ origin: 'resumed', accepted: 2, state: 'open' });
    expect(sidecar.liveThread(thread.id)).toBe(again);
    expect(thread).toMatchObject({ state: 'closed', accepted: 2 });
  });

  test('two at once give one handle', async () => {
    const { id, directory } = await stored(1);
    const sidecar = await openTestSidecar({ directory });
    const [one, other] = await Promise.all([sidecar.resumeThread(id), sidecar.resumeThread(id)]);
    expect(one).toBe(other);
    await one[Symbol.asyncDispose]();
    expect(one.state).toBe('open');
    await other[Symbol.asyncDispose]();
    expect(one.state).toBe('closed');
  });

  test('behind a close that did not finish the thread is busy', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush();
    appendFileSync(thread.path, 'foreign\n');
    thread.append(numbered(1));
    expect(await rejection(thread.close())).toMatchObject({ code: 'LASTWORD_WRITE_FAILED' });
    expect(await rejection(sidecar.resumeThread(thread.id))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { threadId: thread.id } });
  });

  test('while the sidecar closes: refused, or done before; nothing is left open', async () => {
    const { id, directory } = await stored(1);
    const sidecar = await openTestSidecar({ directory });
    const [resumed, closed] = await Promise.allSettled([sidecar.resumeThread(id), sidecar.close()]);
    expect(closed.status).toBe('fulfilled');
    if (resumed.status === 'rejected') expect(resumed.reason).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
    else expect(resumed.value.state).toBe('closed');
    expect(await rejection(sidecar.resumeThread(id))).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
    expect([...sidecar.liveThreads()]).toEqual([]);
    expect(sidecar.stats().files.open).toBe(0);
    expect(locksIn(directory)).toEqual([]);
  });

  test('option signal: an abort while it waits for a close rejects with the reason', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const hold = thread.hold('work');
    const closing = thread.close();
    const controller = new AbortController();
    const resuming = sidecar.resumeThread(thread.id, { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await rejection(resuming)).toBe(reason);
    hold[Symbol.dispose]();
    await closing;
    expect(await rejection(sidecar.resumeThread(thread.id, { signal: controller.signal }))).toBe(reason);
  });

  test('option ifMissing create, option create: a fresh thread, and event resumeFailed with both ids and the reason', async () => {
    const sidecar = await openTestSidecar();
    const events: SidecarEvents['resumeFailed'][] = [];
    sidecar.on('resumeFailed', (event) => { events.push(event); });
    const missing = '01936c1e-7b2a-7000-8000-000000000001';
    const thread = await sidecar.resumeThread(missing, { ifMissing: 'create', create: { meta: { cwd: '/work' } } });
    expect(thread).toMatchObject({ origin: 'created', accepted: 1 });
    expect(thread.id).not.toBe(missing);
    expect(events).toEqual([{ requestedId: missing, threadId: thread.id, error: expect.objectContaining({ code: 'LASTWORD_THREAD_NOT_FOUND' }) as unknown }]);
    expect((await recordsOf(thread.path))[0]).toMatchObject({ payload: { cwd: '/work' } });
    const same = await sidecar.resumeThread(missing, { ifMissing: 'create', create: { id: missing } });
    expect(same.id).toBe(missing);
  });

  test('what cannot be resumed says why: missing, archived, without a header, no file, a malformed id, options that are none', async () => {
    const { id, directory, path } = await stored(1);
    const sidecar = await openTestSidecar({ directory });
    const codeOf = async (threadId: string, options?: object): Promise<unknown> => (await rejection(sidecar.resumeThread(threadId, options)) as { code: unknown }).code;
    const missing = '01936c1e-7b2a-7000-8000-000000000001';
    expect(await codeOf(missing)).toBe('LASTWORD_THREAD_NOT_FOUND');
    expect(await codeOf('b1e5ad0c-7b2a-4000-8000-000000000001')).toBe('LASTWORD_THREAD_NOT_FOUND');
    for (const malformed of ['../../etc/passwd', id.toUpperCase(), '', 5]) expect(await codeOf(malformed as string)).toBe('LASTWORD_INVALID_OPTION');
    for (const options of [null, { ifMissing: 'maybe' }, { create: 5 }, { signal: 'no' }]) expect(await codeOf(id, options as object)).toBe('LASTWORD_INVALID_OPTION');
    for (const text of ['', '\n', '{"type":"event_msg"}\n', 'x'.repeat(100_000)]) {
      writeFileSync(path, text);
      expect(await codeOf(id)).toBe('LASTWORD_ROLLOUT_CORRUPT');
    }
    rmSync(path);
    mkdirSync(path);
    expect(await codeOf(id)).toBe('LASTWORD_ROLLOUT_CORRUPT');
    rmSync(path, { recursive: true });
    mkdirSync(join(directory, 'archived_sessions'));
    writeFileSync(join(directory, 'archived_sessions', path.slice(dirname(path).length + 1)), '');
    expect(await codeOf(id)).toBe('LASTWORD_THREAD_ARCHIVED');
    expect(await rejection(sidecar.createThread({ id }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
    expect([...sidecar.liveThreads()]).toEqual([]);
    expect(locksIn(directory).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  test('a rollout under another name or day, as Codex names them in local time, is found and not made again', async () => {
    const { id, directory, path } = await stored(2);
    const elsewhere = join(directory, 'sessions', '2020', '01', '02');
    mkdirSync(elsewhere, { recursive: true });
    renameSync(path, join(elsewhere, `rollout-2020-01-02T03-04-05-${id}.jsonl`));
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.resumeThread(id);
    expect(thread.path.startsWith(elsewhere)).toBe(true);
    expect(thread.append(numbered(2))).toBe(3);
  });

  const TORN: readonly [string, string][] = [
    ['a record without its end', '{"timestamp":"2026-01-01T00:00:00.000Z","ordinal":4,"type":"event_m'],
    ['a line that is no record', 'garbage\n'],
    ['NULs', '\0'.repeat(5000)],
    ['a record with a wrong checksum', '{"timestamp":"2026-01-01T00:00:00.000Z","ordinal":4,"type":"x","crc":"00000000"}\n'],
    ['several of them, blank lines between', 'x\n\n\ny\n{"'],
  ];
  for (const [name, tail] of TORN) {
    test(`a torn end (${name}) is cut, kept beside and reported; the second time there is nothing to do`, async () => {
      const { id, directory, path } = await stored(3);
      const whole = readFileSync(path);
      appendFileSync(path, tail);
      const logged: object[] = [];
      const quiet = (): void => undefined;
      const sidecar = await openTestSidecar({ directory, logger: { debug: quiet, info: quiet, warn: (members: object) => { logged.push(members); }, error: quiet } as never });
      const thread = await sidecar.resumeThread(id);
      const keptAt = `${path}.torn-1`;
      expect(thread.recovery).toEqual({ tornBytes: Buffer.byteLength(tail), keptAt });
      expect(logged).toEqual([expect.objectContaining({ threadId: id, tornBytes: Buffer.byteLength(tail), keptAt })]);
      expect(readFileSync(keptAt, 'utf8')).toBe(tail);
      expect(readFileSync(path)).toEqual(whole);
      await thread.close();
      const again = await sidecar.resumeThread(id);
      expect(again.recovery).toBeUndefined();
      expect(again.append(numbered(3))).toBe(4);
      await again.close();
      expect(await itemsOf(path)).toEqual(upTo(4).map(numbered));
    });
  }

  test('a whole last record that lacks only its newline gets one; blank lines at the end stay', async () => {
    for (const tail of ['cut', '\n\n']) {
      const { id, directory, path } = await stored(3);
      if (tail === 'cut') truncateSync(path, readFileSync(path).length - 1);
      else appendFileSync(path, tail);
      const sidecar = await openTestSidecar({ directory });
      const thread = await sidecar.resumeThread(id);
      expect(thread.recovery).toBeUndefined();
      expect(thread.append(numbered(3))).toBe(4);
      await thread.close();
      expect(await itemsOf(path)).toEqual(upTo(4).map(numbered));
    }
  });

  test('a record of a type nobody knows keeps its ordinal, and one behind a fragment on its line is not cut', async () => {
    const { id, directory, path } = await stored(1);
    appendFileSync(path, '{"timestamp":"2026-01-01T00:00:00.000Z","ordinal":2,"type":"from_the_future","payload":{"a":12.0}}\n');
    const glued = linesOf(path)[1]?.replace('"ordinal":1', '"ordinal":3').replace(/,"crc":"[0-9a-f]{8}"/, '') ?? '';
    appendFileSync(path, `${'\0'.repeat(50)}${glued}\n`);
    const before = readFileSync(path);
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.resumeThread(id);
    expect(thread).toMatchObject({ recovery: undefined, accepted: 4 });
    await thread.close();
    expect(readFileSync(path)).toEqual(before);
  });

  test('records without ordinals are counted', async () => {
    const { id, directory, path } = await stored(4);
    writeFileSync(path, linesOf(path).map((line) => `${line.replace(/"ordinal":\d+,/, '').replace(/,"crc":"[0-9a-f]{8}"/, '')}\n`).join(''));
    const sidecar = await openTestSidecar({ directory });
    expect((await sidecar.resumeThread(id)).accepted).toBe(5);
  });
});

describe('a lease', () => {
  test('two sidecars of one process exclude each other', async () => {
    const directory = temporaryFolder();
    const [one, other] = [await openTestSidecar({ directory }), await openTestSidecar({ directory })];
    const thread = await one.createThread();
    expect(await rejection(other.resumeThread(thread.id))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { owner: { pid: process.pid } } });
    await thread.close();
    expect((await other.resumeThread(thread.id)).accepted).toBe(1);
  });
});
