/** Jobs whose disk or writer is in trouble, and what they keep in memory. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { resumeJob, runJob } from 'lastword/jobs';
import { describe, expect, test } from 'vitest';
import { complaintsOf, jobLog } from '../support/jobs/logs.js';
import { mutantWriter, slowWriter } from '../support/mutants.js';
import { oneDeath, openTestSidecar, rejection, upTo } from '../support/sidecars.js';
import { turn, within } from '../support/steps.js';

const rows = (count: number): { n: number }[] => upTo(count).map((n) => ({ n }));

/** A writer whose file system refuses for good what holds the text FATAL, but in a salvage file. */
function refusingWriter(): URL {
  return mutantWriter({
    file: 'worker/fs-ops.js', find: 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),',
    replace: `write: (descriptor, bytes, offset, length) => {
        const text = Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);
        if (text.includes('FATAL') && text.indexOf('{"timestamp"') === 0) throw Object.assign(new Error('read-only'), { code: 'EROFS', errno: -30, syscall: 'write' });
        return fs.writeSync(descriptor, bytes, offset, length);
      },`,
  });
}

describe('runJob', () => {
  test('on a disk that takes longer than any bound of the sidecar: an item is told when it is written, and none is lost', async () => {
    const sidecar = await openTestSidecar({ closeTimeoutMs: 300, writerUrl: slowWriter() });
    const job = await runJob(sidecar, { rows: rows(6), concurrency: 2, worker: async ({ row }) => (row.n % 3 === 1 ? 'SLOW' : 'quick') });
    const { status, items } = await within(job.result, 'the job');
    expect({ status, results: items.map(({ result }) => result) }).toEqual({ status: 'completed', results: ['quick', 'SLOW', 'quick', 'quick', 'SLOW', 'quick'] });
    expect(complaintsOf(await jobLog(sidecar.directory, job.id), 6)).toEqual([]);
  });

  test('whose writer dies and is replaced: every item has one end', async () => {
    const sidecar = await openTestSidecar({ writerUrl: oneDeath() });
    const job = await runJob(sidecar, { rows: rows(200), concurrency: 8, worker: async ({ row }) => (row.n === 100 ? 'BREAK' : row.n) });
    const { status, items } = await within(job.result, 'the job');
    expect(sidecar.stats().writerRestarts).toBe(1);
    expect({ status, broken: items[100]?.result }).toEqual({ status: 'completed', broken: 'BREAK' });
    expect(complaintsOf(await jobLog(sidecar.directory, job.id), 200)).toEqual([]);
  });

  test('whose log fails for good: it says so, stops its workers, and can be resumed', async () => {
    const sidecar = await openTestSidecar({ writerUrl: refusingWriter() });
    const aborted: number[] = [];
    const job = await runJob<{ n: number }, string>(sidecar, {
      rows: rows(20), concurrency: 4, worker: ({ row }, { signal }) => new Promise((resolve) => {
        signal.addEventListener('abort', () => { aborted.push(row.n); });
        if (row.n !== 1 && row.n < 5) resolve(row.n === 4 ? 'FATAL' : 'fine');
      }),
    });
    expect(await rejection(within(job.result, 'the end of the job'))).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { threadId: job.id } });
    expect(aborted).toContain(1);
    expect(job.report('row-2', 'later')).toEqual({ accepted: false, reason: 'job ended' });
    await sidecar.close({ abandon: true });
    const next = await openTestSidecar({ directory: sidecar.directory });
    const again = await resumeJob<{ n: number }, string>(next, job.id, { worker: async () => 'fine' });
    expect((await again.result).items.map(({ result }) => result)).toEqual(upTo(20).map(() => 'fine'));
    expect(complaintsOf(await jobLog(sidecar.directory, job.id), 20)).toEqual([]);
  });

  test('holds results in memory, not rows: neither those that it was given nor those that it gave to workers', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const refs: WeakRef<object>[] = [];
    const seen = <Row extends object>(row: Row): Row => {
      refs.push(new WeakRef(row));
      return row;
    };
    function* source(): Generator<{ n: number }> {
      for (const row of rows(2_000)) yield seen({ ...row });
    }
    const job = await runJob(await openTestSidecar(), { rows: source(), concurrency: 4, worker: async ({ row }) => seen(row).n });
    await job.result;
    await turn();
    gc();
    expect(refs).toHaveLength(4_000);
    expect(refs.filter((ref) => ref.deref() !== undefined).length, 'rows that are still there').toBeLessThan(20);
    expect(job.progress.completed).toBe(2_000);
  });
});
