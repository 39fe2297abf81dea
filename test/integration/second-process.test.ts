/** What a second process sees of a thread, and when it may have it; and what a host gets when a thread is gone. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sidecar, SidecarEvents, Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { openRecorded } from '../support/ledger.js';
import { secondProcess } from '../support/second-process.js';
import { itemsOf, numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const locksIn = (directory: string): string[] => readdirSync(join(directory, 'locks'));

describe('a second process', () => {
  test('reads and lists a thread from the moment it was made, and each item from the moment it is flushed', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const other = secondProcess(directory);
    for (const round of upTo(10)) {
      const thread = await sidecar.createThread();
      expect(await other.ask('read', thread.id), `round ${round}, created`).toEqual({ value: [0] });
      expect(await other.ask('list', thread.id), `round ${round}, listed`).toEqual({ value: true });
      thread.append(numbered(0));
      await thread.flush();
      expect(await other.ask('read', thread.id), `round ${round}, flushed`).toEqual({ value: [0, 1] });
    }
  });

  test('resumes a thread once its owner has closed it, and not before; then it is the owner', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const other = secondProcess(directory);
    const thread = await sidecar.createThread();
    const { id } = thread;
    thread.append(numbered(0));
    for (const act of ['resume', 'delete'] as const) expect(await other.ask(act, id)).toEqual({ code: 'LASTWORD_THREAD_BUSY', owner: process.pid });
    await thread.close();
    expect(await other.ask('resume', id)).toEqual({ value: 2 });
    expect(await other.ask('append', id)).toEqual({ value: 2 });
    expect(await rejection(sidecar.resumeThread(id))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { owner: { pid: other.pid } } });
    expect(await other.ask('close', id)).toEqual({ value: 1 });
    expect((await sidecar.resumeThread(id)).accepted).toBe(3);
  });

  test('that died leaves a thread to whoever resumes it next, with what was written', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const stored = await sidecar.createThread();
    const { id, path } = stored;
    await stored.close();
    const other = secondProcess(directory);
    await other.ask('resume', id);
    await other.ask('append', id);
    await other.ask('flush', id);
    expect(await rejection(sidecar.resumeThread(id))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { threadId: id, owner: { pid: other.pid } } });
    expect(await rejection(sidecar.createThread({ id }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
    await other.kill();
    const thread = await sidecar.resumeThread(id);
    expect(thread.append(numbered(1))).toBe(2);
    await sidecar.close();
    expect(locksIn(directory)).toEqual([]);
    expect(await itemsOf(path)).toEqual([{ type: 'event_msg', payload: 'of another process' }, numbered(1)]);
  });

  test('that ends without closing leaves no lease behind', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.createThread();
    await sidecar.close();
    const other = secondProcess(directory);
    await other.ask('resume', thread.id);
    await other.end();
    expect(locksIn(directory)).toEqual([]);
  });
});

describe('resumeThread, option ifMissing create', () => {
  interface Gone { readonly sidecar: Sidecar; readonly stored: Thread }
  /** What takes the thread away; what it returns is not waited for before the resume is called. */
  const WAYS: readonly [string, string, (gone: Gone) => unknown][] = [
    ['is archived', 'LASTWORD_THREAD_ARCHIVED', ({ sidecar, stored }) => sidecar.archiveThread(stored.id)],
    ['is deleted meanwhile', 'LASTWORD_THREAD_NOT_FOUND', ({ sidecar, stored }) => sidecar.deleteThread(stored.id)],
    ['is pruned by somebody', 'LASTWORD_THREAD_NOT_FOUND', ({ stored }) => { rmSync(stored.path); }],
    ['is pruned with its whole day', 'LASTWORD_THREAD_NOT_FOUND', ({ sidecar }) => { rmSync(join(sidecar.directory, 'sessions'), { recursive: true }); }],
    ['has lost its header', 'LASTWORD_ROLLOUT_CORRUPT', ({ stored }) => { writeFileSync(stored.path, ''); }],
  ];
  /** A stored thread that is gone, and the events and lines that tell of it. */
  const scene = async (): Promise<Gone & { events: SidecarEvents['resumeFailed'][]; loud: () => unknown[] }> => {
    const { sidecar, lines } = await openRecorded();
    const stored = await sidecar.createThread();
    await stored.close();
    const events: SidecarEvents['resumeFailed'][] = [];
    sidecar.on('resumeFailed', (event) => { events.push(event); });
    return { sidecar, stored, events, loud: () => lines.filter(({ level }) => level !== 'debug').map(({ level, members }) => ({ level, ...members })) };
  };

  test.each(WAYS)('of a thread that %s: a fresh one, and the reason %s', async (_what, code, takeAway) => {
    const { sidecar, stored, events, loud } = await scene();
    const away = takeAway({ sidecar, stored });
    const fresh = await sidecar.resumeThread(stored.id, { ifMissing: 'create', create: { meta: { cwd: '/work' } } });
    await away;
    expect(fresh).toMatchObject({ origin: 'created', state: 'open', accepted: 1, recovery: undefined });
    expect(fresh.id).not.toBe(stored.id);
    expect(events).toEqual([{ requestedId: stored.id, threadId: fresh.id, error: expect.objectContaining({ code, context: expect.objectContaining({ threadId: stored.id }) as unknown }) as unknown }]);
    expect(loud()).toEqual([{ level: 'info', threadId: fresh.id, requestedId: stored.id, code }]);
    fresh.append(numbered(0));
    await fresh.close();
    expect(await recordsOf(fresh.path)).toMatchObject([{ payload: { cwd: '/work', id: fresh.id } }, numbered(0)]);
  });

  test('leaves what is archived, and what has lost its header, as it is', async () => {
    const { sidecar, stored } = await scene();
    const bytes = readFileSync(stored.path);
    await sidecar.archiveThread(stored.id);
    await sidecar.resumeThread(stored.id, { ifMissing: 'create' });
    await sidecar.unarchiveThread(stored.id);
    expect(readFileSync(stored.path)).toEqual(bytes);
    writeFileSync(stored.path, 'no header\n');
    await sidecar.resumeThread(stored.id, { ifMissing: 'create' });
    expect(readFileSync(stored.path, 'utf8')).toBe('no header\n');
  });

  test('of a thread that was pruned, under the id that it is known by: two at once share the fresh one', async () => {
    const { sidecar, stored: { id, path }, events } = await scene();
    rmSync(path);
    const resume = (): Promise<Thread> => sidecar.resumeThread(id, { ifMissing: 'create', create: { id } });
    const [one, other] = await Promise.all([resume(), resume()]);
    expect(other).toBe(one);
    expect(one).toMatchObject({ id, origin: 'created' });
    expect(events).toEqual([{ requestedId: id, threadId: id, error: expect.objectContaining({ code: 'LASTWORD_THREAD_NOT_FOUND' }) as unknown }]);
    one.append(numbered(0));
    await sidecar.close();
    expect(await itemsOf(path)).toEqual([numbered(0)]);
  });

  test('does not hide what is no absence: busy, a malformed id, an id for the fresh one that is taken', async () => {
    const { sidecar, stored, events } = await scene();
    const elsewhere = await openTestSidecar({ directory: sidecar.directory });
    await elsewhere.resumeThread(stored.id);
    const resume = (id: string, create?: { id: string }): Promise<Thread> => sidecar.resumeThread(id, { ifMissing: 'create', create });
    expect(await rejection(resume(stored.id))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY' });
    expect(await rejection(resume('../x'))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
    const missing = '01936c1e-7b2a-7000-8000-000000000001';
    expect(await rejection(resume(missing, { id: 'x' }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
    expect(await rejection(resume(missing, { id: stored.id }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
    expect(events).toEqual([]);
    expect([...sidecar.liveThreads()]).toEqual([]);
  });
});
