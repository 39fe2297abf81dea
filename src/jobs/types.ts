/** The public shapes of 'lastword/jobs'. Names and semantics are the contract's. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ThreadId } from '../types.js';

/** Options of runJob(). Limits and defaults are in JOB_LIMITS. */
export interface JobOptions<Row extends object, Result> {
  /** A UUID v7; it is also the id of the job's log and may be a thread's parentId. Default: a fresh one. */
  id?: ThreadId | undefined;
  /** Rows, or a CSV file with a header line (then every value is a string). All are logged, as JSON, before the first item starts; the worker gets them as logged. */
  rows: Iterable<Row> | AsyncIterable<Row> | { csvPath: string };
  /** Column whose value names the item; default, and where the value is empty, `row-N`, N from 1. Duplicates get -2, -3, … */
  idColumn?: string | undefined;
  /**
   * Runs one item. It may report through context.report() or job.report(), or return the result (undefined is none); reporting may come
   * after it returned. Until it has settled, or was given up on, it counts as running.
   */
  worker: (item: JobItem<Row>, context: JobContext<NoInfer<Result>>) => Promise<NoInfer<Result> | void>;
  /** Any Standard Schema validator (zod, valibot, arktype, …). A result that fails it is refused and the attempt failed. What it makes of the result is the result. */
  resultSchema?: StandardSchemaV1<unknown, Result> | undefined;
  /** Workers at once. Default 16, 1 to 64. */
  concurrency?: number | undefined;
  /** Attempts that may fail before the item has; those that a crash or close interrupted do not count. Default 1. */
  attempts?: number | undefined;
  /** Longest time of one worker, ms: then its signal aborts, and it is given up on. Default 1 800 000. */
  itemTimeoutMs?: number | undefined;
  /** How long after its worker ended an item may still be reported, ms; also how long an asynchronous resultSchema may take. Default 5000. */
  reportTimeoutMs?: number | undefined;
  /** Written atomically when the job ends. Its folder must exist. */
  outputCsvPath?: string | undefined;
  /** Cells that a spreadsheet would run as a formula are escaped. Default false. */
  escapeFormulas?: boolean | undefined;
  /** Aborted before the job has begun: runJob() rejects with its reason. Later: as stop(). */
  signal?: AbortSignal | undefined;
}
/** Options of resumeJob(): those left out are as the job was started with. */
export type ResumeJobOptions<Row extends object, Result> = Pick<JobOptions<Row, Result>, 'worker'> & Partial<Omit<JobOptions<Row, Result>, 'id' | 'rows' | 'idColumn' | 'worker'>>;
/** What a worker is given to do: a row as it was logged. `index` counts rows from 0, `attempt` from 1. */
export interface JobItem<Row> { jobId: ThreadId; itemId: string; index: number; row: Row; attempt: number }
/** What became of a report. */
export interface JobReportAnswer {
  /** True: it is the result of the item, once it is written (and, with an asynchronous resultSchema, valid). */
  accepted: boolean;
  /** Why not; undefined where it was accepted. */
  reason?: 'already reported' | 'not running' | 'unknown item' | 'stale attempt' | 'invalid result' | 'job ended' | undefined;
}
/** What a worker is given beside its item. */
export interface JobContext<Result> {
  /** Aborted when the item times out, its result was refused, or the job is stopped or closed. */
  readonly signal: AbortSignal;
  /** For this attempt only. @throws LASTWORD_RING_FULL: it was not taken, and may be given again */
  report(result: Result): JobReportAnswer;
}
/** Where an item is. `completed`, `failed` and `cancelled` are final. */
export type JobItemStatus = 'pending' | 'running' | 'completed' | 'failed' | 'cancelled';
/** A job that runs or has run. Iterating gives every item that ended so far or ends, once, the latest progress, and at last `done`. */
export interface Job<Result> extends AsyncIterable<JobEvent<Result>> {
  /** For resumeJob(); the id of its log, and the parentId of its agents. */
  readonly id: ThreadId;
  /** For reports from outside the worker function. The first valid one of the current attempt wins; others are refused, never an error. @throws LASTWORD_RING_FULL: it was not taken, and may be given again */
  report(itemId: string, result: Result): JobReportAnswer;
  /** No item starts any more; running ones are aborted and cancelled, the rest is cancelled. */
  stop(reason?: string): void;
  /** At this moment. */
  readonly progress: JobProgress;
  /**
   * Resolves when the end is `written`. Never rejects for item failures. 'failed' when every item failed. Rejects with
   * LASTWORD_THREAD_CLOSED when the log was closed before the end, LASTWORD_WRITE_FAILED when log or outputCsvPath cannot be written,
   * LASTWORD_ROLLOUT_CORRUPT when the log cannot be read: then resumeJob() goes on.
   */
  readonly result: Promise<JobResult<Result>>;
}
/** Counts of items. */
export interface JobProgress {
  total: number; pending: number; running: number; completed: number; failed: number; cancelled: number;
  /** Ms until the last item ends, at the rate of this run so far; undefined before the first item ended. */
  etaMs: number | undefined;
}
/** The end of a job; items in the order of the rows. `outputCsvPath` is absolute; undefined where no output was asked for. */
export interface JobResult<Result> { id: ThreadId; status: 'completed' | 'failed' | 'cancelled'; items: JobItemResult<Result>[]; outputCsvPath: string | undefined }
/** An item: `attempts` counts those that were begun. `result` is there when it is completed, `error`, in words, when it failed or was cancelled. */
export interface JobItemResult<Result> { itemId: string; index: number; status: JobItemStatus; attempts: number; result?: Result | undefined; error?: string | undefined }
/** What a job says while it runs. */
export type JobEvent<Result> = { type: 'item'; item: JobItemResult<Result> } | { type: 'progress'; progress: JobProgress } | { type: 'done' };
