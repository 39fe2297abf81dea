import { assert } from '../assert.js';
import { isLastwordError, LastwordError } from '../errors.js';
import { LATE, type ThreadId } from '../types.js';
import { Attempt, type AttemptHost, type Outcome } from './attempt.js';
import type { JobClock } from './clock.js';
import { writeOutput } from './csv-output.js';
import { shortened } from './errors.js';
import { JobEvents } from './job-events.js';
import type { JobLog } from './job-log.js';
import { isOver, itemResult, type ItemState, type JobState } from './job-state.js';
import type { JobCode } from './options.js';
import type { JobRecord } from './records.js';
import type { Job, JobEvent, JobItem, JobProgress, JobReportAnswer, JobResult } from './types.js';

/**
 * running: items start. stopping: none does any more, the rest is cancelled. interrupted: the log is being closed, so nothing is decided
 * any more but what is still reported. ended: `result` has settled.
 */
export const JOB_MOVES = {
  running: ['stopping', 'interrupted', 'ended'],
  stopping: ['interrupted', 'ended'],
  interrupted: ['ended'],
  ended: [],
} as const;
type Phase = keyof typeof JOB_MOVES;

export interface JobParts<Row extends object, Result> {
  readonly log: JobLog;
  readonly state: JobState;
  readonly code: JobCode<Row, Result>;
  readonly clock: JobClock;
  /** False for a job that had ended before, and has its output. */
  readonly writesOutput: boolean;
}

/** A job from its first item on: lanes that take the next row each, and the attempts in them. */
export class RunningJob<Row extends object, Result> implements Job<Result>, AttemptHost<Row, Result> {
  readonly id: ThreadId;
  readonly clock: JobClock;
  readonly code: JobCode<Row, Result>;
  readonly result: Promise<JobResult<Result>>;
  readonly #log: JobLog;
  readonly #state: JobState;
  readonly #events: JobEvents<Result>;
  /** At most one for each lane. */
  readonly #attempts = new Map<string, Attempt<Row, Result>>();
  readonly #startedMs: number;
  readonly #writesOutput: boolean;
  #phase: Phase = 'running';
  #stopReason: string | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor({ log, state, code, clock, writesOutput }: JobParts<Row, Result>) {
    this.#writesOutput = writesOutput;
    this.id = log.thread.id;
    this.#log = log;
    this.#state = state;
    this.code = code;
    this.clock = clock;
    this.#startedMs = clock.monotonicMs();
    this.#events = new JobEvents(state.items, () => this.progress);
    this.result = this.#run();
    // Nobody has to ask for it: whoever does hears of its rejection.
    this.result.catch(() => undefined);
  }

  get isRecording(): boolean {
    return this.#phase === 'running' || this.#phase === 'stopping';
  }

  get progress(): JobProgress {
    const { counts, items } = this.#state;
    const elapsedMs = this.clock.monotonicMs() - this.#startedMs;
    const left = counts.pending + counts.running;
    const ended = this.#events.endedCount;
    return { total: items.length, ...counts, etaMs: ended === 0 ? undefined : (elapsedMs / ended) * left };
  }

  report(itemId: string, result: Result): JobReportAnswer {
    const item = this.#state.item(itemId);
    if (item === undefined) return { accepted: false, reason: 'unknown item' };
    const attempt = this.#attempts.get(itemId);
    return attempt === undefined ? { accepted: false, reason: this.refusalOf(itemId) } : attempt.report(result);
  }

  stop(reason = 'the job was stopped'): void {
    if (this.#phase !== 'running') return;
    this.#move('stopping');
    this.#stopReason = shortened(String(reason));
    for (const attempt of this.#attempts.values()) attempt.cancel(this.#stopReason);
  }

  [Symbol.asyncIterator](): AsyncIterator<JobEvent<Result>> {
    return this.#events.from();
  }

  keep({ itemId, index, attempt }: JobItem<Row>, result: unknown): number {
    const ordinal = this.#log.append(endRecords(itemId, index, attempt, { status: 'completed', result }));
    return ordinal === LATE ? LATE : ordinal + 1;
  }

  refusalOf(itemId: string, attempt = Infinity): JobReportAnswer['reason'] {
    const item = this.#state.item(itemId);
    if (item !== undefined && item.attempts > attempt) return 'stale attempt';
    if (item?.status === 'completed') return 'already reported';
    return this.#phase === 'ended' ? 'job ended' : 'not running';
  }

  async #run(): Promise<JobResult<Result>> {
    const { thread } = this.#log;
    // Until its workers have ended, and what they report is recorded: for so long a close waits before the seal.
    const hold = thread.hold('job');
    const { signal } = this.code;
    const onStop = (): void => { this.stop(signal?.reason instanceof Error ? signal.reason.message : String(signal?.reason)); };
    const onClose = (): void => { this.#interrupt('the log of the job is closed'); };
    // The host has its job before the first worker begins.
    await Promise.resolve();
    if (signal?.aborted === true) onStop();
    else signal?.addEventListener('abort', onStop);
    if (thread.signal.aborted) onClose();
    else thread.signal.addEventListener('abort', onClose);
    try {
      if (this.#state.finished === undefined) await this.#runItems();
      return await this.#finish();
    } catch (error) {
      this.#failure ??= { error };
      throw this.#failure.error;
    } finally {
      signal?.removeEventListener('abort', onStop);
      thread.signal.removeEventListener('abort', onClose);
      hold[Symbol.dispose]();
      await this.#closeLog();
      this.#move('ended');
      this.#events.end(this.#failure);
    }
  }

  async #runItems(): Promise<void> {
    await this.#confirm();
    const rows = this.#log.rows(this.#state);
    const lanes = Array.from({ length: this.code.settings.concurrency }, async () => {
      try {
        for (let next = await this.#next(rows); next !== undefined; next = await this.#next(rows)) await this.#runItem(next.item, next.row as Row);
      } catch (error) {
        this.#break(error);
      }
    });
    await Promise.all(lanes);
    await rows.return();
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#phase === 'interrupted') throw interrupted(this.id);
  }

  /** A crash may have come between a report and the end that it made. */
  async #confirm(): Promise<void> {
    for (const { itemId, index, attempts } of [...this.#state.unconfirmed]) {
      const record: JobRecord = { type: 'item_finished', payload: { item_id: itemId, index, attempt: attempts, status: 'completed' } };
      this.#state.apply(record, await this.#append([record]), this.clock.nowMs());
    }
  }

  /** Asked for one after the other, as generators are. */
  async #next(rows: ReturnType<JobLog['rows']>): Promise<{ item: ItemState; row: object } | undefined> {
    while (this.#phase === 'running') {
      const next = await rows.next();
      if (next.done === true || this.#phase !== 'running') return undefined;
      if (!isOver(next.value.item)) return next.value;
    }
    return undefined;
  }

  /** One attempt after the other, until it has ended. */
  async #runItem(item: ItemState, row: Row): Promise<void> {
    while (this.#phase === 'running' && !isOver(item)) {
      const attempt = new Attempt(this, { jobId: this.id, itemId: item.itemId, index: item.index, row, attempt: item.attempts + 1 });
      this.#attempts.set(item.itemId, attempt);
      try {
        await this.#claim(item, attempt.item.attempt);
        attempt.start();
        const outcome = await attempt.decided;
        if (outcome.status !== 'interrupted') await this.#recordEnd(item, attempt.item.attempt, outcome);
        await attempt.left;
      } finally {
        this.#attempts.delete(item.itemId);
      }
    }
  }

  /** Its start is written: whatever becomes of the process, nobody takes it for an item that never ran. */
  async #claim(item: ItemState, attempt: number): Promise<void> {
    const record: JobRecord = { type: 'item_started', payload: { item_id: item.itemId, index: item.index, attempt } };
    const ordinal = await this.#append([record]);
    this.#state.apply(record, ordinal, this.clock.nowMs());
    this.#events.progressed();
    await this.#log.written(ordinal);
  }

  /** Written, and only then told. */
  async #recordEnd(item: ItemState, attempt: number, outcome: Exclude<Outcome, { status: 'interrupted' }>): Promise<void> {
    const records = endRecords(item.itemId, item.index, attempt, outcome, item.failures + 1 < this.code.settings.attempts);
    const last = outcome.status === 'completed' && outcome.ordinal !== undefined ? outcome.ordinal : await this.#append(records);
    await this.#log.written(last);
    const nowMs = this.clock.nowMs();
    for (const [place, record] of records.entries()) this.#state.apply(record, last + 1 - records.length + place, nowMs);
    if (isOver(item)) this.#events.ended(item);
    this.#events.progressed();
  }

  /** The last ordinal. @throws LASTWORD_THREAD_CLOSED, or what the log failed with */
  async #append(records: readonly JobRecord[]): Promise<number> {
    const first = await this.#log.appendInTurn(records);
    if (first !== LATE) return first + records.length - 1;
    if (this.#log.thread.state === 'failed') await this.#log.thread.flush();
    throw interrupted(this.id);
  }

  /** The end of the job: the output first, so that a job which says that it has ended has one. */
  async #finish(): Promise<JobResult<Result>> {
    const { outputCsvPath, escapeFormulas } = this.code.settings;
    const { items, counts, finished } = this.#state;
    const status = finished?.status ?? (this.#phase === 'stopping' ? 'cancelled' : counts.failed === items.length && items.length > 0 ? 'failed' : 'completed');
    const record: JobRecord = { type: 'job_finished', payload: { status, ...(this.#stopReason === undefined ? {} : { reason: this.#stopReason }) } };
    const open = items.filter((item) => !isOver(item));
    if (outputCsvPath !== undefined && this.#writesOutput) await writeOutput(outputCsvPath, this.#log.rows(this.#state), { jobId: this.id, columns: this.#state.columns ?? [], escapeFormulas });
    if (finished === undefined) {
      const ordinal = await this.#append([record]);
      await this.#log.written(ordinal);
      this.#state.apply(record, ordinal, this.clock.nowMs());
      for (const item of open) this.#events.ended(item);
      this.#events.progressed();
    }
    return { id: this.id, status, items: items.map((item) => itemResult<Result>(item)), outputCsvPath };
  }

  /** Somebody closes the log. What is not recorded by the seal is left to resumeJob(). */
  #interrupt(reason: string): void {
    if (!this.isRecording) return;
    this.#move('interrupted');
    for (const attempt of this.#attempts.values()) attempt.interrupt(reason);
    this.#log.thread.close().then(() => { this.#drop(); }, () => { this.#drop(); });
  }

  /** Log or rows fail: the job cannot go on. */
  #break(error: unknown): void {
    this.#failure ??= { error };
    if (this.isRecording) this.#move('interrupted');
    for (const attempt of this.#attempts.values()) attempt.interrupt('the job failed');
    this.#drop();
  }

  #move(to: Phase): void {
    assert((JOB_MOVES[this.#phase] as readonly Phase[]).includes(to), `a job that is ${this.#phase} is not ${to}`);
    this.#phase = to;
  }

  #drop(): void {
    for (const attempt of this.#attempts.values()) attempt.drop();
  }

  /** Agents that are still open below it are closed with it. How far a close came, it says itself. */
  async #closeLog(): Promise<void> {
    await this.#log.thread.close().catch((error: unknown) => { if (!isLastwordError(error)) throw error; });
  }
}

function endRecords(itemId: string, index: number, attempt: number, outcome: { readonly status: 'completed'; readonly result: unknown } | { readonly status: 'failed' | 'cancelled'; readonly error: string }, isTriedAgain = false): JobRecord[] {
  const names = { item_id: itemId, index, attempt };
  if (outcome.status === 'completed') {
    return [{ type: 'item_reported', payload: { ...names, result: outcome.result } }, { type: 'item_finished', payload: { ...names, status: 'completed' } }];
  }
  const { status, error } = outcome;
  return [{ type: 'item_finished', payload: { ...names, status: status === 'failed' && isTriedAgain ? 'pending' : status, error } }];
}

function interrupted(threadId: ThreadId): LastwordError {
  return new LastwordError('LASTWORD_THREAD_CLOSED', `job ${threadId} was closed before its end: it can be resumed`, { threadId });
}
