/** Jobs as a host runs them. What time decides is in jobs-reports.test.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sidecar } from 'lastword';
import { resumeJob, runJob, type JobEvent, type JobOptions, type JobReportAnswer } from 'lastword/jobs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { complaintsOf, countsOf, jobLog } from '../support/jobs/logs.js';
import { mutantPackage } from '../support/mutants.js';
import { openTestSidecar, rejection, temporaryFolder, until, upTo } from '../support/sidecars.js';
import { deferred, turn, within } from '../support/steps.js';

interface Row { n: number }
const rows = (count: number): Row[] => upTo(count).map((n) => ({ n }));
const ID = '01a1ffc4-06a5-7764-954e-e26bd0dd457d';

/** A Standard Schema that takes numbers from 0, and may need its time. */
const natural = (answer = (found: object): object | Promise<object> => found): NonNullable<JobOptions<Row, number>['resultSchema']> => ({
  '~standard': {
    version: 1, vendor: 'test',
    validate: (value) => answer(typeof value === 'number' && value >= 0 ? { value: value * 10 } : { issues: [{ message: 'no natural number' }] }) as { value: number },
  },
});

describe('runJob', () => {
  test('option worker: runs it once for each row, and what it returns is the result, in the order of the rows', async () => {
    const sidecar = await openTestSidecar();
    const job = await runJob(sidecar, { rows: rows(100), worker: async ({ row, index, attempt, itemId, jobId }) => ({ n: row.n, index, attempt, itemId, jobId }) });
    const { status, items, id, outputCsvPath } = await job.result;
    expect({ status, id, outputCsvPath }).toEqual({ status: 'completed', id: job.id, outputCsvPath: undefined });
    expect(items).toEqual(upTo(100).map((n) => ({
      itemId: `row-${n + 1}`, index: n, status: 'completed', attempts: 1, result: { n, index: n, attempt: 1, itemId: `row-${n + 1}`, jobId: job.id },
    })));
    expect(job.progress).toEqual({ total: 100, pending: 0, running: 0, completed: 100, failed: 0, cancelled: 0, etaMs: 0 });
    expect(complaintsOf(await jobLog(sidecar.directory, job.id), 100)).toEqual([]);
  });

  test('option rows: logs every row of an iterable, sync or not, before the first item starts', async () => {
    const sidecar = await openTestSidecar();
    async function* later(): AsyncGenerator<Row> {
      for (const row of rows(30)) {
        await turn();
        yield row;
      }
    }
    const seen: number[] = [];
    const job = await runJob(sidecar, { rows: later(), concurrency: 3, worker: async ({ row }) => { seen.push(row.n); return row.n; } });
    expect(seen, 'workers before the job is there').toEqual([]);
    await job.result;
    const types = (await jobLog(sidecar.directory, job.id)).map(({ type }) => type);
    expect(types.slice(0, 32)).toEqual(['job_created', ...upTo(30).map(() => 'item_added'), 'job_ready']);
    expect(seen).toEqual(upTo(30));
  });

  /** How many of a hundred workers found their start in the file when they began. */
  async function claimed({ runJob: run, openSidecar }: { runJob: typeof runJob; openSidecar: () => Promise<Sidecar> }): Promise<number> {
    const sidecar = await openSidecar();
    let found = 0;
    const job = await run(sidecar, {
      rows: rows(100), worker: async ({ jobId, itemId }) => {
        const text = readFileSync(sidecar.liveThread(jobId)?.path ?? '', 'utf8');
        found += text.includes(`"item_started","payload":{"item_id":"${itemId}"`) ? 1 : 0;
        return 1;
      },
    });
    await job.result;
    return found;
  }

  test('option worker: it starts when its item is claimed in the file, so that nobody takes it for one that never ran', async () => {
    expect(await claimed({ runJob, openSidecar: openTestSidecar })).toBe(100);
  });

  test('option worker, the control: one that starts before its claim is written', async () => {
    const { lastwordUrl, writerUrl } = mutantPackage({ file: 'src/jobs/running-job.js', find: 'this.#events.progressed();\n        await this.#log.written(ordinal);', replace: 'this.#events.progressed();' });
    const { openSidecar } = await import(lastwordUrl) as typeof import('lastword');
    const jobs = await import(lastwordUrl.replace('index.js', 'jobs/index.js')) as typeof import('lastword/jobs');
    const sidecar = await openSidecar({ directory: temporaryFolder(), logger: false, writerUrl: new URL(writerUrl) });
    onTestFinished(async () => { await sidecar.close(); });
    expect(await claimed({ runJob: jobs.runJob, openSidecar: async () => sidecar })).toBeLessThan(100);
  });

  test('option rows: none of them make a job that is completed', async () => {
    const job = await runJob(await openTestSidecar(), { rows: [], worker: async () => 1 });
    expect(await job.result).toMatchObject({ status: 'completed', items: [] });
  });

  test('option idColumn: names items, and duplicates get numbers', async () => {
    const sidecar = await openTestSidecar();
    const named = ['a', 'b', 'a', 'a-2', 'a', '', 'row-6', 'a'].map((name) => ({ name }));
    const job = await runJob(sidecar, { rows: named, idColumn: 'name', worker: async () => 1 });
    expect((await job.result).items.map(({ itemId }) => itemId)).toEqual(['a', 'b', 'a-2', 'a-2-2', 'a-3', 'row-6', 'row-6-2', 'a-4']);
  });

  test('option id: is that of the log, which lies beside the sessions, is read like a thread, and may be the parent of agents', async () => {
    const sidecar = await openTestSidecar();
    const job = await runJob(sidecar, {
      id: ID, rows: rows(2), worker: async ({ jobId, itemId }) => {
        await using agent = await sidecar.createThread({ parentId: jobId, meta: { job_item_id: itemId } });
        agent.append({ type: 'event_msg', payload: { type: 'task_complete' } });
        return agent.id;
      },
    });
    const { items } = await job.result;
    expect(job.id).toBe(ID);
    expect(readdirSync(join(sidecar.directory, 'jobs'))).toEqual([`rollout-2026-11-21T20-19-59-${ID}.jsonl`]);
    const types = [];
    for await (const { type } of sidecar.readThread(ID)) types.push(type);
    expect(types.filter((type) => type === 'item_added')).toHaveLength(2);
    const { threads } = await sidecar.listThreads({ parentId: ID });
    expect(threads.map(({ id, meta }) => [id, meta['job_item_id']]).sort()).toEqual(items.map(({ itemId, result }) => [result, itemId]).sort());
    expect((await sidecar.getThread(ID))?.meta).toMatchObject({ source: 'job' });
    expect((await sidecar.listThreads()).threads.map(({ id }) => id)).not.toContain(ID);
    await sidecar.archiveThread(ID);
    expect(readdirSync(join(sidecar.directory, 'jobs')), 'the log stays, its agents go').toHaveLength(1);
    expect((await sidecar.listThreads({ archived: true })).threads).toHaveLength(2);
    await sidecar.deleteThread(ID);
    expect(readdirSync(join(sidecar.directory, 'jobs'))).toEqual([]);
    expect((await sidecar.listThreads({ archived: true })).threads).toEqual([]);
  });

  test('option id: one that is taken is refused, and one of a job that never began is not', async () => {
    const sidecar = await openTestSidecar();
    const { id } = await sidecar.createThread();
    expect(await rejection(runJob(sidecar, { id, rows: rows(1), worker: async () => 1 }))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY' });
    await sidecar.liveThread(id)?.close();
    expect(await rejection(runJob(sidecar, { id, rows: rows(1), worker: async () => 1 }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
    await (await runJob(sidecar, { id: ID, rows: rows(1), worker: async () => 1 })).result;
    expect(await rejection(runJob(sidecar, { id: ID, rows: rows(1), worker: async () => 1 }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS' });
  });

  test('option concurrency: so many at once and no more, and the next one starts when one ends', async () => {
    const sidecar = await openTestSidecar();
    const open: (() => void)[] = [];
    const started: number[] = [];
    const job = await runJob(sidecar, {
      rows: rows(10), concurrency: 3, worker: ({ row }) => new Promise<number>((resolve) => { started.push(row.n); open[row.n] = () => { resolve(row.n); }; }),
    });
    await until(() => started.length === 3, 'three workers');
    expect(job.progress).toMatchObject({ running: 3, pending: 7 });
    for (const [place, next] of [1, 3, 4, 0, 2, 5, 6].entries()) {
      open[next]?.();
      await until(() => started.length === 4 + place, `the worker after ${next}`);
      expect(started).toEqual(upTo(4 + place));
    }
    for (const resolve of open) resolve();
    expect((await job.result).status).toBe('completed');
  });

  test('option attempts: a worker that throws is tried again so often, and the last reason is the error', async () => {
    const sidecar = await openTestSidecar();
    const job = await runJob(sidecar, {
      rows: rows(3), attempts: 3, worker: async ({ row, attempt }) => {
        if (attempt <= row.n * 2 - 1) throw new Error(`attempt ${attempt}`);
        return attempt;
      },
    });
    const { status, items } = await job.result;
    expect({ status, items: items.map(({ status: own, attempts, result, error }) => ({ own, attempts, result, error })) }).toEqual({
      status: 'completed',
      items: [
        { own: 'completed', attempts: 1, result: 1, error: undefined }, { own: 'completed', attempts: 2, result: 2, error: undefined },
        { own: 'failed', attempts: 3, result: undefined, error: 'the worker threw: attempt 3' },
      ],
    });
    const records = await jobLog(sidecar.directory, job.id);
    expect(complaintsOf(records, 3)).toEqual([]);
    expect([...countsOf(records, 'item_started').values()]).toEqual([1, 2, 3]);
  });

  test('option worker: all that fail make a failed job, whatever they throw, and the job resolves', async () => {
    const sidecar = await openTestSidecar();
    const thrown: unknown[] = [new TypeError('typed'), 'text', undefined, { secret: 1 }, new Proxy({}, { get: () => { throw new Error('trap'); } })];
    const job = await runJob(sidecar, { rows: rows(thrown.length), worker: ({ row }) => { throw thrown[row.n]; } });
    const { status, items } = await job.result;
    expect(status).toBe('failed');
    expect(items.map(({ error }) => error)).toEqual(['typed', 'text', 'undefined', 'object', 'object'].map((reason) => `the worker threw: ${reason}`));
  });

  test.each([['at once', natural()], ['later', natural(async (found) => { await turn(); return found; })]])('option resultSchema: what it refuses %s is no result, and what it makes of one is', async (_when, resultSchema) => {
    const sidecar = await openTestSidecar();
    const answers: JobReportAnswer[] = [];
    const job = await runJob(sidecar, {
      rows: rows(3), resultSchema, attempts: 2,
      worker: async ({ row, attempt }, { report, signal }) => {
        if (row.n === 0) return 7;
        if (row.n === 1) return attempt === 1 ? -1 : 8;
        answers.push(report(-1));
        if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve); });
        return 9;
      },
    });
    const { items } = await within(job.result, 'the job');
    expect(items.map(({ status, attempts, result, error }) => ({ status, attempts, result, error }))).toEqual([
      { status: 'completed', attempts: 1, result: 70, error: undefined }, { status: 'completed', attempts: 2, result: 80, error: undefined },
      { status: 'failed', attempts: 2, result: undefined, error: 'the result was refused: no natural number' },
    ]);
    const { accepted } = answers[0] ?? {};
    expect(answers.map((answer) => answer.accepted)).toEqual([accepted, accepted]);
    if (_when === 'at once') expect(answers[0]).toEqual({ accepted: false, reason: 'invalid result' });
  });

  test.each([['throws', () => { throw new Error('broken'); }], ['rejects', () => Promise.reject(new Error('broken'))]])('option resultSchema: one that %s fails the attempt with a code', async (_how, answer) => {
    const job = await runJob(await openTestSidecar(), { rows: rows(1), resultSchema: natural(answer), worker: async () => 1 });
    expect((await job.result).items[0]).toMatchObject({ status: 'failed', error: 'resultSchema threw: broken [LASTWORD_JOB_INVALID]' });
  });

  test('option resultSchema: without one, what cannot be stored is no result', async () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const job = await runJob(await openTestSidecar(), { rows: rows(1), worker: async () => cyclic });
    const [item] = (await job.result).items;
    expect(item).toMatchObject({ status: 'failed' });
    expect(item?.error).toMatch(/^the result cannot be stored: .*\[LASTWORD_ITEM_INVALID\]$/);
  });

  test('option signal: aborted, it stops the job; aborted before, there is none', async () => {
    const sidecar = await openTestSidecar();
    const controller = new AbortController();
    const begun = deferred();
    const job = await runJob(sidecar, { rows: rows(3), concurrency: 1, signal: controller.signal, worker: () => { begun.resolve(); return new Promise<never>(() => undefined); } });
    await begun.promise;
    controller.abort(new Error('enough'));
    const { status, items } = await within(job.result, 'the end of the job');
    expect({ status, items: items.map((item) => [item.status, item.error]) }).toEqual({ status: 'cancelled', items: [['cancelled', 'enough'], ['cancelled', undefined], ['cancelled', undefined]] });
    expect(await rejection(runJob(sidecar, { rows: rows(1), signal: controller.signal, worker: async () => 1 }))).toMatchObject({ message: 'enough' });
  });

  test('refuses what an option may not be, by its name, and makes nothing', async () => {
    const wrongs: [string, Partial<Record<string, unknown>>][] = [
      ['concurrency', { concurrency: 0 }], ['concurrency', { concurrency: 65 }], ['concurrency', { concurrency: 1.5 }], ['attempts', { attempts: 0 }], ['itemTimeoutMs', { itemTimeoutMs: 0 }],
      ['itemTimeoutMs', { itemTimeoutMs: 2 ** 31 }], ['reportTimeoutMs', { reportTimeoutMs: -1 }], ['worker', { worker: 'x' }], ['rows', { rows: 3 }], ['rows', { rows: null }], ['rows.csvPath', { rows: { csvPath: 3 } }],
      ['resultSchema', { resultSchema: {} }], ['resultSchema', { resultSchema: null }], ['outputCsvPath', { outputCsvPath: '/nowhere/at/all.csv' }], ['outputCsvPath', { outputCsvPath: '/tmp' }], ['escapeFormulas', { escapeFormulas: 'yes' }],
      ['id', { id: 'x' }], ['idColumn', { idColumn: 3 }], ['signal', { signal: {} }],
    ];
    const sidecar = await openTestSidecar();
    for (const [option, wrong] of wrongs) {
      const options = { rows: rows(1), worker: async () => 1, ...wrong } as JobOptions<Row, number>;
      expect(await rejection(runJob(sidecar, options)), JSON.stringify(wrong)).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option } });
    }
    expect(readdirSync(sidecar.directory)).not.toContain('jobs');
  });

  test('refuses rows that are none, and keeps nothing of the job', async () => {
    const sidecar = await openTestSidecar();
    const worker = async (): Promise<number> => 1;
    const bad = [...rows(300), 3] as Row[];
    expect(await rejection(runJob(sidecar, { rows: bad, worker }))).toMatchObject({ code: 'LASTWORD_JOB_INVALID', context: { index: 300 } });
    expect(await rejection(runJob(sidecar, { rows: rows(3), idColumn: 'name', worker }))).toMatchObject({ code: 'LASTWORD_JOB_INVALID', context: { index: 0, column: 'name' } });
    expect(await rejection(runJob(sidecar, { rows: (function* () { yield { n: 1 }; throw new Error('the source broke'); })(), worker }))).toMatchObject({ message: 'the source broke' });
    expect(readdirSync(join(sidecar.directory, 'jobs'))).toEqual([]);
    expect(await rejection(runJob({} as never, { rows: rows(1), worker }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
  });

  test('aborted or closed while its rows are logged: it is none, and its id is free', async () => {
    const sidecar = await openTestSidecar();
    const controller = new AbortController();
    function* rowsUntil(act: () => void): Generator<Row> {
      yield* rows(5);
      act();
      // For so long that the seal comes before the end of them.
      while (sidecar.state !== 'closed') yield { n: 5 };
    }
    const worker = async (): Promise<number> => 1;
    expect(await rejection(runJob(sidecar, { id: ID, rows: rowsUntil(() => { controller.abort(new Error('enough')); }), signal: controller.signal, worker }))).toMatchObject({ message: 'enough' });
    expect(readdirSync(join(sidecar.directory, 'jobs'))).toEqual([]);
    let closing: Promise<unknown> | undefined;
    expect(await rejection(runJob(sidecar, { id: ID, rows: rowsUntil(() => { closing = sidecar.close(); }), worker }))).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED' });
    await closing;
    const next = await openTestSidecar({ directory: sidecar.directory });
    expect(await rejection(resumeJob(next, ID, { worker }))).toMatchObject({ code: 'LASTWORD_JOB_NOT_FOUND' });
    expect((await (await runJob(next, { id: ID, rows: rows(3), worker })).result).items).toHaveLength(3);
  });

  test('says what happens to whoever iterates it, from whenever on: each item once, the progress, the end', async () => {
    const job = await runJob(await openTestSidecar(), { rows: rows(50), worker: async ({ row }) => { if (row.n === 7) throw new Error('seven'); }, reportTimeoutMs: 0 });
    const during: JobEvent<unknown>[] = [];
    for await (const event of job) during.push(event);
    const afterwards: JobEvent<unknown>[] = [];
    for await (const event of job) afterwards.push(event);
    for (const events of [during, afterwards]) {
      const ended = events.flatMap((event) => (event.type === 'item' ? [event.item.index] : []));
      expect(ended.toSorted((one, other) => one - other)).toEqual(upTo(50));
      expect(events.at(-1)).toEqual({ type: 'done' });
      expect(events.filter(({ type }) => type === 'progress').at(-1)).toEqual({ type: 'progress', progress: job.progress });
    }
    expect(afterwards.filter(({ type }) => type === 'progress')).toHaveLength(1);
  });
});

describe('stop', () => {
  test('starts nothing more, aborts what runs, and cancels the rest; what is reported as the signal aborts still counts', async () => {
    const sidecar = await openTestSidecar();
    const reasons: unknown[] = [];
    let hanging = 0;
    const job = await runJob(sidecar, {
      rows: rows(20), concurrency: 4, worker: ({ row }, { signal, report }) => new Promise<number>((resolve) => {
        if (row.n < 2) resolve(row.n);
        else hanging += 1;
        signal.addEventListener('abort', () => {
          reasons.push((signal.reason as Error).message);
          if (row.n === 3) report(33);
        });
      }),
    });
    await until(() => hanging === 4, 'four that hang');
    job.stop('enough');
    job.stop('again');
    const { status, items } = await within(job.result, 'the end of the job');
    expect(status).toBe('cancelled');
    expect(items.map((item) => item.status)).toEqual(upTo(20).map((n) => ([0, 1, 3].includes(n) ? 'completed' : 'cancelled')));
    expect([items[3]?.result, items[2]?.error, items[2]?.attempts, items[19]?.error, items[19]?.attempts]).toEqual([33, 'enough', 1, undefined, 0]);
    expect(reasons).toEqual(['enough', 'enough', 'enough', 'enough']);
    expect(job.progress).toMatchObject({ pending: 0, running: 0, completed: 3, cancelled: 17 });
    expect(job.report('row-3', 1)).toEqual({ accepted: false, reason: 'job ended' });
    expect((await (await resumeJob(sidecar, job.id, { worker: async () => 1 })).result).items, 'a job that ended stays as it was').toEqual(items);
  });
});

describe('close of the sidecar', () => {
  test('aborts its jobs, takes what they report by then, and leaves the rest to be resumed', async () => {
    const sidecar = await openTestSidecar();
    const job = await runJob(sidecar, {
      rows: rows(6), concurrency: 3, worker: ({ row, attempt }, { signal }) => new Promise<string>((resolve, reject) => {
        if (row.n === 0) resolve('at once');
        signal.addEventListener('abort', () => { setImmediate(() => { if (row.n === 1) resolve('last words'); else reject(new Error(`attempt ${attempt} aborted`)); }); });
      }),
    });
    await until(() => job.progress.completed === 1 && job.progress.running === 3, 'three that hang');
    expect(await within(sidecar.close(), 'the close')).toMatchObject({ forced: 0, late: 0 });
    expect(await rejection(job.result)).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED', context: { threadId: job.id } });
    expect(await rejection((async () => { for await (const event of job) void event; })())).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED' });
    expect(job.report('row-3', 'late')).toEqual({ accepted: false, reason: 'job ended' });
    const next = await openTestSidecar({ directory: sidecar.directory });
    const again = await resumeJob<Row, string>(next, job.id, { worker: async ({ row, attempt }) => `${row.n} in attempt ${attempt}` });
    const { status, items } = await again.result;
    expect(status).toBe('completed');
    expect(items.map(({ result }) => result)).toEqual(['at once', 'last words', '2 in attempt 2', '3 in attempt 2', '4 in attempt 1', '5 in attempt 1']);
    expect(complaintsOf(await jobLog(sidecar.directory, job.id), 6)).toEqual([]);
  });

  test('does not wait longer than for other work for a worker that does not listen', async () => {
    const sidecar = await openTestSidecar({ closeTimeoutMs: 200 });
    const begun = deferred();
    const job = await runJob(sidecar, { rows: rows(1), worker: () => { begun.resolve(); return new Promise<never>(() => undefined); } });
    await begun.promise;
    expect(await within(sidecar.close(), 'the close')).toMatchObject({ forced: 1 });
    expect(await rejection(within(job.result, 'the end of the job'))).toMatchObject({ code: 'LASTWORD_THREAD_CLOSED' });
  });
});
