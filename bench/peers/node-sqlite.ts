import { installed, nothing, recordLine, type Contender } from './contender.js';

/** Lines of one transaction. */
const TRANSACTION_LINES = 512;

/** What is used of node:sqlite; the types of Node 20 do not know it. */
interface Statement { run(...values: unknown[]): unknown; all(...values: unknown[]): Record<string, unknown>[] }
interface Sqlite { readonly DatabaseSync: new (path: string) => { exec(sql: string): void; prepare(sql: string): Statement; close(): void } }

/**
 * One table for all threads. `synchronous` is off: "SQLite continues without syncing as soon as it has handed data off to the
 * operating system" (sqlite.org/pragma.html). Many lines make a transaction, as its FAQ, (19), advises: "surround multiple
 * INSERT statements with BEGIN...COMMIT".
 */
export const nodeSqlite: Contender = {
  name: 'node:sqlite',
  kind: 'store',
  async open(directory) {
    const specifier: string = 'node:sqlite';
    const { DatabaseSync } = await installed(specifier, () => import(specifier) as Promise<Sqlite>);
    const database = new DatabaseSync(`${directory}/store.db`);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
    database.exec('CREATE TABLE records (thread INTEGER, ordinal INTEGER, line TEXT, PRIMARY KEY (thread, ordinal)) WITHOUT ROWID');
    const [insert, select] = [
      database.prepare('INSERT INTO records VALUES (?, ?, ?)'),
      database.prepare('SELECT line FROM records WHERE thread = ? AND ordinal >= ? ORDER BY ordinal'),
    ];
    let lines = 0;
    const commit = (): void => {
      if (lines > 0) database.exec('COMMIT');
      lines = 0;
    };
    return {
      paths: [],
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        if (lines === 0) database.exec('BEGIN');
        insert.run(thread, ordinal, recordLine(ordinal, item));
        lines += 1;
        if (lines === TRANSACTION_LINES) commit();
        return true;
      },
      drained: nothing,
      complete: () => Promise.resolve(commit()),
      lines: (thread: number, ordinal: number) => Promise.resolve(select.all(thread, ordinal).map(({ line }) => String(line))),
      close: () => Promise.resolve(database.close()),
    };
  },
};
