/** Parts of jobs that need no disk: the fold over a log, and the line that says how far a job is. */
import { describe, expect, test } from 'vitest';
import { ATTEMPT_MOVES } from '../../src/jobs/attempt.js';
import { ITEM_MOVES, itemResult, JobState } from '../../src/jobs/job-state.js';
import { jobRecordOf, type JobRecord } from '../../src/jobs/records.js';
import { JOB_MOVES } from '../../src/jobs/running-job.js';
import { progressLine, showProgress } from '../../src/jobs/show-progress.js';
import type { Job, JobEvent, JobItemStatus, JobProgress } from '../../src/jobs/types.js';
import { thrown } from '../support/sidecars.js';

const named = (index: number, attempt = 1): { item_id: string; index: number; attempt: number } => ({ item_id: `row-${index + 1}`, index, attempt });
const added = (index: number): JobRecord => ({ type: 'item_added', payload: { item_id: `row-${index + 1}`, index, row: {} } });
const created: JobRecord = { type: 'job_created', payload: { settings: { attempts: 2 } } };
const ready = (items: number): JobRecord => ({ type: 'job_ready', payload: { items, columns: ['a'] } });
const started = (index: number, attempt = 1): JobRecord => ({ type: 'item_started', payload: named(index, attempt) });
const reported = (index: number, attempt = 1): JobRecord => ({ type: 'item_reported', payload: { ...named(index, attempt), result: index } });
const finished = (index: number, status: Exclude<JobItemStatus, 'running'>, attempt = 1): JobRecord => ({ type: 'item_finished', payload: { ...named(index, attempt), status, ...(status === 'completed' ? {} : { error: status }) } });

function folded(records: readonly JobRecord[]): JobState {
  const state = new JobState();
  for (const [ordinal, record] of records.entries()) state.apply(record, ordinal, ordinal * 100);
  return state;
}

describe('the fold over the log of a job', () => {
  const whole: JobRecord[] = [
    created, added(0), added(1), added(2), ready(3), started(0), started(1), reported(0), finished(0, 'completed'), finished(1, 'pending'), started(1, 2), finished(1, 'failed', 2),
    started(2), { type: 'job_finished', payload: { status: 'cancelled' } },
  ];

  test('says of each item where it is, how often it was tried, and when it began and ended', () => {
    const state = folded(whole);
    expect(state.items.map((item) => itemResult(item))).toEqual([
      { itemId: 'row-1', index: 0, status: 'completed', attempts: 1, result: 0 }, { itemId: 'row-2', index: 1, status: 'failed', attempts: 2, error: 'failed' },
      { itemId: 'row-3', index: 2, status: 'cancelled', attempts: 1 },
    ]);
    expect(state.items.map(({ startedMs, finishedMs }) => [startedMs, finishedMs])).toEqual([[500, 700], [600, 1100], [1200, undefined]]);
    expect({ ...state.counts }).toEqual({ pending: 0, running: 0, completed: 1, failed: 1, cancelled: 1 });
  });

  test('is the same in parts: after each record the counts are those of the items', () => {
    for (let end = 1; end <= whole.length; end += 1) {
      const { items, counts } = folded(whole.slice(0, end));
      for (const status of Object.keys(ITEM_MOVES) as JobItemStatus[]) expect(counts[status], `${status} after ${end}`).toBe(items.filter((item) => item.status === status).length);
    }
  });

  test('begins anew where a job does, and takes an interrupted item for one to be tried again', () => {
    const state = folded([created, added(0), added(1), created, added(0), ready(1), started(0), started(0, 2)]);
    expect(state.items.map(({ status, attempts }) => [status, attempts])).toEqual([['running', 2]]);
    expect(state.begins).toBe(3);
  });

  test('knows which reports have no end yet', () => {
    const state = folded([created, added(0), added(1), ready(2), started(0), started(1), reported(0), finished(0, 'completed'), reported(1)]);
    expect([...state.unconfirmed].map(({ index }) => index)).toEqual([1]);
  });

  test.each<[string, JobRecord[]]>([
    ['a row out of its place', [created, added(1)]], ['rows that are not there', [created, added(0), ready(2)]], ['an item that it does not have', [created, ready(0), started(0)]],
    ['an item before all rows are there', [created, added(0), started(0)]], ['a report of what does not run', [created, added(0), ready(1), reported(0)]],
    ['a second report', [created, added(0), ready(1), started(0), reported(0), reported(0)]], ['a second end', [created, added(0), ready(1), started(0), finished(0, 'failed'), finished(0, 'completed')]],
    ['a start after the end', [created, added(0), ready(1), started(0), finished(0, 'failed'), started(0, 2)]],
  ])('refuses %s', (_what, records) => {
    expect(thrown(() => folded(records))).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT' });
  });

  test('takes nothing but records of jobs', () => {
    expect(jobRecordOf({ type: 'item_started', payload: named(0) })).toEqual(started(0));
    for (const item of [{ type: 'session_meta', payload: {} }, { type: 'item_started' }, { type: 'item_started', payload: null }, { type: 'toString', payload: {} }]) expect(jobRecordOf(item)).toBeUndefined();
  });
});

test.each([['item', ITEM_MOVES], ['attempt', ATTEMPT_MOVES], ['job', JOB_MOVES]] as const)('the table of moves of a %s ends, and names no state that it does not have', (_what, moves: Record<string, readonly string[]>) => {
  const reached = new Set(Object.values(moves).flat());
  expect([...reached].filter((state) => !(state in moves))).toEqual([]);
  expect(Object.keys(moves).slice(1).filter((state) => !reached.has(state)), 'never reached').toEqual([]);
  expect(Object.values(moves).some((to) => to.length === 0)).toBe(true);
});

describe('showProgress', () => {
  const at = (more: Partial<JobProgress>): JobProgress => ({ total: 10, pending: 8, running: 2, completed: 0, failed: 0, cancelled: 0, etaMs: undefined, ...more });

  /** A job of ten items, one of which ends each time; each takes so long. */
  function steadyJob(stepMs: number): { job: Job<unknown>; nowMs: () => number } {
    let now = 0;
    let progress = at({});
    const events = async function* (): AsyncGenerator<JobEvent<unknown>> {
      for (let done = 1; done <= 10; done += 1) {
        now += stepMs;
        progress = at({ completed: done, pending: Math.max(0, 8 - done), running: Math.min(2, 10 - done), etaMs: (10 - done) * stepMs });
        yield { type: 'progress', progress };
      }
      yield { type: 'done' };
    };
    return { job: { get progress() { return progress; }, [Symbol.asyncIterator]: events } as unknown as Job<unknown>, nowMs: () => now };
  }

  async function shown(stepMs: number, stream: { isTTY?: boolean; columns?: number }): Promise<string[]> {
    const written: string[] = [];
    const { job, nowMs } = steadyJob(stepMs);
    await showProgress(job, { ...stream, write: (text) => written.push(text) }, nowMs);
    return written;
  }

  test('rewrites one line on a terminal, no more often than can be read, and leaves the last one', async () => {
    const written = await shown(50, { isTTY: true, columns: 40 });
    expect(written).toHaveLength(7);
    expect(written.slice(0, -1).every((text) => text.startsWith('\r\u001b[2K') && !text.includes('\n') && text.length <= 39 + 5)).toBe(true);
    expect(written.slice(-2)).toEqual(['\r\u001b[2K[10/10] 10 done, 0 failed, 20/s', '\n']);
  });

  test('writes plain lines elsewhere, seldom, and one at the end', async () => {
    expect(await shown(2_000, {})).toEqual([
      '[1/10] 1 done, 0 failed, 2 running, 0.50/s, 18 s left\n', '[4/10] 4 done, 0 failed, 2 running, 0.50/s, 12 s left\n', '[7/10] 7 done, 0 failed, 2 running, 0.50/s, 6 s left\n',
      '[10/10] 10 done, 0 failed, 0.50/s\n',
    ]);
  });

  test('says what is known: no rate before the first end, minutes and hours, what was cancelled', () => {
    expect(progressLine(at({}), { ended: 0, elapsedMs: 5 })).toBe('[0/10] 0 done, 0 failed, 2 running');
    expect(progressLine(at({ completed: 3, failed: 1, etaMs: 125_000 }), { ended: 4, elapsedMs: 1_000 })).toBe('[4/10] 3 done, 1 failed, 2 running, 4.0/s, 2 min 5 s left');
    expect(progressLine(at({ completed: 1, etaMs: 7_260_000 }), { ended: 1, elapsedMs: 806_000 })).toBe('[1/10] 1 done, 0 failed, 2 running, 0.0012/s, 2 h 1 min left');
    expect(progressLine(at({ completed: 4, cancelled: 6, running: 0 }), { ended: 10, elapsedMs: 100 })).toBe('[10/10] 4 done, 0 failed, 6 cancelled, 100/s');
  });
});
