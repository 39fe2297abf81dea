import type { Sidecar } from 'lastword';
import { describe, expect, test } from 'vitest';
import { HostWorker, type State } from '../support/producers/workers.js';
import { itemsOf, numbered, openTestSidecar, rejection, thrown, upTo } from '../support/sidecars.js';
import { within } from '../support/steps.js';

describe('createProducerPort', () => {
  test('gives no port once the sidecar is closed', async () => {
    const sidecar = await openTestSidecar();
    await sidecar.close();
    expect(thrown(() => sidecar.createProducerPort())).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
  });
});

describe('attachProducer', () => {
  test('makes a worker append by itself, and its items are on disk in order', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    const { id, ordinals } = await worker.tell(async (state, count) => {
      const thread = await state.producer.createThread({ meta: { title: 'elsewhere' } });
      state.threads.push(thread);
      const taken = Array.from({ length: count }, (_, index) => thread.append({ type: 'event_msg', payload: { index, text: `item ${index}` } }));
      await thread.flush();
      return { id: thread.id, ordinals: taken };
    }, 1000);
    expect(ordinals).toEqual(upTo(1000).map((index) => index + 1));
    const [live] = [...sidecar.liveThreads()];
    expect(live).toMatchObject({ id, state: 'open', accepted: 1001, written: 1001 });
    expect(sidecar.liveThread(id)).toBeUndefined();
    const receipt = await worker.tell(({ threads: [thread] }) => thread?.close());
    expect(receipt).toMatchObject({ threadId: id, items: 1000, forced: false, heldBy: [], nextOrdinal: 1001 });
    expect(await itemsOf(live?.path ?? '')).toEqual(upTo(1000).map(numbered));
    expect([...sidecar.liveThreads()]).toEqual([]);
    expect((await sidecar.getThread(id))?.title).toBe('elsewhere');
  });

  test('makes the memory its own through the port of createProducerPort', async () => {
    const sidecar = await openTestSidecar();
    const [one, other] = [await HostWorker.attached(sidecar), await HostWorker.attached(sidecar)];
    for (const worker of [one, other]) {
      await worker.tell(async (state) => {
        const thread = await state.producer.createThread();
        thread.append({ type: 'event_msg' });
      });
    }
    const figures = await one.tell(({ producer }) => producer.stats());
    expect(figures).toMatchObject({ threads: { open: 1 }, items: { accepted: 1 } });
    expect(sidecar.stats()).toMatchObject({ threads: { open: 2 }, items: { accepted: 2 } });
  });

  test('returns the same producer for a further port, which it closes', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    const port = sidecar.createProducerPort();
    const isSame = await worker.tell(async (state, given) => {
      const closed = new Promise((resolve) => { given.port.once('close', resolve); });
      const same = await state.attachProducer(given) === state.producer;
      await closed;
      return same;
    }, port, [port.port]);
    expect(isSame).toBe(true);
  });
});

describe('close of a thread in another JavaScript thread', () => {
  test('by the sidecar\'s own thread keeps what was accepted before the seal and answers LATE behind it', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    const id = await worker.tell(async (state) => {
      const thread = await state.producer.createThread();
      state.threads.push(thread);
      const appended: number[] = [];
      state['appended'] = appended;
      const step = (): void => {
        for (let index = 0; index < 50; index += 1) appended.push(thread.append({ type: 'event_msg', payload: { index: appended.length, text: `item ${appended.length}` } }));
        if (appended.at(-1) !== -1) setImmediate(step);
      };
      step();
      return thread.id;
    });
    const [live] = [...sidecar.liveThreads()];
    const receipt = await live?.close();
    const appended = await worker.tell((state) => state['appended'] as number[]);
    const taken = appended.filter((ordinal) => ordinal !== -1);
    expect(taken).toEqual(upTo(taken.length).map((index) => index + 1));
    expect(appended.slice(taken.length).every((ordinal) => ordinal === -1)).toBe(true);
    expect(receipt).toMatchObject({ threadId: id, items: taken.length, forced: false });
    expect(await itemsOf(live?.path ?? '')).toEqual(upTo(taken.length).map(numbered));
  });

  test('waits for the work that is tracked there, and aborts its signal first', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    await worker.tell(async (state) => {
      const thread = await state.producer.createThread();
      state.threads.push(thread);
      const last = new Promise<void>((resolve) => {
        thread.signal.addEventListener('abort', () => setImmediate(() => { thread.append({ type: 'event_msg', payload: 'last word' }); resolve(); }));
      });
      void thread.track(last);
    });
    const [live] = [...sidecar.liveThreads()];
    expect(await live?.close()).toMatchObject({ items: 1, forced: false });
    expect(await itemsOf(live?.path ?? '')).toEqual([{ type: 'event_msg', payload: 'last word' }]);
  });

  test('is forced past work that does not end, and names it', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    await worker.tell(async (state) => {
      const thread = await state.producer.createThread();
      state['held'] = thread.hold('a tool that hangs');
    });
    const [live] = [...sidecar.liveThreads()];
    expect(await live?.close({ timeoutMs: 1_000 })).toMatchObject({ forced: true, heldBy: ['a tool that hangs'] });
  });
});

describe('the end of a producer', () => {
  const ENDS = {
    'process.exit': (): void => { process.exit(3); },
    'an exception': (): void => { setImmediate(() => { throw new Error('of the host'); }); },
    'its natural end': (): void => { process.getBuiltinModule('node:worker_threads').parentPort?.close(); },
  };
  for (const [name, end] of Object.entries({ ...ENDS, terminate: undefined })) {
    test(`by ${name} leaves everything that was accepted on disk, and its threads closed by force`, async () => {
      const sidecar = await openTestSidecar();
      const worker = await HostWorker.attached(sidecar);
      const path = await worker.tell(async (state) => {
        const thread = await state.producer.createThread();
        for (let index = 0; index < 500; index += 1) thread.append({ type: 'event_msg', payload: { index, text: `item ${index}` } });
        return thread.path;
      });
      const closed = new Promise((resolve) => { sidecar.once('threadClosed', resolve); });
      if (end === undefined) await worker.worker.terminate();
      else void worker.told(end, undefined);
      expect(await within(closed, 'the close of its thread')).toMatchObject({ forced: true, heldBy: ['producer'], items: 500 });
      expect(await itemsOf(path)).toEqual(upTo(500).map(numbered));
      expect([...sidecar.liveThreads()]).toEqual([]);
    });
  }
});

test('a thread that is open in a producer is busy for everybody else, who is told where it is', async () => {
  const sidecar = await openTestSidecar();
  const [one, other] = [await HostWorker.attached(sidecar), await HostWorker.attached(sidecar)];
  const id = await one.tell(async (state) => {
    const thread = await state.producer.createThread();
    state.threads.push(thread);
    return thread.id;
  });
  const busy = { code: 'LASTWORD_THREAD_BUSY', context: { threadId: id, owner: { producer: 1 } } };
  expect(await rejection(sidecar.resumeThread(id))).toMatchObject(busy);
  expect(await rejection(other.tell((state, given) => state.producer.resumeThread(given).then(() => undefined), id))).toMatchObject(busy);
  // It moves by close and resume.
  const closing = one.tell(({ threads: [thread] }) => thread?.close());
  await closing;
  expect(await other.tell(async (state, given) => (await state.producer.resumeThread(given)).append({ type: 'event_msg' }), id)).toBe(1);
});

describe('a producer that resumes a thread that is closing', () => {
  interface Waiting { readonly sidecar: Sidecar; readonly holder: HostWorker; readonly waiter: HostWorker; readonly id: string; readonly resumed: Promise<unknown> }

  /** Open in one worker, closing, and held by its work; another one has asked for it. */
  async function waiting(): Promise<Waiting> {
    const sidecar = await openTestSidecar();
    const [holder, waiter] = [await HostWorker.attached(sidecar), await HostWorker.attached(sidecar)];
    const id = await holder.tell(async (state) => {
      const thread = await state.producer.createThread();
      state['tool'] = thread.hold('a tool');
      return thread.id;
    });
    void [...sidecar.liveThreads()][0]?.close();
    const resumed = waiter.told(async (state, given) => {
      const controller = new AbortController();
      state['controller'] = controller;
      const resuming = state.producer.resumeThread(given, { signal: controller.signal });
      return resuming.then((thread) => thread.append({ type: 'event_msg' }), (error: unknown) => (error as Error).message);
    }, id);
    // What it asks for is behind what it has asked for: the sidecar has heard of it.
    await waiter.tell(async ({ producer }) => { await producer.createThread(); });
    return { sidecar, holder, waiter, id, resumed };
  }

  const letGo = (state: State): void => { (state['tool'] as Disposable)[Symbol.dispose](); };

  test('waits no longer once its signal aborts, and opens nothing behind the close', async () => {
    const { sidecar, holder, waiter, id, resumed } = await waiting();
    await waiter.tell((state) => { (state['controller'] as AbortController).abort(new Error('of the host')); });
    expect(await within(resumed, 'the end of the wait')).toBe('of the host');
    expect([...sidecar.liveThreads()].find((thread) => thread.id === id)?.state).toBe('closing');
    const closed = new Promise((resolve) => { sidecar.once('threadClosed', resolve); });
    await holder.tell(letGo);
    expect(await closed).toMatchObject({ threadId: id, forced: false });
    // Its turn has passed: the next in line finds it closed, and gets it.
    expect(await waiter.tell(async ({ producer }, given) => (await producer.resumeThread(given)).append({ type: 'event_msg' }), id)).toBe(1);
  });

  test('gets it behind the close where nothing aborts', async () => {
    const { holder, resumed } = await waiting();
    await holder.tell(letGo);
    expect(await within(resumed, 'the handle')).toBe(1);
  });

  test('waits no longer either behind its own close of it, which began when the answer was on its way', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    const outcome = worker.tell(async ({ producer }) => {
      const thread = await producer.createThread();
      const tool = thread.hold('a tool');
      const controller = new AbortController();
      const resuming = producer.resumeThread(thread.id, { signal: controller.signal }).then(() => 'resumed', (error: unknown) => (error as Error).message);
      const closing = thread.close();
      // Behind its answer.
      await producer.createThread();
      controller.abort(new Error('of the host'));
      const outcomeOfResume = await resuming;
      const { state } = thread;
      tool[Symbol.dispose]();
      return [outcomeOfResume, state, (await closing).forced];
    });
    expect(await outcome).toEqual(['of the host', 'closing', false]);
  });
});
