/** What a producer and its port refuse, and what crosses between JavaScript threads as it is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { attachProducer, type ProducerPort, type SidecarEvents } from 'lastword';
import { describe, expect, test } from 'vitest';
import { mutantPackage, mutantWriter } from '../support/mutants.js';
import { HostWorker } from '../support/producers/workers.js';
import { itemsOf, openTestSidecar, recordsOf, rejection, temporaryFolder, until } from '../support/sidecars.js';
import { turn, within } from '../support/steps.js';

const refused = (option: string): object => ({ code: 'LASTWORD_INVALID_OPTION', context: { option } });

describe('attachProducer refuses', () => {
  test('the main thread, where the sidecar itself appends', async () => {
    const sidecar = await openTestSidecar();
    expect(await rejection(attachProducer(sidecar.createProducerPort()))).toMatchObject(refused('port'));
  });

  test('what is no port, and a redact that is no function', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.start();
    for (const given of [undefined, null, 1, {}, { port: 'port' }]) {
      expect(await rejection(worker.tell((state, port) => state.attachProducer(port as never).then(() => undefined), given))).toMatchObject(refused('port'));
    }
    const port = sidecar.createProducerPort();
    await worker.tell((state, given) => { state['port'] = given; }, port, [port.port]);
    for (const [option, options] of [['redact', { redact: 'all' }], ['options', null], ['options', 1]] as const) {
      const asked = worker.tell((state, given) => state.attachProducer(state['port'] as ProducerPort, given as never).then(() => undefined), options);
      expect(await rejection(asked)).toMatchObject(refused(option));
    }
    // None of this used it up, and neither does what the host itself sends over it.
    await worker.tell(async (state) => {
      const given = state['port'] as ProducerPort;
      for (const message of [null, 'hello', { lastword: 'answer' }, { lastword: 7 }]) given.port.postMessage(message);
      await state.attachProducer(given);
    });
  });

  test('a port of a sidecar that is closed, before and after it was sent', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.start();
    const sent = sidecar.createProducerPort();
    await worker.tell((state, given) => { state['port'] = given; }, sent, [sent.port]);
    await sidecar.close();
    const asked = worker.tell((state) => state.attachProducer(state['port'] as ProducerPort).then(() => undefined));
    expect(await rejection(asked)).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
    const other = await openTestSidecar();
    const kept = other.createProducerPort();
    await other.close();
    // The platform's own error: it can be transferred no more.
    expect(await rejection(worker.attach(kept))).toMatchObject({ name: 'DataCloneError' });
  });

  test.each([['answers', 'while (!stopped) await new Promise((resolve) => { setImmediate(resolve); });'], ['ends', 'await new Promise(() => undefined);']])(
    'a port of a sidecar that is closed while the writer, which then %s, makes room for the producer', async (_what, wait) => {
      const asked = join(temporaryFolder(), 'asked');
      const sidecar = await openTestSidecar({ writerUrl: mutantWriter({
        file: 'worker/control.js', find: '    addRing(ring) {', replace: `    async addRing(ring) {
        const reply = await this.added(ring);
        (await import('node:fs')).writeFileSync(${JSON.stringify(asked)}, '');
        ${wait.replace('stopped', 'this.isStopped')}
        return reply;
    }
    added(ring) {`,
      }, { file: 'worker/control.js', find: '    shutdown() {', replace: `    async shutdown() {
        this.isStopped = true;
        for (let turns = 0; turns < 10; turns += 1) await new Promise((resolve) => { setImmediate(resolve); });
        return this.end();
    }
    end() {` }) });
      const worker = await HostWorker.start();
      const attaching = rejection(worker.attach(sidecar.createProducerPort()));
      await until(() => existsSync(asked), 'the ring');
      await sidecar.close();
      expect(await within(attaching, 'the refusal')).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
    },
  );

  test('a port that another thread has attached with, which keeps its producer', async () => {
    const sidecar = await openTestSidecar();
    const [one, other] = [await HostWorker.start(), await HostWorker.start()];
    const { port1, port2 } = new MessageChannel();
    const port = sidecar.createProducerPort();
    // It says hello, and gives the port away before the answer comes.
    const first = one.told(async (state, { given, to }) => {
      const { port } = given;
      const said = new Promise<void>((resolve) => {
        const post = port.postMessage.bind(port);
        port.postMessage = (message: unknown) => { post(message); resolve(); };
      });
      const attaching = state.attachProducer(given);
      await Promise.race([said, attaching]);
      to.postMessage({ port: given.port }, [given.port]);
      await attaching;
    }, { given: port, to: port2 }, [port.port, port2]);
    const refusedFirst = rejection(first);
    const passed = await new Promise<ProducerPort>((resolve) => { port1.once('message', resolve); });
    port1.close();
    const second = rejection(other.tell((state, given) => state.attachProducer(given).then(() => undefined), passed, [passed.port]));
    expect(await refusedFirst).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
    expect(await second).toMatchObject(refused('port'));
    // Whoever has not got it gets another.
    await other.attach(sidecar.createProducerPort());
    expect(await other.tell(async ({ producer }) => (await producer.createThread()).append({ type: 'event_msg' }))).toBe(1);
  });

  test('a copy of the library of another version', async () => {
    const sidecar = await openTestSidecar();
    const { lastwordUrl } = mutantPackage({ file: 'src/version.js', find: "'0.1.0'", replace: "'0.0.9'" });
    const worker = await HostWorker.start(lastwordUrl);
    const error = await rejection(worker.attach(sidecar.createProducerPort()));
    expect(error).toMatchObject(refused('port'));
    expect((error as Error).message).toContain('0.0.9');
  });

  test('a producer without redact where the sidecar has one, and takes what it makes of items and metadata with it', async () => {
    const sidecar = await openTestSidecar({ redact: () => { throw new Error('not for what others append'); } });
    const worker = await HostWorker.start();
    expect(await rejection(worker.attach(sidecar.createProducerPort()))).toMatchObject(refused('redact'));
    const port = sidecar.createProducerPort();
    const path = await worker.tell(async (state, given) => {
      const producer = await state.attachProducer(given, { redact: (item) => ({ ...item, payload: item.type === 'session_meta' ? { title: 'redacted' } : 'redacted' }) });
      const thread = await producer.createThread({ meta: { title: 'secret' } });
      thread.append({ type: 'event_msg', payload: 'secret' });
      await thread.close();
      return thread.path;
    }, port, [port.port]);
    const [header, item] = await recordsOf(path);
    expect([(header?.payload as { title: string }).title, item?.payload]).toEqual(['redacted', 'redacted']);
  });
});

describe('a producer', () => {
  test('asks for threads as the sidecar does: what is refused there is refused with the same code', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    const missing = '01936c1e-7b2a-7000-8000-000000000001';
    const codes = await worker.tell(async ({ producer }, id) => {
      const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'resolved', (error: unknown) => (error as { code?: string }).code);
      const thread = await producer.createThread();
      return [
        await codeOf(producer.createThread({ id: 'no id' })), await codeOf(producer.createThread({ id: thread.id })), await codeOf(producer.createThread({ parentId: id })),
        await codeOf(producer.createThread({ meta: { id } })), await codeOf(producer.resumeThread(id)), await codeOf(producer.resumeThread('x')),
        await codeOf(producer.forkThread(id)), await codeOf(producer.forkThread(thread.id, { through: 9 })),
      ];
    }, missing);
    expect(codes).toEqual([
      'LASTWORD_INVALID_OPTION', 'LASTWORD_THREAD_EXISTS', 'LASTWORD_THREAD_NOT_FOUND', 'LASTWORD_INVALID_OPTION', 'LASTWORD_THREAD_NOT_FOUND', 'LASTWORD_INVALID_OPTION',
      'LASTWORD_THREAD_NOT_FOUND', 'LASTWORD_INVALID_OPTION',
    ]);
  });

  test('resumes, forks, makes a fresh thread instead of a missing one, and shares a handle that it has', async () => {
    const sidecar = await openTestSidecar();
    const failed: SidecarEvents['resumeFailed'][] = [];
    sidecar.on('resumeFailed', (event) => { failed.push(event); });
    const worker = await HostWorker.attached(sidecar);
    const missing = '01936c1e-7b2a-7000-8000-000000000001';
    const seen = await worker.tell(async ({ producer }, id) => {
      const thread = await producer.createThread();
      thread.append({ type: 'event_msg', payload: 1 });
      const same = await producer.resumeThread(thread.id);
      const fork = await producer.forkThread(thread.id, { parentId: thread.id });
      const fresh = await producer.resumeThread(id, { ifMissing: 'create' });
      await same[Symbol.asyncDispose]();
      const stateAfterOne = thread.state;
      const controller = new AbortController();
      controller.abort(new Error('of the host'));
      const aborted = await producer.resumeThread(id, { signal: controller.signal }).catch((error: unknown) => (error as Error).message);
      return { isSame: same === thread, stateAfterOne, fork: fork.accepted, forkedFrom: fork.parentId === thread.id, fresh: fresh.id, origin: fresh.origin, aborted, receipts: (await producer.flush()).length };
    }, missing);
    expect(seen).toMatchObject({ isSame: true, stateAfterOne: 'open', fork: 3, forkedFrom: true, origin: 'created', aborted: 'of the host', receipts: 3 });
    expect(failed.map(({ requestedId, threadId }) => ({ requestedId, threadId }))).toEqual([{ requestedId: missing, threadId: seen.fresh }]);
  });

  test('closes what was spawned from its threads elsewhere first, and says so on their signals', async () => {
    const sidecar = await openTestSidecar();
    const [above, below] = [await HostWorker.attached(sidecar), await HostWorker.attached(sidecar)];
    const parentId = await above.tell(async (state) => {
      const thread = await state.producer.createThread();
      state.threads.push(thread);
      return thread.id;
    });
    await below.tell(async (state, id) => {
      const thread = await state.producer.createThread({ parentId: id });
      state.threads.push(thread);
      thread.signal.addEventListener('abort', () => { thread.append({ type: 'event_msg', payload: 'last' }); });
      thread.track(new Promise((resolve) => { thread.signal.addEventListener('abort', resolve); })).catch(() => undefined);
    }, parentId);
    const closed: string[] = [];
    sidecar.on('threadClosed', ({ threadId }) => { closed.push(threadId); });
    const paths = [...sidecar.liveThreads()].map(({ path }) => path);
    await above.tell(({ threads: [thread] }) => thread?.close());
    expect(closed).toHaveLength(2);
    expect(closed[1]).toBe(parentId);
    expect(await itemsOf(paths[1] ?? '')).toEqual([{ type: 'event_msg', payload: 'last' }]);
  });

  test('close of its threads does not force them, and it can be attached again', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    const receipts: object[] = [];
    sidecar.on('threadClosed', (receipt) => { receipts.push(receipt); });
    const after = await worker.tell(async ({ producer }) => {
      const thread = await producer.createThread();
      thread.append({ type: 'event_msg' });
      await producer.close();
      await producer.close();
      const code = await producer.createThread().then(() => 'resolved', (error: unknown) => (error as { code?: string }).code);
      return { code, late: thread.append({ type: 'event_msg' }), state: thread.state };
    });
    expect(after).toEqual({ code: 'LASTWORD_NOT_OPEN', late: -1, state: 'closed' });
    expect(receipts).toMatchObject([{ items: 1, forced: false }]);
    await worker.attach(sidecar.createProducerPort());
    expect(await worker.tell(async ({ producer }) => (await producer.createThread()).append({ type: 'event_msg' }))).toBe(1);
  });

  test('counts what comes late there, and the event late is told by the sidecar', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    const late: object[] = [];
    sidecar.on('late', (event) => { late.push(event); });
    const id = await worker.tell(async ({ producer }) => {
      const thread = await producer.createThread();
      await thread.close();
      for (let index = 0; index < 3; index += 1) thread.append({ type: 'event_msg' });
      return thread.id;
    });
    await until(() => late.length > 0, 'the event late');
    expect(late).toEqual([{ threadId: id, count: 3 }]);
    await turn();
    expect(sidecar.stats().items.late).toBe(3);
    expect((await sidecar.close()).late).toBe(3);
  });

  test('hears that the sidecar is closed: its threads are, and it opens no more', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.attached(sidecar);
    const path = await worker.tell(async (state) => {
      const thread = await state.producer.createThread();
      state.threads.push(thread);
      thread.append({ type: 'event_msg', payload: 1 });
      return thread.path;
    });
    expect(await sidecar.close()).toMatchObject({ threads: 1, items: 1, forced: 0 });
    const seen = await worker.tell(async ({ producer, threads: [thread] }) => ({
      late: thread?.append({ type: 'event_msg' }), state: thread?.state,
      code: await producer.createThread().then(() => 'resolved', (error: unknown) => (error as { code?: string }).code),
    }));
    expect(seen).toEqual({ late: -1, state: 'closed', code: 'LASTWORD_NOT_OPEN' });
    expect(await itemsOf(path)).toEqual([{ type: 'event_msg', payload: 1 }]);
  });
});
