/** Operations that come at the same time, each found by the model of test/model. What one of them answers is then how it is. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sidecar, Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { mutantWriter, standsWhile } from '../support/mutants.js';
import { numbered, openTestSidecar, rejection, temporaryFolder, until, upTo } from '../support/sidecars.js';
import { outcomeOf, turn } from '../support/steps.js';

/** Turns of the loop by which the second operation comes behind the first. */
const DELAYS = upTo(12).flatMap((turns) => [turns, turns, turns]);

async function later(turns: number): Promise<void> {
  for (let taken = 0; taken < turns; taken += 1) await turn();
}

async function stored(sidecar: Sidecar): Promise<Thread> {
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  await thread.close();
  return thread;
}

async function readAll(sidecar: Sidecar, id: string, view: 'raw' | 'effective'): Promise<number> {
  const ordinals: number[] = [];
  for await (const { ordinal } of sidecar.readThread(id, { view })) ordinals.push(ordinal);
  return ordinals.length;
}

/** What comes of the act when it comes at one moment or another of an archiving, and of an unarchiving. */
async function whileMoved<T>(sidecar: Sidecar, id: string, act: () => Promise<T>): Promise<T[]> {
  const values: T[] = [];
  for (const turns of DELAYS) {
    for (const move of ['archiveThread', 'unarchiveThread'] as const) {
      const [value] = await Promise.all([later(turns).then(act), sidecar[move](id)]);
      values.push(value);
    }
  }
  return values;
}

describe('while a thread is archived and unarchived', () => {
  async function forked(): Promise<{ sidecar: Sidecar; base: Thread; fork: Thread }> {
    const sidecar = await openTestSidecar();
    const base = await stored(sidecar);
    const fork = await sidecar.forkThread(base.id);
    await fork.close();
    return { sidecar, base, fork };
  }

  test('it and a fork of it are read, in every view', async () => {
    const { sidecar, base, fork } = await forked();
    const views = [[base.id, 'raw'], [base.id, 'effective'], [fork.id, 'effective']] as const;
    const found = await whileMoved(sidecar, base.id, () => Promise.all(views.map(([id, view]) => readAll(sidecar, id, view))));
    expect(found).toEqual(found.map(() => [2, 2, 3]));
  });

  test('a fork of a fork of it begins', async () => {
    const { sidecar, base, fork } = await forked();
    for (const other of await whileMoved(sidecar, base.id, () => sidecar.forkThread(fork.id, { through: 1 }))) {
      await other.close();
      expect(await readAll(sidecar, other.id, 'effective')).toBe(3);
    }
  });

  test('its base is not deleted', async () => {
    const { sidecar, base, fork } = await forked();
    const outcomes = await whileMoved(sidecar, fork.id, () => outcomeOf(sidecar.deleteThread(base.id), () => 'deleted'));
    expect(new Set(outcomes)).toEqual(new Set(['LASTWORD_THREAD_REFERENCED']));
  });
});

test('reading a thread while it is deleted finds all of it, or no thread', async () => {
  const sidecar = await openTestSidecar();
  const outcomes = new Set<string>();
  for (const { id } of await Promise.all(upTo(40).map(() => stored(sidecar)))) {
    let isOver = false;
    const deleting = sidecar.deleteThread(id).finally(() => { isOver = true; });
    const readers = upTo(8).map(async () => {
      while (!isOver) outcomes.add(await outcomeOf(readAll(sidecar, id, 'effective'), String));
    });
    await Promise.all([deleting, ...readers]);
  }
  expect([...outcomes].sort()).toEqual(['2', 'LASTWORD_THREAD_NOT_FOUND']);
});

describe('deleting a tree', () => {
  test('a base stays while a fork of it is open, or is referred to from outside, and then nothing is deleted', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    root.append(numbered(0));
    const fork = await sidecar.forkThread(root.id, { parentId: root.id });
    await Promise.all([root.close(), fork.close()]);
    const open = await sidecar.resumeThread(fork.id);
    const refused = { code: 'LASTWORD_THREAD_REFERENCED', context: { threadId: root.id, referenceId: fork.id } };
    expect(await rejection(sidecar.deleteThread(root.id))).toMatchObject(refused);
    const outside = await sidecar.forkThread(fork.id);
    await Promise.all([open.close(), outside.close()]);
    expect(await rejection(sidecar.deleteThread(root.id))).toMatchObject(refused);
    expect(await readAll(sidecar, outside.id, 'effective')).toBe(4);
    await sidecar.deleteThread(outside.id);
    await sidecar.deleteThread(root.id);
    expect([root, fork].map(({ path }) => existsSync(path))).toEqual([false, false]);
  });

  test('a descendant that is the base of an open one stays with it', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    const base = await sidecar.createThread({ parentId: root.id });
    base.append(numbered(0));
    const fork = await sidecar.forkThread(base.id, { parentId: root.id });
    await root.close();
    await using open = await sidecar.resumeThread(fork.id);
    await sidecar.deleteThread(root.id);
    expect([root, base, open].map(({ path }) => existsSync(path))).toEqual([false, true, true]);
    expect(await readAll(sidecar, open.id, 'effective')).toBe(3);
  });
});

describe('closing', () => {
  test('closes a child that was resumed before its parent was', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    const child = await sidecar.createThread({ parentId: root.id });
    await root.close();
    const again = await sidecar.resumeThread(child.id);
    const parent = await sidecar.resumeThread(root.id);
    await parent.close();
    expect(again.state).toBe('closed');
  });

  test('never waits for itself: a thread that is made again is no child of one below it', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    const child = await sidecar.createThread({ parentId: root.id });
    await root.close();
    await using again = await sidecar.resumeThread(child.id);
    await sidecar.deleteThread(root.id);
    const refused = { code: 'LASTWORD_INVALID_OPTION', context: { option: 'parentId' } };
    expect(await rejection(sidecar.createThread({ id: root.id, parentId: again.id }))).toMatchObject(refused);
    expect(existsSync(root.path)).toBe(false);
    const heir = await sidecar.createThread({ id: root.id });
    await heir.close();
    expect(again.state).toBe('closed');
  });

  test('of what setThreadMeta() opens, or of what a closing parent refuses, closes no child', async () => {
    const gate = join(temporaryFolder(), 'gate');
    const sidecar = await openTestSidecar({ writerUrl: mutantWriter(standsWhile(gate)) });
    const root = await sidecar.createThread();
    const middle = await sidecar.createThread({ parentId: root.id });
    const leaf = await sidecar.createThread({ parentId: middle.id });
    await middle.close();
    await using child = await sidecar.resumeThread(leaf.id);
    // What it opens stays open until the title is written.
    writeFileSync(gate, '');
    const changing = sidecar.setThreadMeta(middle.id, { title: 'alone' });
    await until(() => sidecar.liveThread(middle.id) !== undefined, 'the opening of its own');
    expect(await rejection(sidecar.createThread({ parentId: middle.id }))).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED' });
    rmSync(gate);
    await changing;
    const hold = root.hold('work');
    const closing = root.close();
    expect(await rejection(sidecar.resumeThread(middle.id))).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED' });
    hold[Symbol.dispose]();
    await closing;
    expect([child.state, sidecar.liveThread(middle.id)]).toEqual(['open', undefined]);
  });

  test('waits for work that begins in the tick in which the last work ends', async () => {
    const thread = await (await openTestSidecar()).createThread();
    let tool = thread.hold('tool 0');
    const closing = thread.close();
    for (const index of upTo(3)) {
      await turn();
      tool[Symbol.dispose]();
      tool = thread.hold(`tool ${index + 1}`);
    }
    await turn();
    expect(thread.append(numbered(0))).toBe(1);
    tool[Symbol.dispose]();
    expect(await closing).toMatchObject({ items: 1, forced: false, heldBy: [] });
  });

  test('in the tick of a setThreadMeta() keeps none of it away', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const [, receipt] = await Promise.all([sidecar.setThreadMeta(thread.id, { title: 'both' }), thread.close()]);
    expect(receipt.late).toBe(0);
    expect(await readAll(sidecar, thread.id, 'raw')).toBe(2);
    expect(sidecar.liveThread(thread.id)).toBeUndefined();
  });
});
