/** Tables that jobs read and write. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { runJob, resumeJob, type JobOptions } from 'lastword/jobs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { complaintsOf, jobLog } from '../support/jobs/logs.js';
import { mutantPackage } from '../support/mutants.js';
import { openTestSidecar, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

type Row = Record<string, string>;
const OUTPUT = ['job_id', 'item_id', 'row_index', 'status', 'attempts', 'error', 'result_json', 'started_at', 'finished_at'];

function fileOf(text: string | Uint8Array): { folder: string; csvPath: string; outputCsvPath: string } {
  const folder = temporaryFolder();
  const csvPath = join(folder, 'in.csv');
  writeFileSync(csvPath, text);
  return { folder, csvPath, outputCsvPath: join(folder, 'out.csv') };
}

const readTable = (path: string): string[][] => parse(readFileSync(path), { bom: true });

describe('runJob', () => {
  test.each([
    ['LF', 'id,text\na,"one, ""two"""\nb,"three\nfour"\nc,\n'], ['CRLF, BOM, no last line end', '\ufeffid,text\r\na,"one, ""two"""\r\nb,"three\nfour"\r\nc,'],
    ['blank lines', '\n\nid,text\n\na,"one, ""two"""\nb,"three\nfour"\n\nc,\n\n'],
  ])('option rows: a CSV file with %s gives a row of strings for each record', async (_form, text) => {
    const { csvPath } = fileOf(text);
    const job = await runJob<Row>(await openTestSidecar(), { rows: { csvPath }, idColumn: 'id', worker: async ({ row, itemId }) => ({ ...row, itemId }) });
    expect((await job.result).items.map(({ result }) => result)).toEqual([
      { id: 'a', text: 'one, "two"', itemId: 'a' }, { id: 'b', text: 'three\nfour', itemId: 'b' }, { id: 'c', text: '', itemId: 'c' },
    ]);
  });

  test('option rows: a CSV file with nothing but a header is a job without items, and names like __proto__ are columns like others', async () => {
    const empty = fileOf('id,text\n');
    const job = await runJob<Row>(await openTestSidecar(), { rows: { csvPath: empty.csvPath }, outputCsvPath: empty.outputCsvPath, worker: async () => 1 });
    expect((await job.result).status).toBe('completed');
    expect(readTable(empty.outputCsvPath)).toEqual([['id', 'text', ...OUTPUT]]);
    const odd = fileOf('__proto__,constructor\n1,2\n');
    const other = await runJob<Row>(await openTestSidecar(), { rows: { csvPath: odd.csvPath }, outputCsvPath: odd.outputCsvPath, worker: async ({ row }) => Object.keys(row) });
    expect((await other.result).items[0]?.result).toEqual(['__proto__', 'constructor']);
    expect(readTable(odd.outputCsvPath)[1]?.slice(0, 2)).toEqual(['1', '2']);
  });

  test.each<[string, string | Uint8Array, Partial<Record<string, unknown>>, object]>([
    ['is empty', '', {}, {}], ['has blank lines only', '\n\n', {}, {}], ['has a nameless column', 'a,,c\n1,2,3\n', {}, { line: 1, column: 2 }], ['names a column twice', 'a,b,a\n1,2,3\n', {}, { line: 1, column: 3 }],
    ['has a row with too many fields', 'a,b\n1,2\n3,4,5\n', {}, { line: 3, fields: 3 }], ['has a row with too few', 'a,b\n1,2\n3\n', {}, { line: 3, fields: 1 }],
    ['lacks the column of the ids', 'a,b\n1,2\n', { idColumn: 'c' }, { column: 'c' }], ['has an open quote', 'a,b\n1,"2\n3,4\n', {}, { reason: 'CSV_QUOTE_NOT_CLOSED' }],
    ['has a quote where none can be', 'a,b\n1,2"3"\n', {}, { line: 2, reason: 'INVALID_OPENING_QUOTE' }],
  ])('refuses a CSV file that %s, without log or output', async (_what, text, more, context) => {
    const { folder, csvPath, outputCsvPath } = fileOf(text);
    const sidecar = await openTestSidecar();
    const options = { rows: { csvPath }, outputCsvPath, worker: async () => 1, ...more } as JobOptions<Row, number>;
    const error = await rejection(runJob(sidecar, options));
    expect(error).toMatchObject({ code: 'LASTWORD_JOB_INVALID', context: { path: csvPath, ...context } });
    expect(String(error), 'nothing of the file').not.toMatch(/"2|3,4/);
    expect(readdirSync(folder)).toEqual(['in.csv']);
    expect(readdirSync(sidecar.directory).includes('jobs') ? readdirSync(join(sidecar.directory, 'jobs')) : []).toEqual([]);
  });

  test.each([['there is none', 'nowhere.csv', 'ENOENT'], ['it is a folder', '.', 'EISDIR']])('refuses a CSV file when %s', async (_what, name, code) => {
    const { folder } = fileOf('a\n');
    const sidecar = await openTestSidecar();
    const error = await rejection(runJob<Row>(sidecar, { rows: { csvPath: join(folder, name) }, worker: async () => 1 }));
    expect(error).toMatchObject({ code: 'LASTWORD_JOB_INVALID', context: { path: join(folder, name) }, cause: { code } });
    expect(readdirSync(sidecar.directory)).not.toContain('jobs');
  });

  test('option outputCsvPath: has the columns of the input, and what became of each row', async () => {
    const { folder, csvPath, outputCsvPath } = fileOf('name,note\na,"x,y"\nb,"say ""hi"""\nc,=1+1\n');
    const sidecar = await openTestSidecar();
    const job = await runJob<Row>(sidecar, {
      rows: { csvPath }, idColumn: 'name', outputCsvPath, attempts: 2, worker: async ({ row }) => {
        if (row['name'] === 'b') throw new Error('no, never\nagain');
        return { note: row['note'] };
      },
    });
    expect(await job.result).toMatchObject({ outputCsvPath });
    const [header, ...lines] = readTable(outputCsvPath);
    expect(header).toEqual(['name', 'note', ...OUTPUT]);
    expect(lines.map((cells) => cells.slice(0, -2))).toEqual([
      ['a', 'x,y', job.id, 'a', '0', 'completed', '1', '', '{"note":"x,y"}'], ['b', 'say "hi"', job.id, 'b', '1', 'failed', '2', 'the worker threw: no, never\nagain', ''],
      ['c', '=1+1', job.id, 'c', '2', 'completed', '1', '', '{"note":"=1+1"}'],
    ]);
    for (const cells of lines) {
      const [startedAt, finishedAt] = cells.slice(-2).map((time) => Date.parse(time));
      expect(startedAt).toBeLessThanOrEqual(finishedAt ?? 0);
    }
    expect(readdirSync(folder).sort()).toEqual(['in.csv', 'out.csv']);
    expect(statSync(outputCsvPath).mode & 0o777).toBe(0o600);
  });

  test('option outputCsvPath: rows of an iterable have the members of all of them as columns, and what is no text is JSON', async () => {
    const { outputCsvPath } = fileOf('');
    const rows = [{ a: 'x' }, { b: -1, a: true }, { c: { d: [1] }, a: null }];
    await (await runJob<object>(await openTestSidecar(), { rows, outputCsvPath, escapeFormulas: true, worker: async () => 1 })).result;
    expect(readTable(outputCsvPath).map((cells) => cells.slice(0, 3))).toEqual([['a', 'b', 'c'], ['x', '', ''], ['true', '-1', ''], ['', '', '{"d":[1]}']]);
  });

  test.each([true, false])('option escapeFormulas: %s, cells that a spreadsheet would run are no formulas, or are as they were', async (escapeFormulas) => {
    const { csvPath, outputCsvPath } = fileOf('=head,b\n=1+1,+1\n-1,@sum\n"\tx","=HYPERLINK(""x"")"\nplain,1-1\n');
    const job = await runJob<Row>(await openTestSidecar(), { rows: { csvPath }, idColumn: 'b', outputCsvPath, escapeFormulas, worker: async () => { throw new Error('=cmd'); } });
    expect((await job.result).status).toBe('failed');
    const cells = readTable(outputCsvPath).map((line) => [line[0], line[1], line[3]]);
    const escaped = (text: string): string => (escapeFormulas ? `'${text}` : text);
    expect(cells).toEqual([
      [escaped('=head'), 'b', 'item_id'], [escaped('=1+1'), escaped('+1'), escaped('+1')], [escaped('-1'), escaped('@sum'), escaped('@sum')],
      [escaped('\tx'), escaped('=HYPERLINK("x")'), escaped('=HYPERLINK("x")')], ['plain', '1-1', '1-1'],
    ]);
  });

  /** The rows of a job whose log is damaged when its output is made: what stands at the path then, and what its folder holds. */
  async function damagedBeforeOutput({ runJob: run, openSidecar }: { runJob: typeof runJob; openSidecar: typeof openTestSidecar }): Promise<{ error: unknown; text: string; names: string[] }> {
    const { folder, outputCsvPath } = fileOf('');
    writeFileSync(outputCsvPath, 'of before');
    const sidecar = await openSidecar();
    const job = await run(sidecar, {
      rows: upTo(20).map((n) => ({ n, text: `row ${n} of twenty` })), outputCsvPath, concurrency: 1, worker: async ({ row, jobId }) => {
        const path = sidecar.liveThread(jobId)?.path ?? '';
        if (row.n === 19) writeFileSync(path, readFileSync(path, 'utf8').replace('row 15 of', 'row 15 0f'));
        return row.n;
      },
    });
    const error = await rejection(job.result);
    return { error, text: existsSync(outputCsvPath) ? readFileSync(outputCsvPath, 'utf8') : '', names: readdirSync(folder).sort() };
  }

  test('option outputCsvPath: takes the place of another file at once, or not at all', async () => {
    const { error, text, names } = await damagedBeforeOutput({ runJob, openSidecar: openTestSidecar });
    expect(error).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT', context: { index: 15 } });
    expect({ text, names }).toEqual({ text: 'of before', names: ['in.csv', 'out.csv'] });
  });

  test('option outputCsvPath, the control: an output that is written where it belongs from the start', async () => {
    const { lastwordUrl, writerUrl } = mutantPackage({
      file: 'src/jobs/csv-output.js', find: 'const temporary = join(dirname(path), `.${basename(path)}.${output.jobId}.tmp`);', replace: 'const temporary = path;',
    });
    const { openSidecar } = await import(lastwordUrl) as typeof import('lastword');
    const jobs = await import(lastwordUrl.replace('index.js', 'jobs/index.js')) as typeof import('lastword/jobs');
    const sidecar = await openSidecar({ directory: temporaryFolder(), logger: false, writerUrl: new URL(writerUrl) });
    onTestFinished(async () => { await sidecar.close({ abandon: true }); });
    expect((await damagedBeforeOutput({ runJob: jobs.runJob, openSidecar: async () => sidecar })).text).not.toBe('of before');
  });

  test('option outputCsvPath: where it cannot be written, the job can be resumed with another one', async () => {
    const { folder } = fileOf('');
    const sidecar = await openTestSidecar();
    const blocked = join(folder, 'out.csv');
    const job = await runJob(sidecar, { rows: [{ n: 1 }], outputCsvPath: blocked, worker: async () => { mkdirSync(blocked); return 1; } });
    expect(await rejection(job.result)).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { path: blocked, threadId: job.id } });
    expect(readdirSync(folder).sort(), 'nothing half').toEqual(['in.csv', 'out.csv']);
    const outputCsvPath = join(folder, 'other.csv');
    const again = await resumeJob(sidecar, job.id, { outputCsvPath, worker: async () => { throw new Error('it has ended'); } });
    expect(await again.result).toMatchObject({ status: 'completed', outputCsvPath });
    expect(readTable(outputCsvPath)).toHaveLength(2);
    expect(complaintsOf(await jobLog(sidecar.directory, job.id), 1)).toEqual([]);
  });
});
