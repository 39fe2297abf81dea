/** setThreadMeta() of a thread that another JavaScript thread appends to. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSidecar as open, type Sidecar, type SidecarOptions } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mutantPackage, mutantWriter } from '../support/mutants.js';
import { HostWorker } from '../support/producers/workers.js';
import { openTestSidecar, recordsOf, rejection, temporaryFolder, until } from '../support/sidecars.js';
import { outcomeOf, turn } from '../support/steps.js';

interface Elsewhere { readonly sidecar: Sidecar; readonly worker: HostWorker; readonly id: string; readonly path: string }

/** A thread with one item that is open in a worker. */
async function openElsewhere(options: Partial<SidecarOptions> = {}): Promise<Elsewhere> {
  const sidecar = await openTestSidecar(options);
  const worker = await HostWorker.attached(sidecar);
  const { id, path } = await worker.tell(async (state) => {
    const thread = await state.producer.createThread({ meta: { title: 'first', cwd: '/a' } });
    state.threads.push(thread);
    thread.append({ type: 'event_msg', payload: 1 });
    return { id: thread.id, path: thread.path };
  });
  return { sidecar, worker, id, path };
}

/** Blocks the worker until the returned function is called. */
async function block(worker: HostWorker): Promise<() => void> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  void worker.told((_state, given) => {
    Atomics.store(given, 0, 1);
    Atomics.wait(given, 1, 0);
  }, words);
  await until(() => Atomics.load(words, 0) === 1, 'the block of the worker');
  return () => {
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
  };
}

/** Of the further headers. */
async function changesOf(path: string): Promise<object[]> {
  const records = await recordsOf(path);
  return records.slice(1).filter(({ type }) => type === 'session_meta').map(({ payload }) => {
    const { id, history_mode, ...meta } = payload as Record<string, unknown>;
    return meta;
  });
}

describe('setThreadMeta of a thread that is open in a producer', () => {
  test('is appended there in its turn, written when it resolves, and known to the handle there', async () => {
    const { sidecar, worker, id, path } = await openElsewhere();
    await sidecar.setThreadMeta(id, { title: 'second', cwd: undefined, at: new Date(0) });
    expect((await recordsOf(path)).map(({ type, ordinal }) => [type, ordinal])).toEqual([['session_meta', 0], ['event_msg', 1], ['session_meta', 2]]);
    const after = await worker.tell(({ threads: [thread] }) => [thread?.state, thread?.append({ type: 'event_msg' }), thread?.setMeta({ model: 'm' })]);
    expect(after).toEqual(['open', 3, 4]);
    await sidecar.setThreadMeta(id, { title: 'third' });
    const at = '1970-01-01T00:00:00.000Z';
    expect(await changesOf(path)).toEqual([{ title: 'second', cwd: null, at }, { title: 'second', at, model: 'm' }, { title: 'third', at, model: 'm' }]);
    expect((await sidecar.getThread(id))?.title).toBe('third');
    expect(await worker.tell(({ threads: [thread] }) => thread?.close())).toMatchObject({ items: 5, late: 0, forced: false });
  });

  test('refuses what setThreadMeta() of an own thread refuses, with the same error, and takes nothing of it', async () => {
    const { sidecar, worker, id } = await openElsewhere({ itemBytesMax: 4096 });
    const own = await sidecar.createThread();
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    const refused: unknown[] = [
      undefined, null, 7, [], { id: 'x' }, { timestamp: 0 }, { history_mode: 'x' }, { title: Symbol('x') }, { title: cyclic }, { title: 'x'.repeat(8192) },
      { get title(): string { throw new Error('of the host'); } }, { title: { toJSON: () => { throw new TypeError('of the host'); } } },
    ];
    const refusal = async (threadId: string, patch: unknown): Promise<object> => {
      const { code, message, context: { bytes, ...context } } = await rejection(sidecar.setThreadMeta(threadId, patch as never)) as { code: string; message: string; context: Record<string, unknown> };
      // It is the size of all metadata that counts, and what is said of where a member stands.
      return { code, message: code === 'LASTWORD_ITEM_TOO_LARGE' ? '' : message.replaceAll(threadId, 'ID'), context: JSON.parse(JSON.stringify(context).replaceAll(threadId, 'ID')) as object };
    };
    for (const patch of refused) expect(await refusal(id, patch)).toEqual(await refusal(own.id, patch));
    expect(await worker.tell(({ threads: [thread] }) => [thread?.accepted, thread?.append({ type: 'event_msg' })])).toEqual([2, 2]);
    expect(await rejection(sidecar.setThreadMeta('x', {}))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'id' } });
  });

  test('passes through the redact of the producer, and is refused where that throws', async () => {
    const sidecar = await openTestSidecar();
    const worker = await HostWorker.start();
    const port = sidecar.createProducerPort();
    const { id, path } = await worker.tell(async (state, given) => {
      const producer = await state.attachProducer(given, {
        redact: (item) => {
          if ((item.payload as { title?: string }).title === 'refused') throw new Error('secret');
          return { ...item, payload: { title: 'redacted' } };
        },
      });
      const thread = await producer.createThread();
      state.threads.push(thread);
      return { id: thread.id, path: thread.path };
    }, port, [port.port]);
    await sidecar.setThreadMeta(id, { title: 'secret' });
    expect(await changesOf(path)).toEqual([{ title: 'redacted' }]);
    const error = await rejection(sidecar.setThreadMeta(id, { title: 'refused' }));
    expect(error).toMatchObject({ code: 'LASTWORD_ITEM_INVALID', context: { threadId: id, thrown: 'Error' } });
    expect(String(error)).not.toContain('secret');
    expect(await worker.tell(({ threads: [thread] }) => thread?.accepted)).toBe(2);
  });

  test('waits for the close of a thread that is closing there, and changes it as a stored one', async () => {
    const { sidecar, worker, id, path } = await openElsewhere();
    await worker.tell((state) => { state['tool'] = state.threads[0]?.hold('a tool'); });
    const [live] = [...sidecar.liveThreads()];
    const closing = live?.close();
    const changing = sidecar.setThreadMeta(id, { title: 'behind' });
    await worker.tell((state) => { (state['tool'] as Disposable)[Symbol.dispose](); });
    expect(await closing).toMatchObject({ items: 1, late: 0, forced: false });
    await changing;
    expect(await changesOf(path)).toEqual([{ title: 'behind', cwd: '/a' }]);
    expect([...sidecar.liveThreads()]).toEqual([]);
  });

  test('that is closed before the producer hears of the change is made behind the close, and nothing is counted late', async () => {
    const { sidecar, worker, id, path } = await openElsewhere();
    const goOn = await block(worker);
    const changing = sidecar.setThreadMeta(id, { title: 'behind' });
    // The producer is asked in the next turn.
    await turn();
    const [live] = [...sidecar.liveThreads()];
    expect(await live?.close()).toMatchObject({ items: 1, late: 0 });
    goOn();
    await changing;
    expect(await changesOf(path)).toEqual([{ title: 'behind', cwd: '/a' }]);
    expect(await worker.tell(({ threads: [thread] }) => thread?.state)).toBe('closed');
    expect(sidecar.stats().items.late).toBe(0);
  });

  test('whose producer ends before it answers is made behind its close', async () => {
    const { sidecar, worker, id, path } = await openElsewhere();
    await block(worker);
    const changing = sidecar.setThreadMeta(id, { title: 'behind' });
    await turn();
    await worker.worker.terminate();
    await changing;
    expect(await changesOf(path)).toEqual([{ title: 'behind', cwd: '/a' }]);
    expect([...sidecar.liveThreads()]).toEqual([]);
  });

  test('waits for a producer that is blocked no longer than closeTimeoutMs, and takes its late answer for no other', async () => {
    const { sidecar, worker, id, path } = await openElsewhere({ closeTimeoutMs: 1_500 });
    const goOn = await block(worker);
    expect(await rejection(sidecar.setThreadMeta(id, { title: 'slow' }))).toMatchObject({ code: 'LASTWORD_TIMEOUT' });
    const changing = sidecar.setThreadMeta(id, { title: { toJSON: () => 'x' }, model: 'm' });
    goOn();
    await changing;
    expect(await changesOf(path)).toEqual([{ title: 'slow', cwd: '/a' }, { title: 'x', cwd: '/a', model: 'm' }]);
  });
});

describe('setThreadMeta of a thread that a producer is just creating', () => {
  /** The change stands in line behind the creation: it is asked for in the tick in which the rollout is there. */
  async function change(openSidecar: typeof open): Promise<{ outcome: string; path: string | undefined }> {
    const gate = join(temporaryFolder(), 'gate');
    const writerUrl = mutantWriter({
      file: 'worker/control.js', find: '    createThread(',
      replace: `    async createThread(command) {
        const reply = await this.created(command);
        const { existsSync } = await import('node:fs');
        while (existsSync(${JSON.stringify(gate)})) await new Promise((resolve) => { setImmediate(resolve); });
        return reply;
    }
    created(`,
    });
    const sidecar = await openSidecar({ directory: temporaryFolder(), logger: false, writerUrl });
    onTestFinished(() => sidecar.close().then(() => undefined));
    const worker = await HostWorker.attached(sidecar);
    const id = '01936c1e-7b2a-7000-8000-000000000001';
    writeFileSync(gate, '');
    const creating = worker.tell(async ({ producer }, given) => { await producer.createThread({ id: given }); }, id);
    await until(() => existsSync(join(sidecar.directory, 'locks', `${id}.lock`)), 'the creation');
    const changing = outcomeOf(sidecar.setThreadMeta(id, { title: 'at once' }), () => 'changed');
    rmSync(gate);
    await creating;
    return { outcome: await changing, path: [...sidecar.liveThreads()][0]?.path };
  }

  test('is asked for when the producer knows its thread', async () => {
    const { outcome, path } = await change(open);
    expect(outcome).toBe('changed');
    expect(await changesOf(path ?? '')).toEqual([{ title: 'at once' }]);
  });

  test('the control: a sidecar that asks at once asks a producer that knows of no such thread', async () => {
    const mutant = mutantPackage({ file: 'src/producers/foreign-thread.js', find: 'await turn();', replace: '' });
    const { openSidecar } = await import(mutant.lastwordUrl) as { openSidecar: typeof open };
    expect((await change(openSidecar)).outcome).toBe('LASTWORD_THREAD_BUSY');
  });
});
