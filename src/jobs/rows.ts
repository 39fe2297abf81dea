import { invalidOption } from '../options.js';
import { csvRecords } from './csv-input.js';
import { jobInvalid } from './errors.js';
import type { JobOptions } from './types.js';

/** A row with the name of its item. */
export interface NamedRow { readonly itemId: string; readonly row: object }

/** Rows as they come, and what is known of them by then. */
export class RowSource {
  readonly #rows: AsyncGenerator<object, void, undefined>;
  readonly #idColumn: string | undefined;
  readonly #columns = new Set<string>();
  /** Names given, and the number that the next item of the same name tries first. */
  readonly #names = new Map<string, number>();
  #count = 0;
  readonly #isCsv: boolean;

  /** @throws LASTWORD_INVALID_OPTION */
  constructor(rows: JobOptions<object, unknown>['rows'], idColumn: unknown) {
    if (idColumn !== undefined && typeof idColumn !== 'string') throw invalidOption('idColumn', idColumn, 'the name of a column');
    this.#idColumn = idColumn;
    this.#isCsv = isObject(rows) && 'csvPath' in rows;
    this.#rows = this.#open(rows);
  }

  /** Names of all members of the rows so far, in the order in which they came. */
  get columns(): string[] {
    return [...this.#columns];
  }

  /** @throws LASTWORD_JOB_INVALID; what the host's iterable throws */
  async next(): Promise<NamedRow | undefined> {
    const next = await this.#rows.next();
    if (next.done === true) return undefined;
    const row: unknown = next.value;
    const index = this.#count;
    if (!isObject(row) || Array.isArray(row)) throw jobInvalid(`row ${index} is no object`, { index });
    if (!this.#isCsv) for (const column of Object.keys(row)) this.#columns.add(column);
    this.#count += 1;
    return { itemId: this.#nameOf(row, index), row };
  }

  async close(): Promise<void> {
    await this.#rows.return();
  }

  #open(rows: unknown): AsyncGenerator<object, void, undefined> {
    if (isObject(rows) && 'csvPath' in rows) {
      const { csvPath } = rows;
      if (typeof csvPath !== 'string' || csvPath === '' || csvPath.includes('\0')) throw invalidOption('rows.csvPath', csvPath, 'the path of a CSV file');
      return this.#csvRows(csvPath);
    }
    const isIterable = isObject(rows) && (Symbol.iterator in rows || Symbol.asyncIterator in rows);
    if (!isIterable) throw invalidOption('rows', rows, 'an iterable of objects, or { csvPath }');
    return (async function* (): AsyncGenerator<object, void, undefined> { yield* rows as AsyncIterable<object>; })();
  }

  async *#csvRows(path: string): AsyncGenerator<object, void, undefined> {
    let names: readonly string[] | undefined;
    for await (const cells of csvRecords(path)) {
      if (names === undefined) {
        names = cells;
        for (const name of names) this.#columns.add(name);
        if (this.#idColumn !== undefined && !this.#columns.has(this.#idColumn)) throw columnMissing(this.#idColumn, { path });
      } else yield Object.fromEntries(names.map((name, place) => [name, cells[place]]));
    }
  }

  #nameOf(row: object, index: number): string {
    const column = this.#idColumn;
    if (column === undefined) return this.#unique(`row-${index + 1}`);
    if (!Object.hasOwn(row, column)) throw columnMissing(column, { index });
    const value = (row as Record<string, unknown>)[column];
    if (value === '' || value === null || value === undefined) return this.#unique(`row-${index + 1}`);
    if (typeof value !== 'string' && typeof value !== 'number') throw jobInvalid(`column ${column} of row ${index} names no item`, { index, column });
    return this.#unique(String(value));
  }

  #unique(name: string): string {
    let number = this.#names.get(name);
    if (number === undefined) {
      this.#names.set(name, 2);
      return name;
    }
    while (this.#names.has(`${name}-${number}`)) number += 1;
    this.#names.set(name, number + 1);
    this.#names.set(`${name}-${number}`, 2);
    return `${name}-${number}`;
  }
}

function columnMissing(column: string, context: { path?: string; index?: number }): Error {
  const where = context.index === undefined ? 'the CSV file' : `row ${context.index}`;
  return jobInvalid(`${where} has no column ${column}`, { ...context, column });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
