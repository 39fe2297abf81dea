/** Threads as they are stored: forked, read in views, archived, deleted, renamed. */
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Sidecar, Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { linesOf, numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const MISSING = '01936c1e-7b2a-7000-8000-000000000001';

/** Numbers of the items in a view; other records by their type. */
async function viewOf(sidecar: Sidecar, id: string, options: object = {}): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const { type, payload } of sidecar.readThread(id, options)) {
    const { index, type: kind } = (payload ?? {}) as { index?: number; type?: string };
    seen.push(index ?? kind ?? type);
  }
  return seen;
}

async function ordinalsOf(sidecar: Sidecar, id: string): Promise<number[]> {
  const ordinals: number[] = [];
  for await (const { ordinal } of sidecar.readThread(id)) ordinals.push(ordinal);
  return ordinals;
}

async function withItems(sidecar: Sidecar, count: number, options: object = {}): Promise<Thread> {
  const thread = await sidecar.createThread(options);
  for (const index of upTo(count)) thread.append(numbered(index));
  return thread;
}

describe('readThread', () => {
  test('of an open thread sees everything accepted at the call; of a stored one what is there', async () => {
    const sidecar = await openTestSidecar();
    const thread = await withItems(sidecar, 3);
    expect(await viewOf(sidecar, thread.id)).toEqual(['session_meta', 0, 1, 2]);
    await thread.close();
    expect(await viewOf(sidecar, thread.id, { from: 2, limit: 1 })).toEqual([1]);
    expect(await rejection(viewOf(sidecar, MISSING))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
    for (const options of [{ view: 'all' }, { from: -1 }, { reverse: 1 }, { follow: true, reverse: true }]) {
      expect(await rejection(viewOf(sidecar, thread.id, options))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
    }
  });

  test('option view effective: what was rolled back is left out; raw: every record of the file', async () => {
    const sidecar = await openTestSidecar();
    const thread = await withItems(sidecar, 5);
    thread.rollback(3);
    thread.append(numbered(5));
    expect(await viewOf(sidecar, thread.id)).toEqual(['session_meta', 0, 1, 'thread_rolled_back', 5]);
    expect(await viewOf(sidecar, thread.id, { view: 'raw' })).toEqual(['session_meta', 0, 1, 2, 3, 4, 'thread_rolled_back', 5]);
    thread.rollback(2);
    thread.append(numbered(6));
    expect(await viewOf(sidecar, thread.id)).toEqual(['session_meta', 0, 'thread_rolled_back', 6]);
    thread.rollback(8);
    // A rollback of a rollback brings nothing back.
    expect(await viewOf(sidecar, thread.id)).toEqual(['session_meta', 0, 'thread_rolled_back']);
  });

  test('option view effective: a rollback in a file of Codex, which counts turns, leaves those turns out', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    for (const index of upTo(3)) {
      thread.append({ type: 'event_msg', payload: { type: 'task_started' } });
      thread.append(numbered(index));
    }
    thread.append({ type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: 2 } });
    expect(await viewOf(sidecar, thread.id)).toEqual(['session_meta', 'task_started', 0, 'thread_rolled_back']);
  });
});

describe('forkThread', () => {
  test('goes on from all that was accepted, without a copy, also of an open thread', async () => {
    const sidecar = await openTestSidecar();
    const source = await withItems(sidecar, 3);
    const forking = sidecar.forkThread(source.id, { meta: { cwd: '/fork' } });
    source.append(numbered(9));
    const fork = await forking;
    expect(fork).toMatchObject({ origin: 'forked', accepted: 5 });
    expect(source.synced).toBeGreaterThanOrEqual(4);
    expect(fork.append(numbered(3))).toBe(5);
    expect(await viewOf(sidecar, fork.id)).toEqual(['session_meta', 0, 1, 2, 'session_meta', 3]);
    expect(await ordinalsOf(sidecar, fork.id)).toEqual(upTo(6));
    const [header] = await recordsOf(fork.path);
    const lines = linesOf(source.path);
    const endOffset = Buffer.byteLength(lines.slice(0, 4).map((line) => `${line}\n`).join(''));
    expect(header).toMatchObject({
      ordinal: 4,
      payload: {
        id: fork.id, cwd: '/fork', forked_from_id: source.id, forked_from_ordinal_exclusive: 4,
        history_base: { thread_id: source.id, end_ordinal_exclusive: 4, end_byte_offset: endOffset },
      },
    });
    expect(linesOf(fork.path)).toHaveLength(2);
    expect(await viewOf(sidecar, source.id)).toEqual(['session_meta', 0, 1, 2, 9]);
  });

  test('option through: in the middle, at the header, and of a fork also what lies in its base', async () => {
    const sidecar = await openTestSidecar();
    const source = await withItems(sidecar, 4);
    const fork = await sidecar.forkThread(source.id, { through: 2 });
    fork.append(numbered(7));
    expect(await viewOf(sidecar, fork.id)).toEqual(['session_meta', 0, 1, 'session_meta', 7]);
    const first = await sidecar.forkThread(source.id, { through: 0 });
    expect(await viewOf(sidecar, first.id)).toEqual(['session_meta', 'session_meta']);
    const own = await sidecar.forkThread(fork.id);
    expect(await viewOf(sidecar, own.id)).toEqual(['session_meta', 0, 1, 'session_meta', 7, 'session_meta']);
    const below = await sidecar.forkThread(fork.id, { through: 1 });
    expect(await viewOf(sidecar, below.id)).toEqual(['session_meta', 0, 'session_meta']);
    expect((await recordsOf(below.path))[0]).toMatchObject({ payload: { forked_from_id: fork.id, history_base: { thread_id: source.id } } });
  });

  test('rollbacks of the source count up to the fork; the fork rolls back into its base without touching it', async () => {
    const sidecar = await openTestSidecar();
    const source = await withItems(sidecar, 4);
    source.rollback(4);
    const fork = await sidecar.forkThread(source.id);
    source.rollback(1);
    expect(await viewOf(sidecar, fork.id)).toEqual(['session_meta', 0, 1, 2, 'thread_rolled_back', 'session_meta']);
    fork.append(numbered(8));
    fork.rollback(2);
    expect(await viewOf(sidecar, fork.id)).toEqual(['session_meta', 0, 'thread_rolled_back']);
    expect(await viewOf(sidecar, source.id)).toEqual(['session_meta', 'thread_rolled_back']);
  });

  test('a stored fork is resumed and read by another sidecar', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const source = await withItems(sidecar, 2);
    const fork = await sidecar.forkThread(source.id);
    await sidecar.close();
    const other = await openTestSidecar({ directory });
    const again = await other.resumeThread(fork.id);
    expect(again.append(numbered(5))).toBe(4);
    expect(await viewOf(other, fork.id)).toEqual(['session_meta', 0, 1, 'session_meta', 5]);
  });

  test('beyond the end, of nothing, or to an id that is taken: refused, and nothing is made', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const source = await withItems(sidecar, 1);
    const before = readdirSync(join(directory, 'locks'));
    for (const [id, options, code] of [
      [source.id, { through: 2 }, 'LASTWORD_INVALID_OPTION'], [source.id, { through: -1 }, 'LASTWORD_INVALID_OPTION'],
      [MISSING, {}, 'LASTWORD_THREAD_NOT_FOUND'], ['x', {}, 'LASTWORD_INVALID_OPTION'], [source.id, null, 'LASTWORD_INVALID_OPTION'],
    ] as const) {
      expect(await rejection(sidecar.forkThread(id, options as object))).toMatchObject({ code });
    }
    expect(await rejection(sidecar.forkThread(source.id, { parentId: MISSING }))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
    const other = await sidecar.createThread();
    expect(await rejection(sidecar.forkThread(source.id, { id: other.id }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
    await other.close();
    const crossed = [rejection(sidecar.forkThread(source.id, { id: other.id })), rejection(sidecar.forkThread(other.id, { id: source.id }))];
    for (const refused of [...crossed, rejection(sidecar.forkThread(source.id, { id: source.id }))]) {
      expect(await refused).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
    }
    expect(readdirSync(join(directory, 'locks'))).toEqual(before);
  });

  test('bases that never end, or are missing, are coded errors', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const source = await withItems(sidecar, 1);
    const fork = await sidecar.forkThread(source.id);
    await sidecar.close();
    const other = await openTestSidecar({ directory });
    const header = linesOf(fork.path)[0]?.replace(/,"crc":"[0-9a-f]{8}"/, '') ?? '';
    writeFileSync(source.path, `${header.replaceAll(source.id, fork.id)}\n`);
    expect(await rejection(viewOf(other, fork.id))).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT' });
    writeFileSync(fork.path, `${header.replaceAll(source.id, MISSING)}\n`);
    expect(await rejection(viewOf(other, fork.id))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND', context: { threadId: MISSING } });
  });
});

describe('archiveThread', () => {
  test('puts a stored thread and its descendants away; unarchiving brings them back to where they were', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const root = await withItems(sidecar, 1);
    const child = await withItems(sidecar, 2, { parentId: root.id });
    const leaf = await withItems(sidecar, 3, { parentId: child.id });
    const other = await withItems(sidecar, 4);
    await root.close();
    const bytes = readFileSync(leaf.path);
    await sidecar.archiveThread(root.id);
    expect([root, child, leaf, other].map(({ path }) => existsSync(path))).toEqual([false, false, false, true]);
    expect(readdirSync(join(directory, 'archived_sessions')).sort()).toEqual([root, child, leaf].map(({ path }) => basename(path)).sort());
    expect(await rejection(sidecar.resumeThread(leaf.id))).toMatchObject({ code: 'LASTWORD_THREAD_ARCHIVED' });
    expect(await viewOf(sidecar, leaf.id)).toEqual(['session_meta', 0, 1, 2]);
    await sidecar.archiveThread(root.id);
    await sidecar.unarchiveThread(root.id);
    expect(readFileSync(leaf.path)).toEqual(bytes);
    expect((await sidecar.resumeThread(leaf.id)).accepted).toBe(4);
  });

  test('of an open thread is busy, of a closing one waits, of a missing one is not found', async () => {
    const sidecar = await openTestSidecar();
    const thread = await withItems(sidecar, 1);
    for (const act of ['archiveThread', 'unarchiveThread', 'deleteThread'] as const) {
      expect(await rejection(sidecar[act](thread.id))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY' });
      expect(await rejection(sidecar[act](MISSING))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
      expect(await rejection(sidecar[act]('../x'))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
    }
    const hold = thread.hold('work');
    const closing = thread.close();
    const archiving = sidecar.archiveThread(thread.id);
    expect(existsSync(thread.path)).toBe(true);
    hold[Symbol.dispose]();
    await Promise.all([closing, archiving]);
    expect(existsSync(thread.path)).toBe(false);
  });

  test('goes on where a process died halfway, and never over another file', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const thread = await withItems(sidecar, 1);
    await thread.close();
    const archived = join(directory, 'archived_sessions', basename(thread.path));
    mkdirSync(join(directory, 'archived_sessions'));
    linkSync(thread.path, archived);
    await sidecar.archiveThread(thread.id);
    expect([existsSync(thread.path), existsSync(archived)]).toEqual([false, true]);
    await sidecar.unarchiveThread(thread.id);
    writeFileSync(archived, 'another');
    expect(await rejection(sidecar.archiveThread(thread.id))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
    expect(readFileSync(archived, 'utf8')).toBe('another');
    expect(existsSync(thread.path)).toBe(true);
  });

  test('a descendant that cannot go along is logged at warn, with its id and the reason', async () => {
    const logged: object[] = [];
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, error: quiet, warn: (members: object) => { logged.push(members); } } as never;
    const sidecar = await openTestSidecar({ logger });
    const root = await withItems(sidecar, 1);
    const child = await withItems(sidecar, 1, { parentId: root.id });
    await root.close();
    const again = await sidecar.resumeThread(child.id);
    await sidecar.archiveThread(root.id);
    expect(logged).toEqual([{ threadId: again.id, rootId: root.id, code: 'LASTWORD_THREAD_BUSY' }]);
  });
});

describe('unarchiveThread', () => {
  test('of a thread that is not archived changes nothing', async () => {
    const sidecar = await openTestSidecar();
    const thread = await withItems(sidecar, 1);
    await thread.close();
    await sidecar.unarchiveThread(thread.id);
    expect(existsSync(thread.path)).toBe(true);
  });
});

describe('deleteThread', () => {
  test('removes the rollouts of a thread and its descendants; a resume behind it finds nothing', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const root = await withItems(sidecar, 1);
    const child = await withItems(sidecar, 1, { parentId: root.id });
    await root.close();
    const [deleted, resumed] = await Promise.allSettled([sidecar.deleteThread(root.id), sidecar.resumeThread(child.id)]);
    expect(deleted.status).toBe('fulfilled');
    expect(existsSync(root.path)).toBe(false);
    if (resumed.status === 'rejected') expect(resumed.reason).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
    expect(await rejection(sidecar.resumeThread(root.id))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
    expect(readdirSync(join(directory, 'locks')).filter((name) => name.includes(root.id))).toEqual([]);
  });

  test('removes both names of a rollout that was half archived, and never another file', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    mkdirSync(join(directory, 'archived_sessions'));
    for (const isSame of [true, false]) {
      const thread = await withItems(sidecar, 1);
      await thread.close();
      const archived = join(directory, 'archived_sessions', basename(thread.path));
      if (isSame) linkSync(thread.path, archived);
      else writeFileSync(archived, 'another');
      await sidecar.deleteThread(thread.id);
      expect([existsSync(thread.path), existsSync(archived)]).toEqual([false, !isSame]);
    }
  });

  test('refuses the base of a fork, from another sidecar too, until the fork is gone; a tree of both goes as a whole', async () => {
    const directory = temporaryFolder();
    const [sidecar, other] = [await openTestSidecar({ directory }), await openTestSidecar({ directory })];
    const source = await withItems(sidecar, 2);
    const fork = await sidecar.forkThread(source.id);
    await Promise.all([source.close(), fork.close()]);
    for (const from of [sidecar, other]) {
      expect(await rejection(from.deleteThread(source.id))).toMatchObject({ code: 'LASTWORD_THREAD_REFERENCED', context: { threadId: source.id, referenceId: fork.id } });
    }
    await sidecar.archiveThread(fork.id);
    expect(await rejection(sidecar.deleteThread(source.id))).toMatchObject({ code: 'LASTWORD_THREAD_REFERENCED' });
    await other.deleteThread(fork.id);
    const below = await (async () => {
      await using root = await other.resumeThread(source.id);
      const fork = await other.forkThread(root.id, { parentId: root.id });
      return fork;
    })();
    expect(below.state).toBe('closed');
    await other.deleteThread(source.id);
    expect([source, below].map(({ path }) => existsSync(path))).toEqual([false, false]);
  });
});

describe('setThreadMeta', () => {
  test('works on stored and on open threads, and leaves them as open as they were', async () => {
    const sidecar = await openTestSidecar();
    const thread = await withItems(sidecar, 1);
    await sidecar.setThreadMeta(thread.id, { title: 'open' });
    expect(thread.state).toBe('open');
    await thread.close();
    await sidecar.setThreadMeta(thread.id, { title: 'stored' });
    expect(sidecar.liveThread(thread.id)).toBeUndefined();
    expect((await recordsOf(thread.path)).slice(2)).toMatchObject([{ payload: { title: 'open' } }, { payload: { title: 'stored' } }]);
    expect(await rejection(sidecar.setThreadMeta(MISSING, {}))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
    expect(await rejection(sidecar.setThreadMeta(thread.id, { id: 'x' }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
    expect(sidecar.liveThread(thread.id)).toBeUndefined();
  });
});
