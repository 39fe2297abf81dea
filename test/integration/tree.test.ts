/** Threads that spawned others: a close goes through the whole subtree, children first. */
import { writeFileSync } from 'node:fs';
import { LATE, type Sidecar, type Thread, type ThreadCloseReceipt } from 'lastword';
import { describe, expect, test } from 'vitest';
import { linesOf, numbered, openTestSidecar, recordsOf, rejection, upTo } from '../support/sidecars.js';

/** Which threads have closed, in order. */
function closedOrder(sidecar: Sidecar): ThreadCloseReceipt[] {
  const receipts: ThreadCloseReceipt[] = [];
  sidecar.on('threadClosed', (receipt) => { receipts.push(receipt); });
  return receipts;
}

async function child(sidecar: Sidecar, parent: Thread): Promise<Thread> {
  return sidecar.createThread({ parentId: parent.id });
}

describe('createThread', () => {
  test('option parentId: the child names its parent, and so does its header', async () => {
    const sidecar = await openTestSidecar();
    const parent = await sidecar.createThread();
    const thread = await sidecar.createThread({ parentId: parent.id, meta: { cwd: '/work' } });
    expect([parent.parentId, thread.parentId]).toEqual([undefined, parent.id]);
    expect((await recordsOf(thread.path))[0]).toMatchObject({ payload: { cwd: '/work', parent_thread_id: parent.id } });
  });

  test('option parentId: one that is nowhere, stored, closing, closed or malformed is refused, and nothing is made', async () => {
    const sidecar = await openTestSidecar();
    const [stored, closing] = [await sidecar.createThread(), await sidecar.createThread()];
    await stored.close();
    const hold = closing.hold('work');
    const closed = closing.close();
    const before = sidecar.stats().files.opened;
    const missing = '01936c1e-7b2a-7000-8000-000000000001';
    for (const [parentId, code] of [
      [missing, 'LASTWORD_THREAD_NOT_FOUND'], [stored.id, 'LASTWORD_THREAD_CLOSED'], [closing.id, 'LASTWORD_THREAD_CLOSED'], ['../x', 'LASTWORD_INVALID_OPTION'],
    ] as const) {
      expect(await rejection(sidecar.createThread({ parentId }))).toMatchObject({ code });
    }
    expect(await rejection(sidecar.createThread({ id: missing, parentId: missing }))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
    expect(sidecar.stats().files.opened).toBe(before);
    expect([...sidecar.liveThreads()]).toEqual([closing]);
    hold[Symbol.dispose]();
    await closed;
  });
});

describe('close of a thread', () => {
  test('closes its descendants first, from the leaves up, and no other', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    const other = await sidecar.createThread();
    const [one, two] = [await child(sidecar, root), await child(sidecar, root)];
    const [leaf, deepest] = await (async () => {
      const below = await child(sidecar, one);
      return [below, await child(sidecar, below)];
    })();
    const order = closedOrder(sidecar);
    for (const thread of [root, one, two, leaf, deepest]) thread.append(numbered(0));
    await root.close();
    const ids = order.map(({ threadId }) => threadId);
    expect(ids).toHaveLength(5);
    const place = (thread: Thread | undefined): number => ids.indexOf(thread?.id ?? '');
    for (const [lower, upper] of [[deepest, leaf], [leaf, one], [one, root], [two, root]]) expect(place(lower)).toBeLessThan(place(upper));
    expect(other.state).toBe('open');
  });

  test('signals abort at once down to the last descendant; what is appended until each seal is taken', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    const below = await child(sidecar, root);
    const leaf = await child(sidecar, below);
    const order: string[] = [];
    const agents = [root, below, leaf].map((thread, index) => thread.track((async () => {
      await new Promise((resolve) => { thread.signal.addEventListener('abort', resolve); });
      order.push(`stop ${index}`);
      await new Promise((resolve) => { setImmediate(resolve); });
      expect(thread.append(numbered(index))).toBe(1);
    })()));
    const closing = root.close();
    expect([root, below, leaf].map(({ signal, state }) => [signal.aborted, state])).toEqual(upTo(3).map(() => [true, 'closing']));
    expect(await closing).toMatchObject({ items: 1, forced: false });
    await Promise.all(agents);
    expect(order).toEqual(['stop 0', 'stop 1', 'stop 2']);
    expect([...sidecar.liveThreads()]).toEqual([]);
  });

  test('a child that hangs is forced at half of the deadline, says so itself, and keeps no sibling open', async () => {
    const sidecar = await openTestSidecar({ logger: false });
    const root = await sidecar.createThread();
    const [hung, sibling] = [await child(sidecar, root), await child(sidecar, root)];
    const order = closedOrder(sidecar);
    hung.hold('hung tool');
    hung.append(numbered(0));
    const closing = root.close({ timeoutMs: 600 });
    await sibling.close();
    expect(sibling.state).toBe('closed');
    expect(hung.state).toBe('closing');
    expect(await closing).toMatchObject({ forced: false });
    expect(hung.append(numbered(1))).toBe(LATE);
    expect(order).toMatchObject([
      { threadId: sibling.id, forced: false }, { threadId: hung.id, forced: true, heldBy: ['hung tool'], items: 1 }, { threadId: root.id, forced: false },
    ]);
    expect(await sidecar.close()).toMatchObject({ threads: 3, forced: 1, late: 1 });
  });

  test('children that are spawned meanwhile are refused, or closed before their parent', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    const order = closedOrder(sidecar);
    const spawning = upTo(20).map(() => child(sidecar, root));
    await spawning[0];
    const closing = root.close();
    const late = upTo(5).map(() => rejection(child(sidecar, root)));
    await closing;
    for (const error of await Promise.all(late)) expect(error).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED' });
    for (const outcome of await Promise.allSettled(spawning)) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED' });
      else expect(outcome.value.state).toBe('closed');
    }
    expect(order.at(-1)?.threadId).toBe(root.id);
    expect([...sidecar.liveThreads()]).toEqual([]);
  });

  test('a child that failed does not keep its parent from draining, but the close says so', async () => {
    const { appendFileSync } = await import('node:fs');
    const sidecar = await openTestSidecar({ logger: false });
    const root = await sidecar.createThread();
    const broken = await child(sidecar, root);
    broken.append(numbered(0));
    await broken.flush();
    appendFileSync(broken.path, 'foreign\n');
    broken.append(numbered(1));
    root.append(numbered(0));
    expect(await rejection(root.close())).toMatchObject({ code: 'LASTWORD_DRAIN_INCOMPLETE', context: { unwritten: [{ threadId: broken.id, from: 2, to: 2 }] } });
    expect(root).toMatchObject({ state: 'closing', accepted: 2, written: 2 });
    expect(root.append(numbered(1))).toBe(LATE);
  });
});

describe('resumeThread', () => {
  test('a resumed child is closed with its parent again, and refused while the parent closes', async () => {
    const sidecar = await openTestSidecar();
    const root = await sidecar.createThread();
    const first = await child(sidecar, root);
    await first.close();
    const again = await sidecar.resumeThread(first.id);
    expect(again.parentId).toBe(root.id);
    const hold = root.hold('work');
    const closing = root.close();
    await again.close();
    expect(await rejection(sidecar.resumeThread(first.id))).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED' });
    hold[Symbol.dispose]();
    await closing;
    expect((await sidecar.resumeThread(first.id)).parentId).toBe(root.id);
  });

  test('headers that name each other, or themselves, as parents: resumed, and closed like others', async () => {
    const sidecar = await openTestSidecar();
    const [one, other, self] = [await sidecar.createThread(), await sidecar.createThread(), await sidecar.createThread()];
    await Promise.all([one, other, self].map((thread) => thread.close()));
    for (const [thread, parent] of [[one, other], [other, one], [self, self]] as const) {
      const header = (linesOf(thread.path)[0] ?? '').replace('"payload":{', `"payload":{"parent_thread_id":"${parent.id}",`).replace(/,"crc":"[0-9a-f]{8}"/, '');
      writeFileSync(thread.path, `${header}\n`);
    }
    const resumed: Thread[] = [];
    for (const { id } of [one, other, self, one]) resumed.push(await sidecar.resumeThread(id));
    expect(resumed.map(({ parentId }) => parentId)).toEqual([other.id, one.id, undefined, other.id]);
    const [first, , alone] = resumed;
    for (const thread of resumed) thread.append(numbered(0));
    expect(await first?.close()).toMatchObject({ items: 2, forced: false });
    expect(await alone?.close()).toMatchObject({ items: 1, forced: false });
    expect([...sidecar.liveThreads()]).toEqual([]);
  });
});
