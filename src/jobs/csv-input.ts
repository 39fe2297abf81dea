import { createReadStream } from 'node:fs';
import { CsvError, parse } from 'csv-parse';
import { jobInvalid } from './errors.js';

const ENDS_OF_LINES = ['\n', '\r\n', '\r'];

/** The rows of a CSV file with a header line, its names first. @throws LASTWORD_JOB_INVALID (context.path, line, column) */
export async function* csvRecords(path: string): AsyncGenerator<readonly string[], void, undefined> {
  const file = createReadStream(path);
  const parser = parse({ bom: true, skip_empty_lines: true, record_delimiter: ENDS_OF_LINES });
  file.on('error', (error) => { parser.destroy(error); });
  try {
    let names: readonly string[] | undefined;
    for await (const cells of file.pipe(parser) as AsyncIterable<string[]>) {
      if (names === undefined) {
        assertHeader(path, cells);
        names = cells;
      }
      yield cells;
    }
    if (names === undefined) throw jobInvalid('the CSV file is empty: it has no header line', { path });
  } catch (error) {
    throw readable(path, error);
  } finally {
    file.destroy();
  }
}

function assertHeader(path: string, names: readonly string[]): void {
  for (const [place, name] of names.entries()) {
    if (name.trim() === '') throw jobInvalid(`the header line has no name for column ${place + 1}`, { path, line: 1, column: place + 1 });
    if (names.indexOf(name) !== place) throw jobInvalid(`the header line names column ${place + 1} as another one`, { path, line: 1, column: place + 1 });
  }
}

/** Messages of the parser quote the file: only where and what kind it is goes on. */
function readable(path: string, error: unknown): unknown {
  if (error instanceof CsvError) {
    const { lines, record } = error as { lines?: unknown; record?: unknown };
    const [line, fields] = [Number(lines), Array.isArray(record) ? record.length : undefined];
    const what = fields === undefined ? error.code : `a row of ${fields} fields, unlike the header`;
    return jobInvalid(`the CSV file cannot be parsed at line ${line}: ${what}`, { path, line, reason: error.code, ...(fields === undefined ? {} : { fields }) });
  }
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return error;
  return jobInvalid(`the CSV file cannot be read: ${code ?? 'unknown'}`, { path, ...(errno === undefined ? {} : { errno }) }, error);
}
