import { open, readdir } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { decodeLine } from '../rollout/envelope.js';
import { otherPlaceOf, parseRolloutPath } from '../rollout/rollout-path.js';
import { timeOf } from '../rollout/thread-id.js';
import type { ThreadId } from '../types.js';
import { readFirstLine, readFrom } from './lists/pieces.js';

/** The header of a stored rollout. */
export interface Head {
  readonly id: ThreadId;
  readonly path: string;
  readonly isArchived: boolean;
  readonly ordinal: number;
  /** Where the header's line ends. */
  readonly bytes: number;
  readonly payload: Readonly<Record<string, unknown>>;
}

const DAY_MS = 86_400_000;
/** Heads that are read at the same time. */
const AT_ONCE = 8;

/**
 * The headers of all rollouts under the directory, in no order; one that is moved meanwhile may come twice. With `sinceMs` only of threads made then or later, as
 * far as their names tell. Files without a header are left out.
 */
export async function* readHeads(directory: string, sinceMs = 0): AsyncGenerator<Head, void, undefined> {
  const active = join(directory, 'sessions');
  const archived = join(directory, 'archived_sessions');
  // The first one twice: whichever way a rollout is moved meanwhile, it is in one of the lists.
  const listed = [...await pathsIn(active, sinceMs), ...await pathsIn(archived, sinceMs), ...await pathsIn(active, sinceMs)];
  const paths = [...new Set(listed)].map((path) => ({ path, isArchived: path.startsWith(join(archived, '/')) }));
  for (let next = 0; next < paths.length; next += AT_ONCE) {
    const heads = await Promise.all(paths.slice(next, next + AT_ONCE).map(({ path, isArchived }) => readHead(path, isArchived)));
    for (const head of heads) if (head !== undefined) yield head;
  }
}

async function pathsIn(folder: string, sinceMs: number): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(noneIfAbsent);
  return names.map((name) => join(folder, name)).filter((path) => {
    const name = parseRolloutPath(path);
    return name !== undefined && !name.isCompressed && (timeOf(name.id) ?? Infinity) >= sinceMs - DAY_MS;
  });
}

/** Undefined where the file is gone, is none, or does not begin with a header. */
export async function readHead(path: string, isArchived: boolean): Promise<Head | undefined> {
  const other = otherPlaceOf(path);
  // It may just have been archived, or unarchived.
  const line = await firstLineOf(path) ?? (other === undefined ? undefined : await firstLineOf(other));
  const record = line === undefined ? undefined : decodeLine(line.content);
  const id = parseRolloutPath(path)?.id;
  if (line === undefined || record?.type !== 'session_meta' || id === undefined) return undefined;
  const { payload } = record;
  if (typeof payload !== 'object' || payload === null) return undefined;
  return { id, path, isArchived, ordinal: record.ordinal ?? 0, bytes: line.bytes, payload: payload as Record<string, unknown> };
}

async function firstLineOf(path: string): Promise<{ content: Buffer; bytes: number } | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(noneIfAbsent);
  if (Array.isArray(file)) return undefined;
  try {
    if (!(await file.stat()).isFile()) return undefined;
    return await readFrom(file, readFirstLine());
  } finally {
    await file.close();
  }
}

function noneIfAbsent(error: unknown): never[] {
  if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
  throw error;
}
