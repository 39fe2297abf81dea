/** All rollouts under a directory in the order in which they were made, from their names alone. */
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isLikeRollout } from '../../rollout/rollout-path.js';
import { Heap } from './heap.js';
import { comparator, createdKey, spanOf, type Direction, type Position, type Span } from './order.js';
import { Place, ROOTS } from './place.js';

export interface WalkOptions {
  readonly isArchived: boolean;
  readonly direction: Direction;
  /** Only what comes behind it. */
  readonly after: Position | undefined;
}

/** A folder stands where the first of its rollouts may stand, and before it. */
interface Folder extends Position {
  readonly path: string;
  readonly span: Span;
}

/** Names taken from the system at a time: between two of them the event loop turns. */
const NAMES_AT_ONCE = 1024;

/** A folder is read when what may be in it is next: a first page reads the newest ones. */
export async function* walk(directory: string, { isArchived, direction, after }: WalkOptions): AsyncGenerator<Place, void, undefined> {
  const compare = comparator(direction);
  const isBehind = (place: Position): boolean => after === undefined || compare(after, place) < 0;
  const folderAt = (path: string): Folder => {
    const span = spanOf(path);
    return { path, span, ...(direction === 'desc' ? { key: span.to, tie: '\uffff' } : { key: span.from, tie: '' }) };
  };
  const mayReachBehind = ({ span: { from, to } }: Folder): boolean => after === undefined || (direction === 'desc' ? from <= after.key : to >= after.key);
  const heap = new Heap<Place | Folder>(compare);
  heap.push(folderAt(isArchived ? ROOTS.archived : ROOTS.active));
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    if (next instanceof Place) {
      yield next;
      continue;
    }
    const { key, path, span } = next;
    try {
      for await (const entry of await opendir(join(directory, path), { bufferSize: NAMES_AT_ONCE })) {
        if (isLikeRollout(entry.name)) {
          const place = new Place(path, entry.name, createdKey(entry.name, span));
          if (isBehind(place)) heap.push(place);
        } else if (entry.isDirectory()) {
          const folder = folderAt(`${path}/${entry.name}`);
          if (mayReachBehind(folder)) heap.push(folder);
        }
      }
    } catch (error) {
      const problem = problemOf(error);
      const place = new Place(path, '', key, problem);
      if (problem !== undefined && isBehind(place)) heap.push(place);
    }
  }
}

/** Why a folder cannot be read; undefined where it is gone. @throws what is no error of the system */
export function problemOf(error: unknown): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) throw error;
  return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : `it cannot be read: ${code}`;
}
