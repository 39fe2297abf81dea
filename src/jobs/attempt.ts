import type { StandardSchemaV1 } from '@standard-schema/spec';
import { assert } from '../assert.js';
import { isLastwordError } from '../errors.js';
import { LATE } from '../types.js';
import type { JobClock } from './clock.js';
import { reasonOf, shortened } from './errors.js';
import type { JobCode } from './options.js';
import type { JobContext, JobItem, JobReportAnswer } from './types.js';

/** How an attempt ends. Interrupted: the log takes nothing more, so the item stays as it was, to be resumed. */
export type Outcome =
  /** `ordinal`: of its records; undefined where there was no room for them yet. */
  | { readonly status: 'completed'; readonly result: unknown; readonly ordinal: number | undefined }
  | { readonly status: 'failed' | 'cancelled'; readonly error: string }
  | { readonly status: 'interrupted' };

/**
 * Where an attempt is. Whatever comes first of report, end of the worker and time-out moves it, in one turn and for good: there is no
 * moment at which two of them could both win.
 */
export const ATTEMPT_MOVES = {
  /** Its start is not written yet. */
  claimed: ['working', 'decided'],
  working: ['awaited', 'checking', 'decided'],
  /** The worker has ended without a report, which may still come. */
  awaited: ['checking', 'decided'],
  /** An asynchronous resultSchema looks at the report. */
  checking: ['decided'],
  decided: [],
} as const;
type Phase = keyof typeof ATTEMPT_MOVES;

export interface AttemptHost<Row extends object, Result> {
  readonly clock: JobClock;
  readonly code: JobCode<Row, Result>;
  /** The log is not about to be sealed. */
  readonly isRecording: boolean;
  /** Why a report is refused when nobody works on the item any more, or another attempt. */
  refusalOf(itemId: string, attempt: number): JobReportAnswer['reason'];
  /** Appends the result: its ordinal, or LATE. @throws LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE, LASTWORD_RING_FULL */
  keep(item: JobItem<Row>, result: unknown): number;
}

type Checked = StandardSchemaV1.Result<unknown>;

/** One attempt at one item. */
export class Attempt<Row extends object, Result> {
  readonly item: JobItem<Row>;
  /** What it comes to; recorded by then, though it may not be written yet. */
  readonly decided: Promise<Outcome>;
  /** The worker has settled, or was given up on. */
  readonly left: Promise<void>;
  readonly #host: AttemptHost<Row, Result>;
  #phase: Phase = 'claimed';
  #outcome: Outcome | undefined;
  #decide: (outcome: Outcome) => void = () => undefined;
  #leave: () => void = () => undefined;
  #isWorking = false;
  #controller: AbortController | undefined;
  #cancelItemTimer: () => void = () => undefined;
  #cancelReportTimer: () => void = () => undefined;

  constructor(host: AttemptHost<Row, Result>, item: JobItem<Row>) {
    this.#host = host;
    this.item = item;
    this.decided = new Promise((resolve) => { this.#decide = resolve; });
    this.left = new Promise((resolve) => { this.#leave = resolve; });
  }

  /** Its start is written. Nothing happens when it is decided by now. */
  start(): void {
    const { code: { worker, settings }, clock } = this.#host;
    if (this.#phase !== 'claimed') {
      this.#left();
      return;
    }
    this.#move('working');
    this.#isWorking = true;
    this.#cancelItemTimer = clock.after(settings.itemTimeoutMs, () => { this.#timeOut(); });
    // A worker that throws before it has made a promise throws like any other.
    void (async () => worker(this.item, this.#context()))().then((result) => { this.#returned(result); }, (error: unknown) => { this.#threw(error); });
  }

  /** @throws LASTWORD_RING_FULL: nothing has happened */
  report(result: unknown): JobReportAnswer {
    if (this.#phase === 'decided') {
      const { itemId, attempt } = this.item;
      return { accepted: false, reason: this.#outcome?.status === 'completed' ? 'already reported' : this.#host.refusalOf(itemId, attempt) };
    }
    if (this.#phase === 'claimed') return { accepted: false, reason: 'not running' };
    if (this.#phase === 'checking') return { accepted: false, reason: 'already reported' };
    return this.#take(result, true);
  }

  /** No longer wanted: the signal aborts, and the worker is given up on. What it reports as the signal aborts still counts. */
  cancel(reason: string): void {
    this.#abort(reason);
    this.#end({ status: 'cancelled', error: reason });
    this.#left();
  }

  /** The log is about to be sealed: the signal aborts, and the worker may report until it has ended. */
  interrupt(reason: string): void {
    this.#abort(reason);
    if (this.#phase === 'claimed' || this.#phase === 'awaited') this.#end({ status: 'interrupted' });
  }

  /** The log is closed: nobody waits for anything any more. */
  drop(): void {
    this.#end({ status: 'interrupted' });
    this.#left();
  }

  #context(): JobContext<Result> {
    const signalOf = (): AbortSignal => this.#signal;
    return {
      get signal() { return signalOf(); },
      report: (result) => this.report(result),
    };
  }

  /** Most workers never look at it. */
  get #signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  #abort(reason: string): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(new DOMException(reason, 'AbortError'));
  }

  #returned(result: unknown): void {
    if (!this.#isWorking) return;
    this.#left();
    if (result !== undefined && this.#phase === 'working') this.#take(result, false);
    if (this.#phase !== 'working') return;
    if (!this.#host.isRecording) this.#end({ status: 'interrupted' });
    else {
      this.#move('awaited');
      this.#boundReport('the worker ended, and no report came');
    }
  }

  #threw(error: unknown): void {
    if (!this.#isWorking) return;
    this.#left();
    if (this.#phase === 'working') this.#end({ status: 'failed', error: `the worker threw: ${reasonOf(error)}` });
  }

  /** The worker has settled, or nobody waits for it any more. */
  #left(): void {
    this.#isWorking = false;
    this.#cancelItemTimer();
    this.#leave();
  }

  #timeOut(): void {
    const error = `the worker did not end in ${this.#host.code.settings.itemTimeoutMs} ms`;
    this.#abort(error);
    if (this.#phase === 'working') this.#end({ status: 'failed', error });
    this.#left();
  }

  #boundReport(what: string): void {
    const { clock, code: { settings: { reportTimeoutMs } } } = this.#host;
    this.#cancelReportTimer = clock.after(reportTimeoutMs, () => { this.#fail(`${what} in ${reportTimeoutMs} ms`); });
  }

  /** `mayThrow`: whoever reports can do so again when there is no room. */
  #take(result: unknown, mayThrow: boolean): JobReportAnswer {
    const { resultSchema } = this.#host.code;
    if (resultSchema === undefined) return this.#keep(result, mayThrow);
    let checked: Checked | Promise<Checked>;
    try {
      checked = resultSchema['~standard'].validate(result);
      if (!(checked instanceof Promise)) return this.#keepChecked(checked, mayThrow);
    } catch (error) {
      if (mayThrow && isLastwordError(error) && error.code === 'LASTWORD_RING_FULL') throw error;
      return this.#schemaThrew(error);
    }
    this.#move('checking');
    this.#boundReport('resultSchema did not answer');
    void checked.then((value) => { if (this.#phase === 'checking') this.#keepChecked(value, false); }).catch((error: unknown) => { this.#schemaThrew(error); });
    return { accepted: true };
  }

  #keepChecked(checked: Checked, mayThrow: boolean): JobReportAnswer {
    const [issue] = checked.issues ?? [];
    if (issue !== undefined) return this.#fail(`the result was refused: ${shortened(String(issue.message))}`);
    return this.#keep((checked as StandardSchemaV1.SuccessResult<unknown>).value, mayThrow);
  }

  #keep(result: unknown, mayThrow: boolean): JobReportAnswer {
    let ordinal: number | undefined;
    try {
      ordinal = this.#host.keep(this.item, result);
    } catch (error) {
      if (!isLastwordError(error)) throw error;
      if (error.code !== 'LASTWORD_RING_FULL') return this.#fail(`the result cannot be stored: ${error.message}`);
      if (mayThrow) throw error;
    }
    if (ordinal === LATE) {
      this.#end({ status: 'interrupted' });
      return { accepted: false, reason: 'job ended' };
    }
    this.#end({ status: 'completed', result, ordinal });
    return { accepted: true };
  }

  #schemaThrew(error: unknown): JobReportAnswer {
    return this.#fail(`resultSchema threw: ${reasonOf(error)} [LASTWORD_JOB_INVALID]`);
  }

  /** What came, or did not come, makes the attempt a failed one. Whatever the worker still does is for nothing. */
  #fail(error: string): JobReportAnswer {
    this.#end({ status: 'failed', error });
    if (this.#isWorking) this.#abort(error);
    return { accepted: false, reason: 'invalid result' };
  }

  #move(to: Phase): void {
    assert((ATTEMPT_MOVES[this.#phase] as readonly Phase[]).includes(to), `an attempt that is ${this.#phase} is not ${to}`);
    this.#phase = to;
  }

  /** The first of all ends. */
  #end(outcome: Outcome): void {
    if (this.#phase === 'decided') return;
    this.#move('decided');
    this.#outcome = outcome.status === 'completed' || this.#host.isRecording ? outcome : { status: 'interrupted' };
    this.#cancelReportTimer();
    this.#decide(this.#outcome);
  }
}
