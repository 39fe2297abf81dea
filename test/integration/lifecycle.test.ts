/** docs/lifecycle.md is a table of what every method answers in every state. Each cell is tried. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LATE, openSidecar, type Sidecar, type Thread, type ThreadPage, type ThreadSummary } from 'lastword';
import { afterAll, describe, expect, test } from 'vitest';
import { openRecorded } from '../support/ledger.js';
import { markdownTable } from '../support/markdown.js';
import { mutantWriter, withheldAnswer, type Patch } from '../support/mutants.js';
import { lostLibrary, numbered, openTestSidecar, rejection, until } from '../support/sidecars.js';

interface Case { readonly sidecar: Sidecar; readonly thread: Thread; readonly closing: Promise<unknown> | undefined; readonly end: () => Promise<void> }

const nothing = (): Promise<void> => Promise.resolve();
const LATER = 'is asked for before the state changes';

/** Brings a thread with one item into the state. `end` lets what was held up go on. */
const THREAD_STATES: Record<string, () => Promise<Case>> = {
  open: async () => ({ ...await shared(), closing: undefined, end: nothing }),
  closing: async () => {
    const { sidecar, thread } = await shared();
    const hold = thread.hold(LATER);
    const closing = thread.close();
    return { sidecar, thread, closing, end: async () => { hold[Symbol.dispose](); await closing; } };
  },
  sealed: async () => {
    const { sidecar, thread } = await opened(mutantWriter(RELEASE_WAITS, CREATE_LETS_GO));
    const closing = thread.close();
    return { sidecar, thread, closing, end: async () => { await sidecar.createThread(); await closing; } };
  },
  unfinished: async () => {
    const { sidecar, thread } = await opened(withheldAnswer('releaseThread'));
    await rejection(thread.close({ timeoutMs: 100 }));
    return { sidecar, thread, closing: undefined, end: nothing };
  },
  closed: async () => {
    const { sidecar, thread } = await shared();
    const closing = thread.close();
    await closing;
    return { sidecar, thread, closing, end: nothing };
  },
  failed: async () => {
    const { sidecar, thread } = await shared();
    appendFileSync(thread.path, 'foreign\n');
    thread.append(numbered(1));
    await rejection(thread.flush());
    return { sidecar, thread, closing: undefined, end: nothing };
  },
};

/** A writer that lets go of a thread only once another one is made. */
const RELEASE_WAITS: Patch = {
  file: 'worker/control.js', find: '    releaseThread(command) {',
  replace: `    async releaseThread(command) {
        if (!Control.isLetGo) await new Promise((resolve) => { Control.letGo = resolve; });
        return this.releaseNow(command);
    }
    releaseNow(command) {`,
};
const CREATE_LETS_GO: Patch = {
  file: 'worker/control.js', find: '    createThread(command) {',
  replace: `    createThread(command) {
        Control.made = (Control.made ?? 0) + 1;
        Control.isLetGo = Control.made > 1;
        if (Control.isLetGo) Control.letGo?.();`,
};

let sidecarOfAll: Sidecar | undefined;
const directoryOfAll = mkdtempSync(join(tmpdir(), 'lastword-test-'));
afterAll(async () => {
  // Threads that failed keep it from ending well.
  await sidecarOfAll?.close({ timeoutMs: 2_000 }).catch(() => undefined);
  rmSync(directoryOfAll, { recursive: true });
});

/** A thread of a sidecar that many tests share. */
async function shared(): Promise<{ sidecar: Sidecar; thread: Thread }> {
  sidecarOfAll ??= await openSidecar({ directory: directoryOfAll, logger: false });
  return withThread(sidecarOfAll);
}

async function opened(writerUrl?: URL): Promise<{ sidecar: Sidecar; thread: Thread }> {
  return withThread(await openTestSidecar({ writerUrl }));
}

async function withThread(sidecar: Sidecar): Promise<{ sidecar: Sidecar; thread: Thread }> {
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  await thread.flush();
  return { sidecar, thread };
}

/** The promise's outcome in the words of the table. */
async function outcome(promise: PromiseLike<unknown>, word: (value: unknown) => string): Promise<string> {
  return Promise.resolve(promise).then(word, (error: unknown) => (error as { code?: string }).code ?? String(error));
}
const disposed = ({ state }: { readonly state: string }): string => (state === 'closed' ? 'closes' : state);
const ordinalOrLate = (answer: number): string => (answer === LATE ? 'LATE' : 'ordinal');

const THREAD_METHODS: Record<string, (state: Case) => Promise<string> | string> = {
  'state': ({ thread }) => thread.state,
  'append': ({ thread }) => ordinalOrLate(thread.append(numbered(9))),
  'appendAll': ({ thread }) => ordinalOrLate(thread.appendAll([numbered(8), numbered(9)])),
  'publish': async ({ thread }) => {
    const delivered: number[] = [];
    const end = thread.subscribe((_item, ordinal) => { delivered.push(ordinal); });
    const ordinal = await thread.publish(numbered(9));
    end();
    return `${ordinalOrLate(ordinal)}, ${delivered.length === 1 && delivered[0] === ordinal ? 'delivered' : 'not delivered'}`;
  },
  'subscribe': ({ thread }) => (typeof thread.subscribe(() => undefined) === 'function' ? 'a way to end it' : 'nothing'),
  'rollback': ({ thread }) => ordinalOrLate(thread.rollback(1)),
  'setMeta': ({ thread }) => ordinalOrLate(thread.setMeta({ title: 'tried' })),
  'flush': async ({ thread, closing }) => {
    const receipt = await outcome(thread.flush({ timeoutMs: 5_000 }), (value) => ('items' in (value as object) ? 'the close\'s receipt' : 'receipt'));
    if (receipt === 'the close\'s receipt') expect(await thread.flush()).toBe(await closing);
    return receipt;
  },
  'close': ({ thread, closing }) => {
    const again = thread.close();
    if (again === closing) return 'the same promise';
    return outcome(again, () => 'receipt');
  },
  'close with abandon': ({ thread, closing }) => {
    const again = thread.close({ abandon: true });
    if (again === closing) return 'the same promise';
    return outcome(again, () => 'receipt');
  },
  'dispose': async ({ thread, end, closing }) => {
    const wasClosed = thread.state === 'closed';
    const disposing = outcome(thread[Symbol.asyncDispose](), () => (wasClosed ? 'nothing' : disposed(thread)));
    if (closing === undefined || wasClosed) return disposing;
    const [how] = await Promise.all([disposing, end()]);
    expect(thread.state).toBe('closed');
    return how;
  },
  'track': ({ thread }) => {
    const work = Promise.resolve();
    return thread.track(work) === work ? 'the same work' : 'another';
  },
  'hold': ({ thread }) => {
    const hold = thread.hold('tried');
    hold[Symbol.dispose]();
    return 'a hold';
  },
  'signal': ({ thread }) => (thread.signal.aborted ? 'aborted' : 'not aborted'),
  'liveThread': ({ sidecar, thread }) => {
    const live = sidecar.liveThread(thread.id);
    return live === undefined ? 'nothing' : live === thread ? 'the handle' : 'another';
  },
  'resumeThread': async ({ sidecar, thread, closing, end }) => {
    const wasClosing = thread.state === 'closing' && closing !== undefined;
    const resuming = outcome(sidecar.resumeThread(thread.id), (value) => (value === thread ? 'the handle' : 'reopens'));
    if (!wasClosing) return resuming;
    const ended = end();
    const how = await resuming;
    await ended;
    return how === 'reopens' ? 'waits, then reopens' : how;
  },
  'createThread with its id': ({ sidecar, thread }) => outcome(sidecar.createThread({ id: thread.id }), () => 'a thread'),
};

/** Whose the thread is, as its summary says. */
function owned(summary: unknown): string {
  if (summary === undefined) return 'not listed';
  const { owner } = summary as ThreadSummary;
  return `listed, ${owner === undefined ? 'nobody\'s' : owner === 'self' ? 'ours' : 'another\'s'}`;
}

const SIDECAR_STATES: Record<string, () => Promise<Case>> = {
  open: async () => ({ ...await opened(), closing: undefined, end: nothing }),
  closing: async () => {
    const { sidecar, thread } = await opened();
    const hold = thread.hold(LATER);
    const closing = sidecar.close();
    return { sidecar, thread, closing, end: async () => { hold[Symbol.dispose](); await closing; } };
  },
  closed: async () => {
    const { sidecar, thread } = await opened();
    const closing = sidecar.close();
    await closing;
    return { sidecar, thread, closing, end: nothing };
  },
  failed: async () => {
    const { lastwordUrl, writerUrl } = lostLibrary();
    const { sidecar, thread } = await withThread((await openRecorded({ writerUrl }, lastwordUrl)).sidecar);
    thread.append({ type: 'BREAK' });
    await until(() => sidecar.state === 'failed', 'the writer has died');
    return { sidecar, thread, closing: undefined, end: nothing };
  },
};

const SIDECAR_METHODS: Record<string, (state: Case) => Promise<string> | string> = {
  'state': ({ sidecar }) => sidecar.state,
  'createThread': ({ sidecar }) => outcome(sidecar.createThread(), () => 'a thread'),
  'resumeThread': ({ sidecar, thread }) => outcome(sidecar.resumeThread(thread.id), () => 'a thread'),
  'liveThread': THREAD_METHODS['liveThread'] as (state: Case) => string,
  'liveThreads': ({ sidecar }) => (['none', 'one'][[...sidecar.liveThreads()].length] ?? 'many'),
  'getThread': ({ sidecar, thread }) => outcome(sidecar.getThread(thread.id), owned),
  'listThreads': ({ sidecar, thread }) => outcome(
    sidecar.listThreads({ sort: 'updated', limit: 1000 }), (page) => owned((page as ThreadPage).threads.find(({ id }) => id === thread.id)),
  ),
  'flush': ({ sidecar }) => outcome(sidecar.flush(), (receipts) => ((receipts as []).length === 0 ? 'no receipts' : 'receipts')),
  'drained': ({ sidecar }) => outcome(sidecar.drained(), () => 'resolves'),
  'needsDrain': ({ sidecar }) => String(sidecar.needsDrain),
  'close': ({ sidecar, closing }) => {
    const again = sidecar.close();
    return again === closing ? 'the same promise' : outcome(again, () => 'receipt');
  },
  'close with abandon': ({ sidecar, closing }) => {
    const again = sidecar.close({ abandon: true });
    return again === closing ? 'the same promise' : outcome(again, () => 'receipt');
  },
  'dispose': async ({ sidecar, end }) => {
    const wasClosed = sidecar.state === 'closed';
    const disposing = outcome(sidecar[Symbol.asyncDispose](), () => (wasClosed ? 'nothing' : disposed(sidecar)));
    await end();
    return disposing;
  },
  'stats': ({ sidecar }) => (sidecar.stats().items.accepted > 0 ? 'figures' : 'none'),
};

for (const [what, states, methods] of [['thread', THREAD_STATES, THREAD_METHODS], ['sidecar', SIDECAR_STATES, SIDECAR_METHODS]] as const) {
  const table = markdownTable('docs/lifecycle.md', what);

  test(`the table of a ${what} has every method and every state that is tried, and no other`, () => {
    expect(table.columns).toEqual(Object.keys(states));
    expect([...table.rows.keys()]).toEqual(Object.keys(methods));
  });

  describe(`a ${what}`, () => {
    for (const [method, cells] of table.rows) {
      for (const [state, documented] of cells) {
        test(`${state}: ${method} answers ${documented}`, async () => {
          const subject = await states[state]?.();
          if (subject === undefined) throw new Error(`no such state: ${state}`);
          const answered = await methods[method]?.(subject);
          expect(answered).toBe(documented);
          await subject.end();
        });
      }
    }
  });
}
