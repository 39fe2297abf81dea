/**
 * The report that jobs come from: workers whose results came a moment after they had ended were marked as failed for ever. Time stands
 * still in these tests until it is moved, so that each order of report and time-out is brought about; disk and load are real.
 */
import { spawn } from 'node:child_process';
import { MessageChannel } from 'node:worker_threads';
import type { Sidecar } from 'lastword';
import { runJob, type JobContext, type JobReportAnswer } from 'lastword/jobs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { StoppedClock } from '../support/jobs/clock.js';
import { startJob } from '../support/jobs/jobs.js';
import { complaintsOf, countsOf, jobLog } from '../support/jobs/logs.js';
import { mutantPackage, slowWriter } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { openTestSidecar, temporaryFolder, until, upTo } from '../support/sidecars.js';
import { turn, within } from '../support/steps.js';

interface Row { n: number }
const rows = (count: number): Row[] => upTo(count).map((n) => ({ n }));
const REPORT_MS = 5_000;
const ITEM_MS = 60_000;

/** Another process that leaves nothing of a core to others. */
function busyCore(): void {
  const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  onTestFinished(() => { child.kill('SIGKILL'); });
}

describe('report', () => {
  test('counts 0, 249, 251, 1000 and 4900 ms after the worker ended, on a slow disk and under load, and not after 5100 ms', async () => {
    busyCore();
    const clock = new StoppedClock();
    const sidecar = await openTestSidecar({ writerUrl: slowWriter() });
    const delays = [0, 249, 251, 1_000, 4_900, 5_100];
    const job = await startJob(sidecar, { rows: rows(delays.length), worker: async () => undefined }, clock);
    await until(() => clock.pendingIn(REPORT_MS) === delays.length, 'the end of every worker');
    const answers: JobReportAnswer[] = [];
    for (const [n, delay] of delays.entries()) {
      await clock.advanceTo(delay);
      // It takes the disk a second to write one.
      answers.push(job.report(`row-${n + 1}`, `SLOW ${delay}`));
    }
    const { items } = await within(job.result, 'the job');
    expect(answers.map(({ accepted }) => accepted)).toEqual([true, true, true, true, true, false]);
    expect(['not running', 'job ended']).toContain(answers[5]?.reason);
    expect(items.map(({ status, error }) => error ?? status)).toEqual([...upTo(5).map(() => 'completed'), 'the worker ended, and no report came in 5000 ms']);
    expect(complaintsOf(await jobLog(sidecar.directory, job.id), delays.length)).toEqual([]);
    expect(job.report('row-6', 'again').accepted).toBe(false);
  });

  test.each([['report', true], ['time-out', false]])('is decided once when it comes together with the time-out, and the %s is first', async (_first, isReportFirst) => {
    const clock = new StoppedClock();
    const sidecar = await openTestSidecar();
    let answer: JobReportAnswer | undefined;
    // Timers that are due at one moment go in the order in which they were set: this one before the job's, or behind it.
    const setReport = (): void => { clock.after(REPORT_MS, () => { answer = job.report('row-1', 1); }); };
    const job = await startJob(sidecar, { rows: rows(1), worker: async () => { if (isReportFirst) setReport(); } }, clock);
    await until(() => clock.pendingIn(REPORT_MS) === (isReportFirst ? 2 : 1), 'the end of the worker');
    if (!isReportFirst) setReport();
    await clock.advanceTo(REPORT_MS);
    const { items } = await job.result;
    const [item] = items;
    expect(item?.status).toBe(isReportFirst ? 'completed' : 'failed');
    expect(answer?.accepted).toBe(isReportFirst);
    const log = await jobLog(sidecar.directory, job.id);
    expect(log.filter(({ type }) => type === 'item_finished').map(({ payload }) => payload.status), 'on disk as in memory').toEqual([item?.status]);
  });

  /** What becomes of a report that is there, as a message, while the event loop stands still past the time-out. */
  async function reportToBusyHost(run: typeof runJob, sidecar: Sidecar): Promise<unknown> {
    const { port1, port2 } = new MessageChannel();
    onTestFinished(() => { port1.close(); });
    const job = await run(sidecar, {
      rows: rows(1), reportTimeoutMs: 20,
      worker: async () => {
        port1.on('message', () => { job.report('row-1', 'heard'); });
        // Behind it timers come first, and then messages.
        setImmediate(() => {
          port2.postMessage(undefined);
          const until = performance.now() + 60;
          while (performance.now() < until) continue;
        });
      },
    });
    const [item] = (await job.result).items;
    return item?.result ?? item?.error;
  }

  test('counts when it had arrived, though the host was too busy to hear of it before the time-out', async () => {
    expect(await reportToBusyHost(runJob, await openTestSidecar())).toBe('heard');
  });

  test('the control: a time-out that decides as soon as it is noticed', async () => {
    const { lastwordUrl, writerUrl } = mutantPackage({ file: 'src/jobs/clock.js', find: 'turn = setImmediate(callback);', replace: 'callback();' });
    const { openSidecar } = await import(lastwordUrl) as typeof import('lastword');
    const jobs = await import(lastwordUrl.replace('index.js', 'jobs/index.js')) as typeof import('lastword/jobs');
    await using sidecar = await openSidecar({ directory: temporaryFolder(), logger: false, writerUrl: new URL(writerUrl) });
    expect(await reportToBusyHost(jobs.runJob, sidecar)).toMatch(/no report came/);
  });

  test('is refused with the reason: unknown, not running, already reported, of an attempt that is over, of a job that is', async () => {
    const clock = new StoppedClock();
    const contexts: JobContext<number>[] = [];
    const job = await startJob<Row, number>(await openTestSidecar(), {
      rows: rows(3), concurrency: 1, attempts: 2, worker: async ({ row, attempt }, context) => {
        contexts.push(context);
        if (row.n === 0 && attempt === 1) throw new Error('once');
      },
    }, clock);
    await until(() => clock.pendingIn(REPORT_MS) === 1, 'the second attempt');
    expect(job.report('row-9', 1)).toEqual({ accepted: false, reason: 'unknown item' });
    expect(job.report('row-2', 1)).toEqual({ accepted: false, reason: 'not running' });
    expect(contexts[0]?.report(1)).toEqual({ accepted: false, reason: 'stale attempt' });
    expect(contexts[1]?.report(2)).toEqual({ accepted: true });
    expect(contexts[1]?.report(3)).toEqual({ accepted: false, reason: 'already reported' });
    expect(job.report('row-1', 3)).toEqual({ accepted: false, reason: 'already reported' });
    await until(() => contexts.length === 3 && clock.pendingIn(REPORT_MS) === 1, 'the next item');
    job.stop();
    const { items } = await job.result;
    expect(items.map(({ status, result }) => [status, result])).toEqual([['completed', 2], ['cancelled', undefined], ['cancelled', undefined]]);
    expect(job.report('row-1', 4)).toEqual({ accepted: false, reason: 'already reported' });
    expect(job.report('row-2', 4)).toEqual({ accepted: false, reason: 'job ended' });
    expect(contexts[2]?.report(4)).toEqual({ accepted: false, reason: 'job ended' });
  });

  test('by a worker that then throws, returns something else, or goes on, is its result', async () => {
    const clock = new StoppedClock();
    const job = await startJob<Row, string>(await openTestSidecar(), {
      rows: rows(3), itemTimeoutMs: ITEM_MS, worker: async ({ row }, { report }) => {
        report(`first of ${row.n}`);
        if (row.n === 0) throw new Error('afterwards');
        if (row.n === 1) return 'another one';
        return new Promise<string>(() => undefined);
      },
    }, clock);
    await until(() => job.progress.completed === 3, 'three results');
    expect(clock.pending, 'the bound of the worker that goes on').toBe(1);
    await clock.advanceTo(ITEM_MS);
    expect((await job.result).items.map(({ result }) => result)).toEqual(upTo(3).map((n) => `first of ${n}`));
    expect(clock.pending).toBe(0);
  });

  test('of 1,000 items by 64 workers after random times: each item is classified by its own, exactly once', async () => {
    const clock = new StoppedClock();
    const next = randomFrom(SEED);
    const sidecar = await openTestSidecar();
    const delays = upTo(1_000).map(() => next(2 * REPORT_MS));
    const answers = new Map<number, JobReportAnswer[]>();
    const job = await startJob<Row, number>(sidecar, {
      rows: rows(1_000), concurrency: 64, worker: async ({ row: { n } }, { report }) => {
        // Twice, and whichever way: only the first may count. At the very moment of the time-out, that is first: its timer was set before.
        clock.after(delays[n] ?? 0, () => { answers.set(n, [next(2) === 0 ? report(n) : job.report(`row-${n + 1}`, n), report(-n)]); });
      },
    }, clock);
    let isOver = false;
    void job.result.then(() => { isOver = true; });
    for (let ms = 0; !isOver; ms += 1 + next(500)) {
      await clock.advanceTo(ms);
      await turn();
    }
    const { items } = await job.result;
    const wrong = items.filter(({ index, status, result }) => {
      const isInTime = (delays[index] ?? 0) <= REPORT_MS;
      return status !== (isInTime ? 'completed' : 'failed') || result !== (isInTime ? index : undefined);
    });
    expect(wrong, `LASTWORD_SEED=${SEED}`).toEqual([]);
    const misanswered = [...answers].filter(([n, [first, second]]) => first?.accepted !== (items[n]?.status === 'completed') || second?.accepted !== false);
    expect(misanswered).toEqual([]);
    expect(complaintsOf(await jobLog(sidecar.directory, job.id), 1_000)).toEqual([]);
    expect(items.filter(({ status }) => status === 'completed').length, 'some of both').toBeGreaterThan(300);
    expect(items.filter(({ status }) => status === 'failed').length, 'some of both').toBeGreaterThan(300);
  });

  test('the control: a job that finalises as soon as its worker has ended, and one that decides twice', async () => {
    const run = async (patch: { find: string; replace: string }): Promise<{ statuses: unknown[]; complaints: string[] }> => {
      const { lastwordUrl, writerUrl } = mutantPackage({ file: 'src/jobs/attempt.js', ...patch });
      const { openSidecar } = await import(lastwordUrl) as typeof import('lastword');
      const { startJob: start } = await import(lastwordUrl.replace('index.js', 'jobs/start.js')) as { startJob: typeof startJob };
      const clock = new StoppedClock();
      const { directory } = await openTestSidecar();
      await using sidecar = await openSidecar({ directory, logger: false, writerUrl: new URL(writerUrl) });
      const job = await start(sidecar, { rows: rows(1), worker: async () => { clock.after(249, () => { job.report('row-1', 1); job.report('row-1', 2); }); } }, clock);
      await until(() => clock.pending > 0, 'the worker');
      await turn();
      await clock.advanceTo(300);
      const { items } = await job.result;
      return { statuses: items.map(({ status }) => status), complaints: complaintsOf(await jobLog(directory, job.id), 1) };
    };
    expect(await run({ find: "this.#boundReport('the worker ended, and no report came');", replace: "this.#fail('it has not reported');" })).toEqual({ statuses: ['failed'], complaints: [] });
    expect((await run({ find: "if (this.#phase === 'decided') {\n            const", replace: 'if (false) {\n            const' })).complaints).toEqual(['row-1 ended 2 times', 'row-1 was reported 2 times']);
  });
});

describe('runJob', () => {
  test('option itemTimeoutMs: then the signal aborts, and the worker is given up on', async () => {
    const clock = new StoppedClock();
    const reasons: unknown[] = [];
    const sidecar = await openTestSidecar();
    const job = await startJob<Row, number>(sidecar, {
      rows: rows(3), concurrency: 1, attempts: 2, itemTimeoutMs: ITEM_MS, worker: ({ row, attempt }, { signal, report }) => new Promise((resolve) => {
        if (row.n === 2) resolve(2);
        signal.addEventListener('abort', () => {
          reasons.push((signal.reason as Error).message);
          if (row.n === 1) report(attempt);
        });
      }),
    }, clock);
    for (const ms of [1, 2, 3]) {
      await until(() => clock.pending === 1, `attempt ${ms}`);
      await clock.advanceTo(ms * ITEM_MS - 1);
      expect(reasons).toHaveLength(ms - 1);
      await clock.advanceTo(ms * ITEM_MS);
      expect(reasons).toHaveLength(ms);
    }
    const { items } = await job.result;
    expect(items.map(({ status, attempts, result, error }) => ({ status, attempts, result, error }))).toEqual([
      { status: 'failed', attempts: 2, result: undefined, error: `the worker did not end in ${ITEM_MS} ms` },
      { status: 'completed', attempts: 1, result: 1, error: undefined }, { status: 'completed', attempts: 1, result: 2, error: undefined },
    ]);
    expect([...countsOf(await jobLog(sidecar.directory, job.id), 'item_started').values()]).toEqual([2, 1, 1]);
    expect(clock.pending).toBe(0);
  });

  test('option reportTimeoutMs: bounds the wait for a report, and for a resultSchema that never answers', async () => {
    const clock = new StoppedClock();
    const resultSchema = { '~standard': { version: 1, vendor: 'test', validate: () => new Promise<never>(() => undefined) } } as const;
    const job = await startJob(await openTestSidecar(), { rows: rows(2), reportTimeoutMs: 70, resultSchema, worker: async ({ row }) => (row.n === 0 ? undefined : 1) }, clock);
    await until(() => clock.pendingIn(70) === 2, 'both');
    expect(job.report('row-2', 2)).toEqual({ accepted: false, reason: 'already reported' });
    await clock.advanceTo(70);
    expect((await job.result).items.map(({ error }) => error)).toEqual(['the worker ended, and no report came in 70 ms', 'resultSchema did not answer in 70 ms']);
  });

  test('says when it will be done, by its pace so far', async () => {
    const clock = new StoppedClock();
    const finish: (() => void)[] = [];
    const job = await startJob(await openTestSidecar(), { rows: rows(10), concurrency: 1, worker: () => new Promise<number>((resolve) => { finish.push(() => { resolve(1); }); }) }, clock);
    expect(job.progress.etaMs).toBeUndefined();
    for (const done of [1, 2, 3, 4]) {
      await until(() => finish.length === done, `worker ${done}`);
      await clock.advanceTo(done * 100);
      finish[done - 1]?.();
      await until(() => job.progress.completed === done, `item ${done}`);
      expect(job.progress.etaMs).toBe((10 - done) * 100);
    }
    job.stop();
    await job.result;
  });
});
