/** Jobs whose host is killed: what has ended stays so, what ran runs again, and every row has one end. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { resumeJob, runJob } from 'lastword/jobs';
import { describe, expect, test } from 'vitest';
import { ITEMS, killJob, type KilledJob } from '../support/jobs/kills.js';
import { complaintsOf, jobLog } from '../support/jobs/logs.js';
import { mutantPackage } from '../support/mutants.js';
import { SEED } from '../support/random.js';
import { openTestSidecar, rejection, temporaryFolder, until, upTo } from '../support/sidecars.js';
import { deferred, within } from '../support/steps.js';
import { counted } from '../support/trials.js';

const KILLS = Number(process.env['LASTWORD_JOB_KILLS'] ?? 10);
/** A kill before anything has ended shows nothing. */
const CONTROL_ROUNDS = 6;
const UNKNOWN = '01a1ffc4-06a5-7764-954e-e26bd0dd457d';
const rows = (count: number): { n: number }[] => upTo(count).map((n) => ({ n }));

describe('resumeJob', () => {
  test(`ends a job of ${ITEMS} items whose host was killed at random moments with each of them completed once`, async ({ task }) => {
    const killed: KilledJob[] = [];
    for (let round = 0; round < KILLS; round += 1) killed.push(await killJob(SEED + round));
    counted(task, killed.reduce((sum, { kills }) => sum + kills, 0));
    expect(killed.filter(({ complaints }) => complaints.length > 0)).toEqual([]);
    expect(killed.filter(({ resumed }) => resumed > 0).length, 'jobs that were resumed').toBeGreaterThan(KILLS / 2);
  });

  test('the control: a job that forgets what has ended', async () => {
    const complained = async (file: string, find: string, replace: string): Promise<string> => {
      const { lastwordUrl } = mutantPackage({ file, find, replace });
      let said = '';
      for (let round = 0; round < CONTROL_ROUNDS && said === ''; round += 1) said = (await killJob(SEED + round, lastwordUrl)).complaints.join('\n');
      return said;
    };
    expect(await complained('src/jobs/job-log.js', 'if (record !== undefined)', "if (record !== undefined && !record.type.startsWith('item_reported') && record.type !== 'item_finished')")).toContain('items ran that had ended');
  });

  test('writes the end of an item whose report is the last thing that was written', async () => {
    const directory = temporaryFolder();
    const first = await openTestSidecar({ directory });
    const job = await runJob(first, { rows: rows(2), worker: async ({ row }) => row.n });
    const { path } = first.liveThread(job.id) ?? { path: '' };
    await job.result;
    const lines = readFileSync(path, 'utf8').split('\n');
    const end = lines.findIndex((line) => line.includes('item_reported'));
    truncateSync(path, Buffer.byteLength(`${lines.slice(0, end + 1).join('\n')}\n`));
    const ran: number[] = [];
    const again = await resumeJob<{ n: number }, number>(first, job.id, { worker: async ({ row }) => { ran.push(row.n); return row.n; } });
    expect((await again.result).items.map(({ result }) => result)).toEqual([0, 1]);
    expect(ran).toHaveLength(1);
    expect(complaintsOf(await jobLog(directory, job.id), 2)).toEqual([]);
  });

  test('says that there is no such job: none of the id, one of which not all rows were logged, a thread', async () => {
    const sidecar = await openTestSidecar();
    const worker = async (): Promise<number> => 1;
    const refused = async (id: string): Promise<unknown> => rejection(resumeJob(sidecar, id, { worker }));
    expect(await refused(UNKNOWN)).toMatchObject({ code: 'LASTWORD_JOB_NOT_FOUND', context: { threadId: UNKNOWN } });
    expect(await refused('x')).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
    const thread = await sidecar.createThread();
    await thread.close();
    expect(await refused(thread.id)).toMatchObject({ code: 'LASTWORD_JOB_NOT_FOUND' });
    const job = await runJob(sidecar, { id: UNKNOWN, rows: rows(3), worker });
    const { path } = sidecar.liveThread(UNKNOWN) ?? { path: '' };
    await job.result;
    const lines = readFileSync(path, 'utf8').split('\n');
    truncateSync(path, Buffer.byteLength(lines.slice(0, 4).join('\n')) + 5);
    expect(await refused(UNKNOWN)).toMatchObject({ code: 'LASTWORD_JOB_NOT_FOUND' });
    const anew = await runJob(sidecar, { id: UNKNOWN, rows: rows(2), worker });
    expect((await anew.result).items).toHaveLength(2);
  });

  test('says that the log is damaged, rather than that what it held never was', async () => {
    const sidecar = await openTestSidecar();
    const job = await runJob(sidecar, { rows: rows(3), worker: async () => 'result' });
    const { path } = sidecar.liveThread(job.id) ?? { path: '' };
    await job.result;
    writeFileSync(path, readFileSync(path, 'utf8').replace('"result":"result"', '"result":"resul?"'));
    expect(await rejection(resumeJob(sidecar, job.id, { worker: async () => 1 }))).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT', context: { path } });
    expect(sidecar.liveThread(job.id)).toBeUndefined();
  });

  test('says that the job runs: here, in another sidecar, and until it has ended', async () => {
    const directory = temporaryFolder();
    const [sidecar, other] = [await openTestSidecar({ directory }), await openTestSidecar({ directory })];
    const finish = deferred<number>();
    const job = await runJob(sidecar, { rows: rows(1), worker: () => finish.promise });
    await until(() => job.progress.running === 1, 'its item');
    const worker = async (): Promise<number> => 2;
    expect(await rejection(resumeJob(sidecar, job.id, { worker }))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY' });
    expect(await rejection(resumeJob(other, job.id, { worker }))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { owner: { pid: process.pid } } });
    finish.resolve(1);
    const { items } = await job.result;
    const answers = await Promise.allSettled([resumeJob(other, job.id, { worker }), resumeJob(other, job.id, { worker })]);
    expect(answers.map(({ status }) => status).sort(), 'one of two at once').toEqual(['fulfilled', 'rejected']);
    for (const answer of answers) if (answer.status === 'fulfilled') expect((await answer.value.result).items).toEqual(items);
  });

  test('goes on with the options of the start, but for those that are given', async () => {
    const directory = temporaryFolder();
    const first = await openTestSidecar({ directory });
    const job = await runJob(first, { rows: rows(4), attempts: 2, concurrency: 1, worker: ({ row }) => (row.n === 0 ? Promise.reject(new Error('always')) : new Promise<never>(() => undefined)) });
    await until(() => job.progress.failed === 1 && job.progress.running === 1, 'the second item');
    await first.close({ waitForTracked: false });
    await rejection(job.result);
    const second = await openTestSidecar({ directory });
    let running = 0;
    const three = deferred();
    const again = await resumeJob<{ n: number }, number>(second, job.id, {
      concurrency: 3, worker: async ({ row, attempt }) => {
        running += 1;
        if (running === 3) three.resolve();
        await three.promise;
        if (row.n === 1 && attempt < 3) throw new Error('twice: one interrupted, one failed');
        return attempt;
      },
    });
    const { items } = await within(again.result, 'three at once');
    expect(items.map(({ status, attempts }) => [status, attempts])).toEqual([['failed', 2], ['completed', 3], ['completed', 1], ['completed', 1]]);
    expect(complaintsOf(await jobLog(directory, job.id), 4)).toEqual([]);
  });
});
