import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { figure, table, whole } from '../format.js';
import { CONTENDERS, OURS } from '../peers/all.js';
import { withDirectory } from './support.js';

const THREADS = { quick: 1000, full: 10_000 } as const;
const CHILD = fileURLToPath(new URL('lifecycle-child.js', import.meta.url));
/** The most that a thread may take that does nothing, bytes. */
export const IDLE_BYTES_MAX = 4096;

/** Per thread, microseconds and bytes, ours of host and writer together. */
export interface LifecycleFigures {
  /** openSidecar(), in all. */
  readonly openUs?: number;
  readonly createUs: number;
  /** What is held for a thread that does nothing: live objects, and what hangs on them. */
  readonly idleBytes: number;
  /** What the process has grown by: with garbage, room that V8 keeps, pages of the rings. */
  readonly residentBytes: number;
  readonly closeUs: number;
  /** Of what was recorded before: a file that is there is opened again. */
  readonly resumeUs: number;
}
export type LifecycleRow = { readonly name: string; readonly threads: number } & (LifecycleFigures | { readonly unavailable: string });

/** Many threads created, left idle, closed and opened again, every contender in a fresh process. Stores and workers hold no thread. */
export async function runLifecycle(isQuick: boolean): Promise<LifecycleRow[]> {
  const threads = THREADS[isQuick ? 'quick' : 'full'];
  const rows: LifecycleRow[] = [];
  for (const { name, kind } of CONTENDERS) {
    if (kind !== 'ours' && kind !== 'files') continue;
    rows.push(await withDirectory(async (directory) => {
      const { stdout } = await promisify(execFile)(process.execPath, [CHILD, name, directory, String(threads)]);
      return { name, threads, ...JSON.parse(stdout) as LifecycleFigures | { unavailable: string } };
    }));
  }
  return rows;
}

export function lifecycleTable(rows: readonly LifecycleRow[]): string {
  const [first] = rows;
  return table([[`${whole(first?.threads ?? 0)} threads`, 'create', 'resume', 'close', 'held when idle', 'resident', 'target'], ...rows.map((row) => {
    if ('unavailable' in row) return [row.name, row.unavailable];
    const isMet = row.idleBytes <= IDLE_BYTES_MAX;
    return [
      row.name, `${figure(row.createUs)} µs`, `${figure(row.resumeUs)} µs`, `${figure(row.closeUs)} µs`, `${whole(row.idleBytes)} B`, `${whole(row.residentBytes)} B`,
      row.name === OURS ? `≤ ${whole(IDLE_BYTES_MAX)} B ${isMet ? 'met' : 'MISSED'}` : '',
    ];
  })]) + rows.map((row) => ('openUs' in row ? `  ${row.name}: openSidecar() took ${figure(row.openUs / 1000)} ms\n` : '')).join('');
}
