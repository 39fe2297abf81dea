/** Which threads are listed, in which order. */
import { existsSync, readFileSync, utimesSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { archivedPath, rolloutPath } from '../../src/rollout/rollout-path.js';
import { idAt, idAtMinute, idsOf, listed, pagesOf, plant } from '../support/planted.js';
import { randomFrom, SEED } from '../support/random.js';
import { openTestSidecar, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const MISSING = '01936c1e-7b2a-7000-8000-000000000001';

/** Oldest first. */
function plantMany(directory: string, count: number): string[] {
  return upTo(count).map((minute) => plant(directory, { id: idAtMinute(minute) }).id);
}

describe('listThreads', () => {
  test('has everything under the directory, newest first, at once, whoever made it', async () => {
    const directory = temporaryFolder();
    const [one, other] = [await openTestSidecar({ directory }), await openTestSidecar({ directory })];
    expect(await one.listThreads()).toEqual({ threads: [], nextCursor: undefined, damaged: [] });
    const old = plant(directory, { meta: { cwd: '/old' } });
    const first = await one.createThread({ meta: { cwd: '/first', title: 'The first' } });
    const second = await other.createThread();
    for (const sidecar of [one, other]) expect(await idsOf(sidecar)).toEqual([second.id, first.id, old.id]);
    const { threads: [, summary] } = await other.listThreads();
    expect(summary).toEqual({
      id: first.id, path: first.path, parentId: undefined, forkedFrom: undefined, archived: false, title: 'The first', preview: undefined,
      bytes: readFileSync(first.path).length, meta: { cwd: '/first', title: 'The first' }, owner: { pid: process.pid, host: expect.any(String) },
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/), updatedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(summary?.createdAt).toBe((JSON.parse(readFileSync(first.path, 'utf8').split('\n')[0] ?? '') as { payload: { timestamp: string } }).payload.timestamp);
    expect(await one.getThread(first.id)).toEqual({ ...summary, owner: 'self' });
  });

  test('sees in the writing process everything accepted at the call', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append({ type: 'event_msg', payload: { type: 'user_message', message: 'hello' } });
    thread.setMeta({ title: 'Greeting' });
    const [summary] = await listed(sidecar);
    expect(summary).toMatchObject({ preview: 'hello', title: 'Greeting', owner: 'self', bytes: readFileSync(thread.path).length });
  });

  test('option limit: so many threads, and a cursor as long as there are others; 50 unless told otherwise', async () => {
    const directory = temporaryFolder();
    const ids = plantMany(directory, 53).reverse();
    const sidecar = await openTestSidecar({ directory });
    expect((await pagesOf(sidecar)).map(({ threads }) => threads.length)).toEqual([50, 3]);
    expect((await pagesOf(sidecar, { limit: 53 })).map(({ threads }) => threads.length)).toEqual([53]);
    const pages = await pagesOf(sidecar, { limit: 10 });
    expect(pages.map(({ threads }) => threads.length)).toEqual([10, 10, 10, 10, 10, 3]);
    expect(pages.flatMap(({ threads }) => threads.map(({ id }) => id))).toEqual(ids);
  });

  test('option cursor: goes on behind its page though threads come, go and are put away meanwhile', async () => {
    const random = randomFrom(SEED);
    const directory = temporaryFolder();
    const ids = plantMany(directory, 60);
    const sidecar = await openTestSidecar({ directory });
    for (const direction of ['desc', 'asc'] as const) {
      const stay = new Set(ids.filter((id) => existsSync(rolloutPath(directory, id))));
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await sidecar.listThreads({ limit: 7, direction, cursor });
        seen.push(...page.threads.map(({ id }) => id));
        cursor = page.nextCursor;
        // Between pages: one more, one less, one put away, anywhere.
        plant(directory, { id: idAtMinute(random(60)) });
        for (const act of ['deleteThread', 'archiveThread'] as const) {
          const id = [...stay][random(stay.size)] ?? '';
          stay.delete(id);
          await sidecar[act](id);
        }
      } while (cursor !== undefined);
      expect(new Set(seen).size, `seed ${SEED}: once each`).toBe(seen.length);
      const inOrder = [...stay].sort();
      expect(seen.filter((id) => stay.has(id)), `seed ${SEED}: all that stayed, in order`).toEqual(direction === 'asc' ? inOrder : inOrder.reverse());
    }
  });

  test('option direction: threads of one millisecond have an order too, the same from both ends', async () => {
    const directory = temporaryFolder();
    const ids = upTo(300).map(() => plant(directory, { id: idAt(Date.UTC(2026, 1, 1)) }).id);
    const sidecar = await openTestSidecar({ directory });
    expect(await idsOf(sidecar, { direction: 'asc', limit: 41 })).toEqual(ids);
    expect(await idsOf(sidecar, { limit: 41 })).toEqual(ids.toReversed());
  });

  test('option archived: those alone, or the others', async () => {
    const sidecar = await openTestSidecar();
    const [one, other] = [await sidecar.createThread(), await sidecar.createThread()];
    await Promise.all([one.close(), other.close()]);
    await sidecar.archiveThread(one.id);
    expect(await idsOf(sidecar)).toEqual([other.id]);
    const [archived] = await listed(sidecar, { archived: true });
    expect(archived).toMatchObject({ id: one.id, archived: true, path: archivedPath(sidecar.directory, one.id) });
    expect(await sidecar.getThread(one.id)).toEqual(archived);
    await sidecar.unarchiveThread(one.id);
    expect(await idsOf(sidecar)).toEqual([other.id, one.id]);
    expect(await idsOf(sidecar, { archived: true })).toEqual([]);
  });

  test('option sort: by creation nothing but the names decides; by change what was written last comes first', async () => {
    const directory = temporaryFolder();
    const ids = plantMany(directory, 5);
    for (const [minute, id] of ids.entries()) utimesSync(rolloutPath(directory, id), 1_000_000 + minute, 2_000_000 - minute);
    const sidecar = await openTestSidecar({ directory });
    expect(await idsOf(sidecar)).toEqual(ids.toReversed());
    expect(await idsOf(sidecar, { sort: 'updated', limit: 2 })).toEqual(ids);
    expect(await idsOf(sidecar, { sort: 'updated', direction: 'asc', limit: 2 })).toEqual(ids.toReversed());
    await sidecar.setThreadMeta(ids[3] ?? '', { title: 'again' });
    expect(await idsOf(sidecar, { sort: 'updated' })).toEqual([3, 0, 1, 2, 4].map((minute) => ids[minute]));
    expect((await listed(sidecar, { sort: 'updated' }))[1]?.updatedAt).toBe(new Date(2_000_000_000).toISOString());
  });

  test('option parentId: a level of a tree at a time, with forks among it', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    const children = [await sidecar.createThread({ parentId: root.id }), await sidecar.forkThread(root.id, { parentId: root.id })];
    const leaf = await sidecar.createThread({ parentId: children[1]?.id });
    const tree = async (parentId: string): Promise<object> => Object.fromEntries(await Promise.all((await idsOf(sidecar, { parentId, direction: 'asc' }))
      .map(async (id) => [id, await tree(id)] as const)));
    expect(await tree(root.id)).toEqual({ [children[0]?.id ?? '']: {}, [children[1]?.id ?? '']: { [leaf.id]: {} } });
    expect(await sidecar.getThread(children[1]?.id ?? '')).toMatchObject({ parentId: root.id, forkedFrom: root.id });
    expect(await idsOf(sidecar, { parentId: MISSING })).toEqual([]);
  });

  test('option cwd: the folder that metadata have now', async () => {
    const directory = temporaryFolder();
    const [one, two, three] = upTo(3).map((minute) => plant(directory, { id: idAtMinute(minute), meta: { cwd: minute === 1 ? '/b' : '/a' } }).id);
    const sidecar = await openTestSidecar({ directory });
    expect(await idsOf(sidecar, { cwd: '/a', limit: 1 })).toEqual([three, one]);
    await sidecar.setThreadMeta(two ?? '', { cwd: '/a' });
    await sidecar.setThreadMeta(one ?? '', { cwd: undefined });
    expect(await idsOf(sidecar, { cwd: '/a' })).toEqual([three, two]);
    expect(await idsOf(sidecar, { cwd: '/b' })).toEqual([]);
  });

  test('refuses options that are none, and a cursor of another order', async () => {
    const directory = temporaryFolder();
    plantMany(directory, 3);
    const sidecar = await openTestSidecar({ directory });
    const { nextCursor } = await sidecar.listThreads({ limit: 1 });
    for (const [option, value] of [
      ['limit', 0], ['limit', 1.5], ['limit', '7'], ['sort', 'title'], ['direction', 'up'], ['archived', 1], ['parentId', 'x'], ['cwd', 7], ['cursor', 7],
      ['cursor', 'x'], ['cursor', Buffer.from('[]').toString('base64url')], ['cursor', Buffer.from('["created",null,"x"]').toString('base64url')],
    ] as const) {
      expect(await rejection(sidecar.listThreads({ [option]: value }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option, value } });
    }
    expect(await rejection(sidecar.listThreads({ sort: 'updated', cursor: nextCursor }))).toMatchObject({ context: { option: 'cursor' } });
    expect(await rejection(sidecar.listThreads(null as never))).toMatchObject({ context: { option: 'options' } });
  });
});
