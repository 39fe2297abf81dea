/** All rollouts under a directory in the order in which they were made, from their names alone. */
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isLikeRollout } from '../../rollout/rollout-path.js';
import { Best } from './best.js';
import { Heap } from './heap.js';
import { comparator, createdKey, spanOf, type Direction, type Position, type Span } from './order.js';
import { Place, ROOTS } from './place.js';

export interface WalkOptions {
  readonly isArchived: boolean;
  readonly direction: Direction;
  /** Only what comes behind it. */
  readonly after: Position | undefined;
  /** So many are probably asked for. */
  readonly count: number;
}

/** A folder stands where the first of its rollouts may stand, and before it; its rest where the last one was taken. */
interface Folder extends Position {
  readonly path: string;
  readonly span: Span;
  /** What was taken from it already, and how many are taken next. */
  readonly taken?: Position;
  readonly count: number;
}

/** Names taken from the system at a time: between two of them the event loop turns. */
const NAMES_AT_ONCE = 1024;

/**
 * A folder is read when what may be in it is next: a first page reads the newest ones. Of a folder with many rollouts as many
 * as are asked for are kept; where that was not enough, it is read again for four times as many.
 */
export async function* walk(directory: string, options: WalkOptions): AsyncGenerator<Place, void, undefined> {
  const { isArchived, direction, after } = options;
  const heap = new Heap<Place | Folder>(comparator(direction));
  heap.push(folderAt(isArchived ? ROOTS.archived : ROOTS.active, options));
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    if (next instanceof Place) {
      yield next;
      continue;
    }
    const { path, span, taken, count } = next;
    const best = new Best<Place>({ direction, count, after: taken ?? after });
    try {
      for await (const entry of await opendir(join(directory, path), { bufferSize: NAMES_AT_ONCE })) {
        if (isLikeRollout(entry.name)) {
          const key = createdKey(entry.name, span);
          if (best.mayTake(key)) best.take(new Place(path, entry.name, key));
        } else if (taken === undefined && entry.isDirectory()) {
          const folder = folderAt(`${path}/${entry.name}`, options);
          const mayReach = after === undefined || (direction === 'desc' ? folder.span.from <= after.key : folder.span.to >= after.key);
          if (mayReach) heap.push(folder);
        }
      }
    } catch (error) {
      const problem = problemOf(error);
      if (problem !== undefined) best.take(new Place(path, '', next.key, problem));
    }
    const { first, isMore } = best.taken;
    for (const place of first) heap.push(place);
    const last = first.at(-1);
    if (isMore && last !== undefined) heap.push({ path, span, key: last.key, tie: last.tie, taken: last, count: count * 4 });
  }
}

function folderAt(path: string, { direction, count }: WalkOptions): Folder {
  const span = spanOf(path);
  return { path, span, count, ...(direction === 'desc' ? { key: span.to, tie: '\uffff' } : { key: span.from, tie: '' }) };
}

/** Why a folder cannot be read; undefined where it is gone. @throws what is no error of the system */
export function problemOf(error: unknown): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) throw error;
  return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : `it cannot be read: ${code}`;
}
