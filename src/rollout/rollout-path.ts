import { basename, dirname, join } from 'node:path';
import { LastwordError } from '../errors.js';
import type { ThreadId } from '../types.js';
import { parseThreadId, timeOf } from './thread-id.js';

/** Last moment whose year has four digits; an id may claim a later one, a folder may not. */
const TIME_MS_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
/** The folder of the logs of jobs. */
export const JOBS = 'jobs';
const NAME = /^rollout-(\d{4}(?:-\d\d){2}T\d\d(?:-\d\d){2})-([0-9a-fA-F-]{36})\.jsonl(\.zst)?$/;
/** In `sessions/YYYY/MM/DD`. */
const DATED = /^(.*\/sessions)\/(\d{4})\/(\d\d)\/(\d\d)(?:\/[^/]*)?$/s;

/** What the name of a rollout says. */
export interface RolloutName {
  /** In lower case, whichever the name has. */
  readonly id: ThreadId;
  /** `YYYY-MM-DDTHH-MM-SS`: UTC in files of ours, local time in Codex's. */
  readonly time: string;
  /** Codex keeps old rollouts as `.jsonl.zst`. */
  readonly isCompressed: boolean;
}

/**
 * `rollout-YYYY-MM-DDTHH-MM-SS-<id>.jsonl`, from the id alone. @throws LASTWORD_INVALID_OPTION unless the id is of
 * version 7
 */
export function rolloutName(id: ThreadId): string {
  return `rollout-${isoTimeOf(id).slice(0, 19).replaceAll(':', '-')}-${id}.jsonl`;
}

/**
 * Where a thread's rollout stands: `<directory>/sessions/YYYY/MM/DD/<name>`. Nothing but the hexadecimal digits of the
 * id gets into the path, so no id names a file outside the directory. @throws LASTWORD_INVALID_OPTION unless the id is
 * of version 7
 */
export function rolloutPath(directory: string, id: ThreadId): string {
  const [year = '', month = '', day = ''] = isoTimeOf(id).slice(0, 10).split('-');
  return join(directory, 'sessions', year, month, day, rolloutName(id));
}

/** Where the rollout of an archived thread stands. @throws LASTWORD_INVALID_OPTION unless the id is of version 7 */
export function archivedPath(directory: string, id: ThreadId): string {
  return join(directory, 'archived_sessions', rolloutName(id));
}

/** Where the log of a job stands: beside the sessions, out of the sight of whoever lists those. @throws LASTWORD_INVALID_OPTION unless the id is of version 7 */
export function jobLogPath(directory: string, id: ThreadId): string {
  return join(directory, JOBS, rolloutName(id));
}

export function isJobLog(path: string): boolean {
  return basename(dirname(path)) === JOBS;
}

/** Whether the id alone gives the path. */
export function hasRolloutPath(id: ThreadId): boolean {
  const timeMs = timeOf(id);
  return timeMs !== undefined && timeMs <= TIME_MS_MAX;
}

/** Where a rollout is moved to when it is archived, or when it is unarchived; undefined where the path is of neither place. */
export function otherPlaceOf(path: string): string | undefined {
  const [date = ''] = (parseRolloutPath(path)?.time ?? '').split('T');
  if (date === '') return undefined;
  const folder = dirname(path);
  const active = join('sessions', ...date.split('-'));
  if (basename(folder) === 'archived_sessions') return join(dirname(folder), active, basename(path));
  return folder.endsWith(join('/', active)) ? join(folder.slice(0, -active.length), 'archived_sessions', basename(path)) : undefined;
}

/**
 * The folders of the date above a rollout, or those that the path itself is of, the lowest first. None of them may be a link: only those
 * above are for the directory's owner to place. Empty for every other path.
 */
export function dateFoldersOf(path: string): string[] {
  const [, sessions = '', year = '', month = '', day = ''] = DATED.exec(path) ?? [];
  return sessions === '' ? [] : [join(sessions, year, month, day), join(sessions, year, month), join(sessions, year)];
}

/** Reads the name back from a path; undefined for files that are no rollouts, temporary ones among them. */
export function parseRolloutPath(path: string): RolloutName | undefined {
  const [, time, text = '', compressed] = NAME.exec(basename(path)) ?? [];
  const id = parseThreadId(text);
  if (time === undefined || id === undefined) return undefined;
  return { id, time, isCompressed: compressed !== undefined };
}

/** True for names of rollouts, and for those that only look like one: whoever counts rollouts counts these too. */
export function isLikeRollout(name: string): boolean {
  return name.startsWith('rollout-') && (name.endsWith('.jsonl') || name.endsWith('.jsonl.zst'));
}

function isoTimeOf(id: ThreadId): string {
  if (!hasRolloutPath(id)) {
    const what = 'the id must be a lower-case UUID of version 7 with a year of four digits';
    throw new LastwordError('LASTWORD_INVALID_OPTION', what, { option: 'id', value: id });
  }
  return new Date(timeOf(id) ?? NaN).toISOString();
}
