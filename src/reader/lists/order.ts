/** In which order threads are listed, and where in it a page ends. */
import { invalidOption } from '../../options.js';
import { parseRolloutPath } from '../../rollout/rollout-path.js';
import { timeOf } from '../../rollout/thread-id.js';

export type Sort = 'created' | 'updated';
export type Direction = 'desc' | 'asc';

/** A rollout's place in an order: by time, then by id, then by path. */
export interface Position {
  /** Ms since 1970. */
  readonly key: number;
  /** `<id> <path from the directory>`; names that hold no id stand in its place. */
  readonly tie: string;
}

/** Moments between which a folder's rollouts were made. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const HOUR_MS = 3_600_000;
/** Furthest moments of a Date. */
const TIME_MS_MAX = 8.64e15;
export const ALL_TIME: Span = { from: -TIME_MS_MAX, to: TIME_MS_MAX };
/** Names as nearly all of them are, with an id of version 7: a folder may have 100,000 of them. */
const WITH_TIME = /^rollout-\d{4}(?:-\d\d){2}T\d\d(?:-\d\d){2}-([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.jsonl$/;
const DATE_FOLDER = /^sessions\/(\d{4})(?:\/(0[1-9]|1[0-2])(?:\/(0[1-9]|[12]\d|3[01]))?)?(?:\/|$)/;

export function comparePositions(one: Position, other: Position): number {
  if (one.key !== other.key) return one.key - other.key;
  return one.tie < other.tie ? -1 : Number(one.tie > other.tie);
}

/** Below zero where the first comes first. */
export function comparator(direction: Direction): (one: Position, other: Position) => number {
  return direction === 'asc' ? comparePositions : (one, other) => comparePositions(other, one);
}

/**
 * What the names of the folders say of when the rollouts in it were made. Codex names folders by local time, which is up to
 * 14 hours ahead of UTC and 12 behind.
 */
export function spanOf(folder: string): Span {
  const [, yearText, monthText, dayText] = DATE_FOLDER.exec(folder) ?? [];
  if (yearText === undefined) return ALL_TIME;
  const [year, month, day] = [Number(yearText), Number(monthText ?? 1) - 1, Number(dayText ?? 1)];
  const end = monthText === undefined ? Date.UTC(year + 1, 0) : Date.UTC(year, month + 1);
  // No day is outside of its month, not even the 31st of February.
  const [from, to] = [Math.min(Date.UTC(year, month, day), end), dayText === undefined ? end : Math.min(Date.UTC(year, month, day + 1), end)];
  return { from: from - 14 * HOUR_MS, to: to + 12 * HOUR_MS };
}

/**
 * When a rollout was made, as far as its path tells: the time in its id, else the one in its name. Never outside its
 * folder's span, so that the newest can be found without a look into older folders.
 */
export function createdKey(name: string, { from, to }: Span): number {
  const [, seconds, rest] = WITH_TIME.exec(name) ?? [];
  const timeMs = seconds === undefined ? timeElsewhereIn(name) : parseInt(seconds + (rest ?? ''), 16);
  return Math.min(Math.max(timeMs ?? from, from), to);
}

function timeElsewhereIn(name: string): number | undefined {
  const parsed = parseRolloutPath(name);
  return parsed === undefined ? undefined : timeOf(parsed.id) ?? timeInName(parsed.time);
}

export function tieOf(folder: string, name: string): string {
  return `${parseRolloutPath(name)?.id ?? name} ${folder}/${name}`;
}

function timeInName(time: string): number {
  const [date = '', clock = ''] = time.split('T');
  const ms = Date.parse(`${date}T${clock.replaceAll('-', ':')}Z`);
  return Number.isNaN(ms) ? ALL_TIME.from : ms;
}

export function encodeCursor(sort: Sort, { key, tie }: Position): string {
  return Buffer.from(JSON.stringify([sort, key, tie])).toString('base64url');
}

/** @throws LASTWORD_INVALID_OPTION */
export function decodeCursor(sort: Sort, cursor: unknown): Position {
  const decoded = typeof cursor === 'string' ? parse(Buffer.from(cursor, 'base64url').toString()) : undefined;
  const [sorted, key, tie] = Array.isArray(decoded) ? decoded as unknown[] : [];
  if (sorted !== sort || typeof key !== 'number' || typeof tie !== 'string') {
    throw invalidOption('cursor', cursor, `the nextCursor of a page that was sorted by '${sort}'`);
  }
  return { key, tie };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no cursor of ours: the caller says so
  }
}
