/** What is done with a thread by its id, wherever its rollout is: operations that take their time. */
import type { Thread, ThreadId } from 'lastword';
import type { Act } from './commands.js';
import { ThreadModel, titled, wordOf } from './model.js';
import type { Operation } from './operations.js';
import type { Run } from './run.js';

function hasUnplaced({ unplaced, base }: ThreadModel): boolean {
  return unplaced.length > 0 || (base !== undefined && hasUnplaced(base.thread));
}

/** A new thread, without a history of others. */
function adoptsNew(run: Run, parentId?: ThreadId): (handle: Thread, operation: Operation) => Promise<unknown> {
  return (handle, operation) => run.adopt(handle, operation, () => new ThreadModel({ id: handle.id, parentId, base: undefined, start: 0, path: handle.path }));
}

/** A thread that is there. */
async function adoptsStored(run: Run, id: ThreadId, handle: Thread, operation: Operation): Promise<void> {
  const stored = run.threads.get(id);
  if (stored !== undefined) await run.adopt(handle, operation, () => stored);
}

export function create(run: Run): Promise<void> {
  return run.operate({ name: 'create' }, () => run.bench.sidecar.createThread({ meta: { cwd: '/work' } }), async (handle, operation) => { await adoptsNew(run)(handle, operation); });
}

export function flushAll(run: Run): Promise<void> {
  return run.await('flush of all threads', run.bench.sidecar.flush());
}

export const THREAD_ACTS = {
  spawn(run, parentId) {
    return run.operate({ name: 'spawn', parentId }, () => run.bench.sidecar.createThread({ parentId }), async (handle, operation) => { await adoptsNew(run, parentId)(handle, operation); });
  },

  recreate(run, id) {
    return run.operate({ name: 'recreate', id }, () => run.bench.sidecar.createThread({ id }), async (handle, operation) => { await adoptsNew(run)(handle, operation); });
  },

  resume(run, id) {
    return run.operate({ name: 'resume', id }, () => run.bench.sidecar.resumeThread(id), (handle, operation) => adoptsStored(run, id, handle, operation));
  },

  'resume or create'(run, id) {
    return run.operate({ name: 'resume or create', id }, () => run.bench.sidecar.resumeThread(id, { ifMissing: 'create' }), async (handle, operation) => {
      if (handle.id === id) return adoptsStored(run, id, handle, operation);
      run.fallbacks += 1;
      await adoptsNew(run)(handle, operation);
    }, (handle) => (handle.id === id ? 'done' : 'fresh'));
  },

  fork(run, id, { option }) {
    const asked = run.threads.get(id);
    const next = asked?.live?.handle.accepted ?? asked?.next ?? 0;
    const isSure = asked !== undefined && (asked.live !== undefined || run.isQuiet(asked));
    // All of it, or up to a record, and now and then beyond the last one.
    const through = option % 3 === 0 ? undefined : option % (next + 1);
    const parentId = option % 4 === 0 ? [...run.threads.keys()][option % run.threads.size] : undefined;
    return run.operate({ name: 'fork', id, parentId, through }, () => run.bench.sidecar.forkThread(id, { through, parentId }), async (handle, operation) => {
      const source = run.threads.get(id);
      if (source === undefined) return;
      const start = handle.accepted - 1;
      if (through !== undefined || (isSure && source === asked)) run.expect(`where fork ${handle.id} of ${id} begins`, start, through === undefined ? next : through + 1);
      else run.expect(`fork ${handle.id} of ${id} begins within it`, start > 0 && start <= source.next, true);
      const base = { thread: source.holderOf(start - 1), end: start };
      await run.adopt(handle, operation, () => new ThreadModel({ id: handle.id, parentId, base, start, path: handle.path }));
    });
  },

  setThreadMeta(run, id) {
    const title = `${run.word}`;
    return run.operate({ name: 'setThreadMeta', id }, () => run.bench.sidecar.setThreadMeta(id, { title }), () => {
      run.changes += 1;
      run.threads.get(id)?.unplaced.push(titled(title));
    });
  },

  archive(run, id) {
    return run.operate({ name: 'archive', id }, () => run.bench.sidecar.archiveThread(id), () => undefined);
  },

  unarchive(run, id) {
    return run.operate({ name: 'unarchive', id }, () => run.bench.sidecar.unarchiveThread(id), () => undefined);
  },

  delete(run, id) {
    return run.operate({ name: 'delete', id }, () => run.bench.sidecar.deleteThread(id), () => undefined);
  },

  read(run, id) {
    const asked = run.threads.get(id);
    const before = asked?.effective() ?? [];
    const records = asked?.history().length;
    const found: [number, string][] = [];
    const reading = async (): Promise<void> => {
      for await (const record of run.bench.sidecar.readThread(id)) found.push([record.ordinal, wordOf(record)]);
    };
    return run.operate({ name: 'read', id }, reading, (_value, operation) => {
      const after = run.threads.get(id);
      // What comes while it is read may be in it or not.
      const isStill = after !== undefined && operation.isAlone && !hasUnplaced(after) && after.history().length === records;
      if (isStill) run.expect(`view of thread ${id}`, found, before);
    });
  },
} as const satisfies Record<string, Act<ThreadId>>;
