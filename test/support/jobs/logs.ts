/** What the log of a job says, read as anybody would. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { recordsOf } from '../sidecars.js';

export interface LogRecord { readonly type: string; readonly payload: { readonly item_id: string; readonly index: number; readonly attempt: number; readonly status: string; readonly error?: string; readonly row: object } }

export async function jobLog(directory: string, jobId: string): Promise<LogRecord[]> {
  const folder = join(directory, 'jobs');
  const [name] = readdirSync(folder).filter((one) => one.endsWith(`${jobId}.jsonl`));
  if (name === undefined) throw new Error(`no log of job ${jobId}`);
  return (await recordsOf(join(folder, name))).slice(1) as unknown as LogRecord[];
}

/** How often each item has a record of the type. */
export function countsOf(records: readonly LogRecord[], type: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { payload } of records.filter((record) => record.type === type)) counts.set(payload.item_id, (counts.get(payload.item_id) ?? 0) + 1);
  return counts;
}

/** What is wrong with a job that has ended: each row has to be there once, and each item to have one end. */
export function complaintsOf(records: readonly LogRecord[], items: number): string[] {
  const complaints: string[] = [];
  const added = countsOf(records, 'item_added');
  if (added.size !== items) complaints.push(`${added.size} of ${items} items were added`);
  const reported = countsOf(records, 'item_reported');
  for (const name of added.keys()) {
    const own = records.filter(({ payload }) => payload.item_id === name);
    const ends = own.filter(({ type, payload }) => type === 'item_finished' && payload.status !== 'pending');
    if (ends.length !== 1) complaints.push(`${name} ended ${ends.length} times`);
    if ((reported.get(name) ?? 0) !== (ends[0]?.payload.status === 'completed' ? 1 : 0)) complaints.push(`${name} was reported ${reported.get(name) ?? 0} times`);
    const starts = own.filter(({ type }) => type === 'item_started').map(({ payload }) => payload.attempt);
    if (starts.some((attempt, place) => attempt !== place + 1)) complaints.push(`${name} has attempts ${starts.join(', ')}`);
  }
  if (records.filter(({ type }) => type === 'job_finished').length !== 1 || records.at(-1)?.type !== 'job_finished') complaints.push('it has no end, or more than one');
  return complaints;
}
