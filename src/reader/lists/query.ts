import { choice, invalidOption } from '../../options.js';
import { isThreadId } from '../../rollout/thread-id.js';
import type { ListOptions, ThreadId } from '../../types.js';
import { decodeCursor, type Direction, type Position, type Sort } from './order.js';

/** What threads are asked for, checked. */
export interface Query {
  readonly limit: number;
  readonly sort: Sort;
  readonly direction: Direction;
  readonly isArchived: boolean;
  readonly parentId: ThreadId | undefined;
  readonly cwd: string | undefined;
  readonly after: Position | undefined;
}

const LIMIT_DEFAULT = 50;

/** @throws LASTWORD_INVALID_OPTION */
export function checkList(options: ListOptions): Query {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object');
  const { limit = LIMIT_DEFAULT, cursor, archived = false, parentId, cwd } = options;
  const sort = choice('sort', options.sort, ['created', 'updated'], 'created');
  if (!Number.isSafeInteger(limit) || limit < 1) throw invalidOption('limit', limit, 'a whole number from 1');
  if (typeof archived !== 'boolean') throw invalidOption('archived', archived, 'true or false');
  if (parentId !== undefined && !isThreadId(parentId)) throw invalidOption('parentId', parentId, 'a lower-case UUID');
  if (cwd !== undefined && typeof cwd !== 'string') throw invalidOption('cwd', cwd, 'the path of a folder');
  return {
    limit, sort, parentId, cwd, isArchived: archived,
    direction: choice('direction', options.direction, ['desc', 'asc'], 'desc'),
    after: cursor === undefined ? undefined : decodeCursor(sort, cursor),
  };
}
