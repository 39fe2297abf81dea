/** What the log of a job holds, in this order; docs/jobs.md explains each. */
import type { RolloutItem } from '../types.js';
import type { JobSettings } from './options.js';
import type { JobItemStatus } from './types.js';

/** What an item may be after an attempt: `pending` when it is tried again. */
export type AfterAttempt = Exclude<JobItemStatus, 'running'>;

export interface JobRecords {
  /** The first of them; a further one begins the job anew. */
  job_created: { readonly settings: Partial<JobSettings> };
  item_added: { readonly item_id: string; readonly index: number; readonly row: object };
  /** All rows are there: without it nothing of the job has started. */
  job_ready: { readonly items: number; readonly columns: readonly string[] };
  item_started: { readonly item_id: string; readonly index: number; readonly attempt: number };
  /** With it the item is completed. */
  item_reported: { readonly item_id: string; readonly index: number; readonly attempt: number; readonly result: unknown };
  item_finished: { readonly item_id: string; readonly index: number; readonly attempt: number; readonly status: AfterAttempt; readonly error?: string | undefined };
  /** What has not ended is cancelled. */
  job_finished: { readonly status: 'completed' | 'failed' | 'cancelled'; readonly reason?: string | undefined };
}

export type JobRecord = { readonly [Type in keyof JobRecords]: { readonly type: Type; readonly payload: JobRecords[Type] } }[keyof JobRecords];

const TYPES: ReadonlySet<string> = new Set<keyof JobRecords>(['job_created', 'item_added', 'job_ready', 'item_started', 'item_reported', 'item_finished', 'job_finished']);

/** Undefined for what is none of a job's: its header, for one. What a payload holds is the fold's to check. */
export function jobRecordOf(item: RolloutItem): JobRecord | undefined {
  const isOne = TYPES.has(item.type) && typeof item.payload === 'object' && item.payload !== null;
  return isOne ? item as JobRecord : undefined;
}
