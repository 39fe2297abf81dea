import { isLastwordError, LastwordError } from '../errors.js';
import { assertThreadId, invalidOption } from '../options.js';
import { locateNearby } from '../reader/locate.js';
import { isJobLog } from '../rollout/rollout-path.js';
import { ThreadOperations } from '../thread-operations.js';
import { LATE, type Sidecar, type Thread, type ThreadId } from '../types.js';
import { hostTurn, systemClock } from './clock.js';
import { JobLog, readJob } from './job-log.js';
import { JobState } from './job-state.js';
import { assertOptions, checkJob, checkJobId, type JobCode } from './options.js';
import type { JobRecord } from './records.js';
import { RowSource } from './rows.js';
import { RunningJob } from './running-job.js';
import type { Job, JobOptions, ResumeJobOptions } from './types.js';

/** Rows logged before the host has its turn. */
const ROWS_A_TURN = 200;

/** Jobs that are begun, resumed or running, by the sidecar that has their logs. */
const running = new WeakMap<Sidecar, Set<ThreadId>>();

/**
 * Runs a worker for each row. Resolves once all rows are logged; the items start then.
 * @throws LASTWORD_INVALID_OPTION, LASTWORD_JOB_INVALID (rows that make no job: context.path, line, index, column), LASTWORD_THREAD_EXISTS
 * (a job or thread of that id), LASTWORD_NOT_OPEN, LASTWORD_ITEM_INVALID and LASTWORD_ITEM_TOO_LARGE (a row that cannot be stored),
 * LASTWORD_WRITE_FAILED, the signal's reason, what the iterable throws
 */
export function runJob<Row extends object, Result = unknown>(sidecar: Sidecar, options: JobOptions<Row, Result>): Promise<Job<Result>> {
  return startJob(sidecar, options, systemClock);
}

/**
 * Goes on with a job that a crash, an exit or a close interrupted; of one that has ended it gives the result again. Options left out are
 * those it was started with; worker, resultSchema and signal cannot be stored: give them again.
 * @throws LASTWORD_JOB_NOT_FOUND (none of that id, or one of which not all rows were logged: nothing of it has started),
 * LASTWORD_THREAD_BUSY (it runs, here or elsewhere: context.owner), LASTWORD_INVALID_OPTION, LASTWORD_ROLLOUT_CORRUPT (a log that is
 * damaged), LASTWORD_NOT_OPEN, the signal's reason
 */
export function resumeJob<Row extends object, Result = unknown>(sidecar: Sidecar, id: ThreadId, options: ResumeJobOptions<Row, Result>): Promise<Job<Result>> {
  return continueJob(sidecar, id, options, systemClock);
}

/** As runJob(), by the clock given. */
export async function startJob<Row extends object, Result>(sidecar: Sidecar, options: JobOptions<Row, Result>, clock = systemClock): Promise<Job<Result>> {
  const host = hostOf(sidecar);
  assertOptions(options);
  const id = checkJobId(options.id);
  const code = checkJob(options);
  const source = new RowSource(options.rows, options.idColumn);
  code.signal?.throwIfAborted();
  return exclusively(sidecar, id, async () => {
    try {
      // Files that are not there and headers that are none leave no log.
      const first = await source.next();
      const log = new JobLog(sidecar, await makeLog(sidecar, host, id));
      try {
        const state = await logRows(log, code, source, { first, clock });
        return new RunningJob({ log, state, code, clock, writesOutput: true });
      } catch (error) {
        await discard(sidecar, log.thread);
        throw error;
      }
    } finally {
      await source.close();
    }
  });
}

/** As resumeJob(), by the clock given. */
export async function continueJob<Row extends object, Result>(sidecar: Sidecar, id: ThreadId, options: ResumeJobOptions<Row, Result>, clock = systemClock): Promise<Job<Result>> {
  hostOf(sidecar);
  assertThreadId(id);
  assertOptions(options);
  checkJob(options);
  const { signal } = options;
  signal?.throwIfAborted();
  return exclusively(sidecar, id, async () => {
    const stored = await locateNearby(sidecar.directory, id);
    if (stored === undefined || !isJobLog(stored.path)) throw notFound(id);
    const thread = await resumeLog(sidecar, id, signal);
    try {
      const state = await readJob(thread.path);
      if (state.settings === undefined || state.columns === undefined) throw notFound(id);
      const code = checkJob(options, state.settings);
      const writesOutput = state.finished === undefined || options.outputCsvPath !== undefined;
      return new RunningJob({ log: new JobLog(sidecar, thread), state, code, clock, writesOutput });
    } catch (error) {
      await thread.close();
      throw error;
    }
  });
}

/** One at a time for each id; until the job that it makes has ended. @throws LASTWORD_THREAD_BUSY */
async function exclusively<Result>(sidecar: Sidecar, id: ThreadId, make: () => Promise<Job<Result>>): Promise<Job<Result>> {
  const ids = running.get(sidecar) ?? new Set();
  running.set(sidecar, ids);
  if (ids.has(id) || sidecar.liveThread(id)?.state === 'open') throw new LastwordError('LASTWORD_THREAD_BUSY', `job ${id} is open here`, { threadId: id });
  ids.add(id);
  const release = (): void => { ids.delete(id); };
  try {
    const job = await make();
    job.result.then(release, release);
    return job;
  } catch (error) {
    release();
    throw error;
  }
}

/** A new log, or that of a job of the same id that never began. @throws LASTWORD_THREAD_EXISTS */
async function makeLog(sidecar: Sidecar, host: ThreadOperations, id: ThreadId): Promise<Thread> {
  try {
    return await host.createJobLog({ id, meta: { source: 'job' } });
  } catch (error) {
    const isThere = isLastwordError(error) && error.code === 'LASTWORD_THREAD_EXISTS' && isJobLog(error.context.path ?? '');
    if (!isThere) throw error;
    const thread = await resumeLog(sidecar, id, undefined);
    if ((await readJob(thread.path)).columns === undefined) return thread;
    await thread.close();
    throw error;
  }
}

function resumeLog(sidecar: Sidecar, id: ThreadId, signal: AbortSignal | undefined): Promise<Thread> {
  return sidecar.resumeThread(id, { signal });
}

/** All of them, written, before anything starts. */
async function logRows<Row extends object, Result>(
  log: JobLog, { settings, signal }: JobCode<Row, Result>, source: RowSource, { first, clock }: { first: Awaited<ReturnType<RowSource['next']>>; clock: typeof systemClock },
): Promise<JobState> {
  const state = new JobState();
  const add = async (record: JobRecord): Promise<number> => {
    const ordinal = await log.appendInTurn([record]);
    if (ordinal === LATE) await sealed(log.thread);
    state.apply(record, ordinal, clock.nowMs());
    return ordinal;
  };
  await add({ type: 'job_created', payload: { settings } });
  let index = 0;
  for (let next = first; next !== undefined; next = await source.next()) {
    await add({ type: 'item_added', payload: { item_id: next.itemId, index, row: next.row } });
    index += 1;
    signal?.throwIfAborted();
    if (index % ROWS_A_TURN === 0) await hostTurn();
  }
  await log.written(await add({ type: 'job_ready', payload: { items: index, columns: source.columns } }));
  return state;
}

/** @throws LASTWORD_THREAD_CLOSED, or what the log failed with */
async function sealed(thread: Thread): Promise<never> {
  if (thread.state === 'failed') await thread.flush();
  throw new LastwordError('LASTWORD_THREAD_CLOSED', `the log of job ${thread.id} was closed`, { threadId: thread.id });
}

/** Nothing of it has started, so nothing of it is kept. What cannot be removed is never taken for a job. */
async function discard(sidecar: Sidecar, thread: Thread): Promise<void> {
  try {
    await thread.close();
    await sidecar.deleteThread(thread.id);
  } catch (error) {
    if (!isLastwordError(error)) throw error;
  }
}

function hostOf(sidecar: Sidecar): ThreadOperations {
  if (!(sidecar instanceof ThreadOperations)) throw invalidOption('sidecar', sidecar, 'what openSidecar() of this package resolved with');
  return sidecar;
}

function notFound(threadId: ThreadId): LastwordError {
  return new LastwordError('LASTWORD_JOB_NOT_FOUND', `there is no job ${threadId}`, { threadId });
}
