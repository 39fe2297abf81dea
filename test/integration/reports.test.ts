/** What users of agent hosts reported (openai/codex#16300, #22055 and their kin), sentence by sentence. Their races are in `reports-races`. */
import { LATE, type Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { AGENT_STEPS, closeTrace, HOST_STEPS, WRITER_STEPS } from '../support/close-trace.js';
import { runProgram } from '../support/exits/run.js';
import { complaintsOf, openRecorded, type Ledger } from '../support/ledger.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { LEGACY, TERMINAL } from '../support/races.js';
import { numbered, recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';
import { turn } from '../support/steps.js';

const CLOSE = 'src/lifecycle/thread-close.js';

const of = (name: string, ...steps: readonly (readonly string[])[]): string[] => steps.flat().map((step) => `${name}: ${step}`);

describe('a sub-agent is closed, and its thread is not found', () => {
  const ALONE = of('root', AGENT_STEPS, WRITER_STEPS, HOST_STEPS);
  const TREE = [
    ...AGENT_STEPS.flatMap((step) => ['root', 'child', 'leaf'].map((name) => `${name}: ${step}`)),
    ...['leaf', 'child', 'root'].flatMap((name) => of(name, WRITER_STEPS, HOST_STEPS)),
  ];

  /** Its model answers after so many turns; then come its last events, one after the other. */
  const slowAgent = async (ledger: Ledger, child: Thread, turns: number): Promise<void> => {
    for (const say of [
      () => ledger.append(child, TERMINAL), () => ledger.append(child, LEGACY),
      () => ledger.appendAll(child, upTo(3).map((index) => ({ type: 'compacted', payload: { message: `summary ${index}` } }))),
    ]) {
      for (let waited = 0; waited < turns; waited += 1) await turn();
      say();
    }
  };

  test('its last events are kept, terminal, legacy and compaction, however slow the model', async () => {
    expect(await complaintsOf(async (ledger) => {
      const root = await ledger.create();
      for (const turns of [0, 1, 10, 100]) {
        const child = await ledger.create({ parentId: root.id });
        void child.track(slowAgent(ledger, child, turns));
        const closing = child.close();
        // The parent sees the child until it is closed, and goes on meanwhile.
        ledger.note('the child while it closes', ledger.sidecar.liveThread(child.id) === child, true);
        ledger.append(root, numbered(turns));
        ledger.note(`${turns} turns: items`, (await closing).items, 5);
      }
      await root.close();
    })).toEqual([]);
  });

  test('the control: a package that waits for nobody is seen', async () => {
    const { lastwordUrl } = mutantPackage({ file: CLOSE, find: 'const work =', replace: 'const work = false &&' });
    const agentIsLate = async (ledger: Ledger): Promise<void> => {
      const child = await ledger.create();
      void child.track(slowAgent(ledger, child, 1));
      ledger.note('items', (await child.close()).items, 5);
    };
    expect(await complaintsOf(agentIsLate, {}, lastwordUrl)).toContain('items: 0, and should be 5');
  });

  test('a thread leaves the registry last: its session is quiet, its items are written, acknowledged and synced, its lease is released', async () => {
    expect(await closeTrace(['root'])).toEqual(ALONE);
  });

  test('in a tree every signal aborts first, then each thread is closed to its end, leaves first', async () => {
    expect(await closeTrace(['root', 'child', 'leaf'])).toEqual(TREE);
  });

  const RELEASE = 'await this.#release(plan);';
  test.each<[string, Patch[], string]>([
    ['that is removed from the registry first', [
      { file: CLOSE, find: 'thread.abort();', replace: 'this.#host.registry.remove(thread); thread.abort();' },
      { file: 'src/sidecar.js', find: 'this.registry.remove(thread);', replace: '' },
    ], 'root: out of the registry'],
    ['that is sealed before its tracked work', [
      { file: CLOSE, find: 'const work =', replace: 'seal(memory, thread.slot); const work =' },
    ], 'root: tracked work settles, late'],
    ['that is not sealed', [{ file: CLOSE, find: 'seal(memory, this.#thread.slot);', replace: '' }], 'root: not sealed, drain begins'],
    ['whose holds are not waited for', [{ file: CLOSE, find: 'const work =', replace: 'const work = false &&' }], 'root: tracked work settles, late'],
    ['whose lease is released when it is gone', [
      { file: CLOSE, find: RELEASE, replace: '' },
      { file: CLOSE, find: 'this.#host.threadReleased(thread, receipt);', replace: `this.#host.threadReleased(thread, receipt); ${RELEASE}` },
    ], 'root: threadClosed, its lease, its descriptor, unsynced records left'],
    ['that is told of before it is out of the registry', [
      { file: 'src/sidecar.js', find: 'this.registry.remove(thread);', replace: "this.tell('threadClosed', receipt); this.registry.remove(thread);" },
    ], 'root: threadClosed, its place in the registry left'],
  ])('the control: a thread %s is seen', async (_what, patches, step) => {
    const trace = await closeTrace(['root'], ...patches);
    expect(trace).toContain(step);
    expect(trace).not.toEqual(ALONE);
  });

  test('the control: a parent that does not wait for its children is seen', async () => {
    const trace = await closeTrace(['root', 'child', 'leaf'], { file: CLOSE, find: 'children.length > 0 ? await failuresOf(children) : []', replace: '[]' });
    expect(trace).not.toEqual(TREE);
    expect(trace.toSorted()).toEqual(TREE.toSorted());
  });
});

describe('a stale handle is used, and its channel is closed', () => {
  test('every handle of a thread sees one state, whenever it was got; one of an earlier opening sees that one\'s', async () => {
    expect(await complaintsOf(async (ledger) => {
      const { sidecar } = ledger;
      const earlier = await ledger.create();
      ledger.append(earlier, numbered(0));
      await earlier.close();
      const { id } = earlier;
      const handles = [await ledger.resume(id), await ledger.resume(id), sidecar.liveThread(id), [...sidecar.liveThreads()][0]];
      const states = (): string[] => [...new Set(handles.map((handle) => `${handle?.state} ${handle?.accepted}`))];
      const [first] = handles;
      const hold = (first as Thread).hold('a tool');
      ledger.note('open', states(), ['open 2']);
      const closing = first?.close();
      handles.push(sidecar.liveThread(id));
      ledger.append(handles[1] as Thread, numbered(1));
      ledger.note('closing', states(), ['closing 3']);
      ledger.note('one close', handles.map((handle) => handle?.close() === closing), handles.map(() => true));
      hold[Symbol.dispose]();
      await closing;
      ledger.note('closed', states(), ['closed 3']);
      const later = await ledger.resume(id);
      ledger.note('opened again', [later.state, later.accepted, ...states(), earlier.state, earlier.accepted], ['open', 3, 'closed 3', 'closed', 2]);
      ledger.append(earlier, LEGACY);
      ledger.append(first as Thread, LEGACY);
      await later.close();
    })).toEqual([]);
  });

  /** Twelve items, some of them flushed, and at one of the moments between them another handle closes the thread. */
  const closedAt = (moment: number) => async (ledger: Ledger): Promise<void> => {
    const thread = await ledger.create();
    const clone = await ledger.resume(thread.id);
    const answers: number[] = [];
    for (const index of upTo(12)) {
      if (index === moment) void clone.close();
      const item = numbered(index);
      answers.push(index % 3 === 0 ? await ledger.publish(thread, item) : ledger.append(thread, item));
      if (index % 4 === 3) {
        const { nextOrdinal } = await thread.flush();
        ledger.note(`closed at ${moment}: flushed behind item ${index}`, nextOrdinal, Math.min(index + 1, moment) + 1);
      }
    }
    ledger.note(`closed at ${moment}: answers`, answers, upTo(12).map((index) => (index < moment ? index + 1 : LATE)));
    const receipt = await clone.close();
    ledger.note(`closed at ${moment}: the flush of a thread that is gone`, await thread.flush() === receipt, true);
  };

  test('before the seal nothing is lost, behind it append, publish and flush are clean no-ops, at whatever moment the close comes', async () => {
    expect(await complaintsOf(async (ledger) => {
      for (const moment of upTo(13)) await closedAt(moment)(ledger);
    })).toEqual([]);
  });

  test('the control: a package whose flush throws when its thread is gone is seen', async () => {
    const { lastwordUrl } = mutantPackage({
      file: 'src/open-thread.js', find: 'if (closed !== undefined)\n            return closed;', replace: "if (closed !== undefined)\n            throw new Error('channel closed');",
    });
    expect(await complaintsOf(closedAt(2), {}, lastwordUrl)).toContain('the race threw Error: channel closed');
  });

  /** A host's whole run, as far as it can be seen, without times and ids. */
  const shutdown = async (): Promise<string> => {
    const { sidecar, lines } = await openRecorded();
    const events: object[] = [];
    sidecar.on('threadClosed', (receipt) => { events.push(receipt); });
    const root = await sidecar.createThread();
    const children: Thread[] = [];
    while (children.length < 3) children.push(await sidecar.createThread({ parentId: root.id }));
    const threads = [root, ...children];
    for (const thread of threads) {
      thread.append(numbered(0));
      thread.signal.addEventListener('abort', () => { thread.append(TERMINAL); });
    }
    const hold = children[1]?.hold('a tool');
    const closing = sidecar.close();
    const resuming = sidecar.resumeThread(root.id).catch(({ code }: { code: string }) => code);
    for (const thread of threads) thread.append(LEGACY);
    hold?.[Symbol.dispose]();
    const { durationMs, ...receipt } = await closing;
    const records = await Promise.all(threads.map(async ({ path }) => (await recordsOf(path)).map(({ timestamp, payload, ...record }) => ({ ...record, payload: record.ordinal > 0 && payload }))));
    const seen = JSON.stringify({ receipt, resumed: await resuming, records, events, lines });
    return threads.reduce((text, { id }, index) => text.replaceAll(id, `thread ${index}`), seen);
  };

  test('a shutdown is the same each time: receipts, records, events, and what is logged', async () => {
    const first = await shutdown();
    expect(first).toContain('LASTWORD_NOT_OPEN');
    for (const round of upTo(5)) expect(await shutdown(), `round ${round}`).toBe(first);
  });
});

describe('noise that wrappers take for a failure', () => {
  /** A host with the logger that it has without a word of its own. */
  const host = (lastwordUrl: string): string => `
    const { openSidecar } = await import(${JSON.stringify(lastwordUrl)});
    const sidecar = await openSidecar({ directory: process.argv[1] });
    const item = { type: 'event_msg', payload: { type: 'shutdown_complete' } };
    const root = await sidecar.createThread();
    const child = await sidecar.createThread({ parentId: root.id });
    child.append(item);
    const closing = child.close();
    child.append(item);
    const again = await sidecar.resumeThread(child.id);
    await closing;
    await again.close();
    for (const late of [child, again]) { late.append(item); late.appendAll([item, item]); await late.publish(item); await late.flush(); await late.close(); }
    const gone = sidecar.deleteThread(child.id);
    const fresh = await sidecar.resumeThread(child.id, { ifMissing: 'create', create: { parentId: root.id } });
    await gone;
    fresh.append(item);
    await Promise.all([root.close(), fresh.close(), sidecar.close()]);
    for (const late of [root, child, fresh]) { late.append(item); await late.publish(item); await late.flush(); }
    await sidecar.close();
    await sidecar.createThread().catch(({ code }) => { console.log(code); });`;
  const run = (lastwordUrl = 'lastword'): ReturnType<typeof runProgram> => runProgram(['--input-type=module', '-e', host(lastwordUrl), temporaryFolder()]);

  test('a host whose last events come late writes nothing to stderr, and ends with its own code', async () => {
    expect(await run()).toMatchObject({ code: 0, stdout: 'LASTWORD_NOT_OPEN\n', stderr: '' });
  });

  test('the control: a package that tells of late items at error is heard', async () => {
    const { lastwordUrl } = mutantPackage({
      file: 'src/sidecar.js', find: 'this.log.debug({ threadId: thread.id, items', replace: 'this.log.error({ threadId: thread.id, items',
    });
    expect((await run(lastwordUrl)).stderr).toContain('"level":50');
  });
});
