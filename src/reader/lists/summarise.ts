import { parseRolloutPath } from '../../rollout/rollout-path.js';
import type { ThreadSummary } from '../../types.js';
import { glean, type Gleaned } from './glean.js';
import { ALL_TIME } from './order.js';
import { readPieces, type FileState } from './pieces.js';

/** What is told of a thread, but for who may append to it. */
export type Summary = Omit<ThreadSummary, 'owner'>;

export interface DamagedRollout { readonly path: string; readonly reason: string }

/** The summary of a rollout, or why there is none; undefined where the file is gone. */
export async function summarise(path: string, isArchived: boolean, windowBytes: number): Promise<Summary | DamagedRollout | undefined> {
  const name = parseRolloutPath(path);
  if (name === undefined) return { path, reason: 'its name is not that of a rollout' };
  if (name.isCompressed) return { path, reason: 'it is compressed' };
  const read = await readPieces(path, (state) => glean(state, windowBytes));
  if ('unreadable' in read) return read.isGone ? undefined : { path, reason: read.unreadable };
  if (typeof read.value === 'string') return { path, reason: read.value };
  return summaryOf(path, isArchived, read.value, read.state);
}

export function isDamaged(summary: object): summary is DamagedRollout {
  return 'reason' in summary;
}

function summaryOf(path: string, isArchived: boolean, { createdMs, parentId, forkedFrom, preview, meta }: Gleaned, { bytes, modifiedMs }: FileState): Summary {
  const { title } = meta;
  const { id = '' } = parseRolloutPath(path) ?? {};
  return {
    id, path, parentId, forkedFrom, bytes, preview, meta,
    createdAt: timeOfMs(createdMs ?? modifiedMs),
    updatedAt: timeOfMs(modifiedMs),
    archived: isArchived,
    title: typeof title === 'string' ? title : undefined,
  };
}

/** Files may claim any time; a Date does not take all of them. */
function timeOfMs(ms: number): string {
  return new Date(Math.min(Math.max(ms, ALL_TIME.from), ALL_TIME.to)).toISOString();
}
