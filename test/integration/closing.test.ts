/** The close of one thread: what it waits for, what it takes, and in which order things happen. */
import diagnosticsChannel from 'node:diagnostics_channel';
import { LATE, type Thread, type ThreadCloseReceipt } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { slowWriter } from '../support/mutants.js';
import { itemsOf, numbered, openTestSidecar, rejection, until, upTo } from '../support/sidecars.js';

/** A promise and what settles it. */
function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let [resolve, reject]: [(value: T) => void, (error: unknown) => void] = [() => undefined, () => undefined];
  const promise = new Promise<T>((onResolve, onReject) => { [resolve, reject] = [onResolve, onReject]; });
  return { promise, resolve, reject };
}

/** What the process hears of unhandled rejections until the test ends. */
function unhandledRejections(): unknown[] {
  const heard: unknown[] = [];
  const listener = (error: unknown): void => { heard.push(error); };
  process.on('unhandledRejection', listener);
  onTestFinished(() => { process.off('unhandledRejection', listener); });
  return heard;
}

/** Rejections are found unhandled when the microtasks are done. */
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

describe('track', () => {
  test('close waits for tracked work, and takes what it appends until it has settled', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    const work = deferred();
    const agent = work.promise.then(() => { thread.append(numbered(2)); });
    expect(thread.track(agent)).toBe(agent);
    const closing = thread.close();
    expect(thread.state).toBe('closing');
    expect(thread.append(numbered(1))).toBe(2);
    work.resolve();
    expect(await closing).toMatchObject({ items: 3, late: 0, forced: false, heldBy: [] });
    expect(await itemsOf(thread.path)).toEqual(upTo(3).map(numbered));
  });

  test('work that is tracked while the close waits is waited for too, and what follows it at once is taken', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const [first, second] = [deferred(), deferred()];
    void thread.track(first.promise);
    const closing = thread.close();
    void thread.track(second.promise);
    // Settled already: nothing ever tells of it.
    void thread.track(Promise.resolve());
    first.resolve();
    await turn();
    expect(thread.append(numbered(0))).toBe(1);
    const agent = second.promise.then(() => thread.append(numbered(1)));
    second.resolve();
    expect(await agent).toBe(2);
    expect(await closing).toMatchObject({ items: 2, forced: false });
  });

  test('the rejection of tracked work is its owner\'s: neither swallowed nor doubled, whenever it comes', async () => {
    const heard = unhandledRejections();
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const [handled, left, whileClosing, leftWhileClosing] = [deferred(), deferred(), deferred(), deferred()];
    const all = [handled, left, whileClosing, leftWhileClosing].map(({ promise }) => thread.track(promise));
    all[0]?.catch(() => undefined);
    handled.reject('handled');
    left.reject('left');
    await turn();
    expect(heard).toEqual(['left']);
    all[2]?.catch(() => undefined);
    const closing = thread.close();
    whileClosing.reject('handled too');
    leftWhileClosing.reject('left while closing');
    expect(await closing).toMatchObject({ forced: false });
    await turn();
    expect(heard).toEqual(['left', 'left while closing']);
  });

  test('thenables of other makes, many promises, and promises that follow others are waited for', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    let settle: (() => void) | undefined;
    void thread.track({ then: (onDone: () => void) => { settle = onDone; } } as unknown as PromiseLike<void>);
    const last = deferred();
    void thread.track(new Promise((resolve) => { resolve(last.promise); }));
    for (const index of upTo(1000)) void thread.track(Promise.resolve(index));
    void thread.track((async () => { await last.promise; thread.append(numbered(0)); })());
    const closing = thread.close();
    settle?.();
    last.resolve();
    expect(await closing).toMatchObject({ items: 1, forced: false });
  });

  test('work that awaits the close of its own thread is ended by the deadline', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const work = (async () => { await turn(); return thread.close(); })();
    void thread.track(work);
    const receipt = await thread.close({ timeoutMs: 200 });
    expect(receipt).toMatchObject({ forced: true, heldBy: ['tracked'] });
    expect(await work).toBe(receipt);
  });

  test('after the seal it gives the work back and waits for nothing', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    await thread.close();
    const work = new Promise<void>(() => undefined);
    expect(thread.track(work)).toBe(work);
    using hold = thread.hold('after');
    expect(hold).toBeDefined();
    expect(await thread.close()).toMatchObject({ forced: false });
  });
});

describe('hold', () => {
  test('close waits until every hold is disposed; disposing twice counts once', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const [one, other] = [thread.hold('one'), thread.hold('other')];
    const closing = thread.close();
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    await turn();
    expect(thread.append(numbered(0))).toBe(1);
    other[Symbol.dispose]();
    expect(await closing).toMatchObject({ items: 1, forced: false, heldBy: [] });
  });

  test('one that never ends is forced at half of the time and named; what comes later is late, nothing is lost', async () => {
    const logged: object[] = [];
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, warn: (members: object) => { logged.push(members); }, error: quiet } as never;
    const sidecar = await openTestSidecar({ logger });
    const thread = await sidecar.createThread();
    thread.hold('compaction');
    void thread.track(new Promise(() => undefined));
    thread.append(numbered(0));
    const receipt = await thread.close({ timeoutMs: 400 });
    expect(receipt).toMatchObject({ items: 1, forced: true, heldBy: ['compaction', 'tracked'] });
    expect(logged).toEqual([expect.objectContaining({ threadId: thread.id, heldBy: ['compaction', 'tracked'] })]);
    expect(thread.append(numbered(1))).toBe(LATE);
    expect(await itemsOf(thread.path)).toEqual([numbered(0)]);
    expect(await sidecar.close()).toMatchObject({ forced: 1, late: 1 });
  });

  test('a label that is no text is refused', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    expect(() => thread.hold(5 as never)).toThrow(expect.objectContaining({ code: 'LASTWORD_INVALID_OPTION' }));
  });
});

describe('signal', () => {
  test('aborts when the close begins: what its listeners append is taken, what they hold is waited for', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const stopped = deferred();
    thread.signal.addEventListener('abort', () => {
      thread.append(numbered(0));
      void thread.track(stopped.promise.then(() => { thread.append(numbered(1)); }));
    });
    expect(thread.signal.aborted).toBe(false);
    const closing = thread.close();
    expect(thread.signal.aborted).toBe(true);
    stopped.resolve();
    expect(await closing).toMatchObject({ items: 2 });
    expect(thread.signal.aborted).toBe(true);
  });

  test('one that is asked for only after the close is aborted', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    await thread.close();
    expect(thread.signal.aborted).toBe(true);
  });
});

describe('close', () => {
  test('option waitForTracked false: seals right after the signal, and names what was held', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.hold('slow');
    const closing = thread.close({ waitForTracked: false });
    expect(thread.append(numbered(0))).toBe(LATE);
    expect(await closing).toMatchObject({ forced: true, heldBy: ['slow'], late: 1 });
    expect(await rejection((await sidecar.createThread()).close({ waitForTracked: 'no' as never }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'waitForTracked' } });
  });

  test('every call gets the same promise, and the options of the first count', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    const first = thread.close({ durability: 'synced' });
    expect(thread.close({ durability: 'written' })).toBe(first);
    expect((await first).durability).toBe('synced');
    expect(thread.close()).toBe(first);
    expect(await thread.flush()).toBe(await first);
  });

  test('out of a listener of the signal, also a child\'s: the same promise, and one close', async () => {
    const sidecar = await openTestSidecar();
    const [root, next] = [await sidecar.createThread(), await sidecar.createThread()];
    const child = await sidecar.createThread({ parentId: root.id });
    const receipts: ThreadCloseReceipt[] = [];
    sidecar.on('threadClosed', (receipt) => { receipts.push(receipt); });
    const inside: Promise<unknown>[] = [];
    for (const thread of [root, child]) thread.signal.addEventListener('abort', () => { inside.push(thread.close(), root.close()); });
    const closing = root.close();
    expect(inside.map((promise) => promise === closing)).toEqual([true, true, false, true]);
    expect(inside[2]).toBe(child.close());
    await closing;
    expect(receipts.map(({ threadId }) => threadId)).toEqual([child.id, root.id]);
    expect(next.append(numbered(0))).toBe(1);
  });

  test('a slow disk: bounded by the deadline; called again it ends, and nothing is lost', async () => {
    const sidecar = await openTestSidecar({ writerUrl: slowWriter() });
    const thread = await sidecar.createThread();
    thread.append({ type: 'SLOW' });
    expect(await rejection(thread.close({ timeoutMs: 100 }))).toMatchObject({
      code: 'LASTWORD_DRAIN_INCOMPLETE', context: { unwritten: [{ threadId: thread.id, from: 1, to: 1 }] },
    });
    expect(thread.state).toBe('closing');
    expect(sidecar.liveThread(thread.id)).toBe(thread);
    expect(await thread.close()).toMatchObject({ items: 1, forced: false });
    expect(sidecar.liveThread(thread.id)).toBeUndefined();
  });

  test('event threadClosed: after the registry, before the promise, once; a listener that throws stops nothing', async () => {
    const logged: object[] = [];
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: (members: object) => { logged.push(members); } } as never;
    const sidecar = await openTestSidecar({ logger });
    const thread = await sidecar.createThread();
    const order: unknown[] = [];
    sidecar.on('threadClosed', () => { throw new Error('listener'); });
    sidecar.on('threadClosed', (receipt: ThreadCloseReceipt) => { order.push(sidecar.liveThread(thread.id), thread.state, receipt); });
    const receipt = await thread.close().finally(() => { order.push('resolved'); });
    await thread.close();
    expect(order).toEqual([undefined, 'closed', receipt, 'resolved']);
    expect(logged).toEqual([expect.objectContaining({ event: 'threadClosed' })]);
  });

  test('event late: told once for what comes together, then at most once a second, and nothing is left out', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const notices: { threadId: string; count: number }[] = [];
    sidecar.on('late', (notice) => { notices.push(notice); });
    await thread.close();
    for (const index of upTo(5)) expect(thread.append(numbered(index))).toBe(LATE);
    await turn();
    expect(notices).toEqual([{ threadId: thread.id, count: 5 }]);
    thread.appendAll([numbered(5), numbered(6)]);
    await turn();
    expect(notices).toHaveLength(1);
    await until(() => notices.length === 2, 'the second notice');
    expect(notices[1]).toEqual({ threadId: thread.id, count: 2 });
    thread.append(numbered(7));
    await sidecar.close();
    expect(notices.reduce((sum, { count }) => sum + count, 0)).toBe(sidecar.stats().items.late);
  });

  test('two owners with `await using`: each lets go of its claim, the last one closes', async () => {
    const sidecar = await openTestSidecar();
    let outer: Thread;
    {
      await using thread = await sidecar.createThread();
      outer = thread;
      {
        await using again = await sidecar.resumeThread(thread.id);
        expect(again).toBe(thread);
      }
      expect(thread.state).toBe('open');
      thread.append(numbered(0));
    }
    expect(outer.state).toBe('closed');
    await outer[Symbol.asyncDispose]();
    expect(sidecar.stats().threads.closed).toBe(1);
  });
});

describe('events', () => {
  test('are published on diagnostics channels too, also those that nobody listens to', async () => {
    const heard: unknown[] = [];
    const listen = (message: unknown, name: string | symbol): void => { heard.push([name, message]); };
    const names = ['lastword:threadClosed', 'lastword:late', 'lastword:resumeFailed'];
    for (const name of names) diagnosticsChannel.subscribe(name, listen);
    onTestFinished(() => { for (const name of names) diagnosticsChannel.unsubscribe(name, listen); });
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const receipt = await thread.close();
    thread.append(numbered(0));
    await turn();
    const requestedId = '01936c1e-7b2a-7000-8000-000000000001';
    const fresh = await sidecar.resumeThread(requestedId, { ifMissing: 'create' });
    expect(heard).toEqual([
      ['lastword:threadClosed', receipt], ['lastword:late', { threadId: thread.id, count: 1 }],
      ['lastword:resumeFailed', { requestedId, threadId: fresh.id, error: expect.objectContaining({ code: 'LASTWORD_THREAD_NOT_FOUND' }) as unknown }],
    ]);
  });
});
