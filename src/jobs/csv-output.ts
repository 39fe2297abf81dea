import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import { isLastwordError, LastwordError } from '../errors.js';
import type { ThreadId } from '../types.js';
import { isOver, type ItemState } from './job-state.js';

const COLUMNS = ['job_id', 'item_id', 'row_index', 'status', 'attempts', 'error', 'result_json', 'started_at', 'finished_at'];
const FILE_MODE = 0o600;

/** What the output says of all rows alike. */
export interface Output {
  readonly jobId: ThreadId;
  /** Of the input. */
  readonly columns: readonly string[];
  readonly escapeFormulas: boolean;
}

type Rows = AsyncIterable<{ readonly item: ItemState; readonly row: object }>;

/**
 * The columns of the input and what became of each row, under the path only once all of it is on the disk.
 * @throws LASTWORD_WRITE_FAILED; what reading the rows throws
 */
export async function writeOutput(path: string, rows: Rows, output: Output): Promise<void> {
  // Nobody else has the job, so a file of that name is one that it left behind when its process died.
  const temporary = join(dirname(path), `.${basename(path)}.${output.jobId}.tmp`);
  try {
    await rm(temporary, { force: true });
    await writeAndSync(temporary, rows, output);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true });
    if (isLastwordError(cause)) throw cause;
    const { errno, code } = cause as NodeJS.ErrnoException;
    throw new LastwordError('LASTWORD_WRITE_FAILED', `the output of job ${output.jobId} cannot be written: ${code ?? 'unknown'}`,
      { threadId: output.jobId, path, ...(errno === undefined ? {} : { errno }) }, { cause });
  }
}

async function writeAndSync(path: string, rows: Rows, output: Output): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE);
  try {
    const csv = stringify({ escape_formulas: output.escapeFormulas });
    await pipeline(recordsOf(rows, output), csv, async (chunks: AsyncIterable<Buffer>) => {
      // At the position of the handle, and all of it.
      for await (const chunk of chunks) await file.writeFile(chunk);
    });
    await file.sync();
  } finally {
    await file.close();
  }
}

async function* recordsOf(rows: Rows, { jobId, columns }: Output): AsyncGenerator<(string | number)[], void, undefined> {
  yield [...columns, ...COLUMNS];
  for await (const { item, row } of rows) {
    const { itemId, index, attempts, error, result, startedMs, finishedMs } = item;
    // What has not ended by now is cancelled with the job.
    const status = isOver(item) ? item.status : 'cancelled';
    const cells = columns.map((column) => (Object.hasOwn(row, column) ? (row as Record<string, unknown>)[column] : undefined));
    const own = [jobId, itemId, index, status, attempts, error, status === 'completed' ? JSON.stringify(result) : undefined, timeOf(startedMs), timeOf(finishedMs)];
    yield [...cells, ...own].map(cellOf);
  }
}

/** A number stays one: a negative number is no formula. */
function cellOf(value: unknown): string | number {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
}

function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
