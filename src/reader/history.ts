/** What a thread's history is: its own rollout, and those that it refers to. */
import { LastwordError } from '../errors.js';
import { RolloutScanner } from '../rollout/scan.js';
import type { ThreadId } from '../types.js';
import { isOrdinal, type Ordinal } from '../units.js';
import { readHead, type Head } from './heads.js';
import { locateRollout } from './locate.js';
import { openRollout } from './rollout-source.js';

/** Part of a history: the records of one rollout below `end`. */
export interface Segment {
  readonly threadId: ThreadId;
  readonly path: string;
  /** Ordinal of its header. */
  readonly start: number;
  readonly end: number;
}

/** Deeper chains of forks are no accident. */
const SEGMENTS_MAX = 1000;

/**
 * The rollouts that hold the history, the oldest first.
 * @throws LASTWORD_THREAD_NOT_FOUND (the thread, or a base), LASTWORD_ROLLOUT_CORRUPT (no header, a cycle of bases)
 */
export async function historyOf(directory: string, id: ThreadId): Promise<Segment[]> {
  const segments: Segment[] = [];
  let end = Infinity;
  for (let next: ThreadId | undefined = id; next !== undefined;) {
    const head: Head = await headOf(directory, next);
    if (segments.length === SEGMENTS_MAX || segments.some(({ threadId }) => threadId === next)) {
      throw new LastwordError('LASTWORD_ROLLOUT_CORRUPT', `the bases of thread ${id} never end`, { threadId: id, path: head.path });
    }
    segments.unshift({ threadId: next, path: head.path, start: head.ordinal, end });
    const base = baseOf(head);
    next = base?.threadId;
    end = Math.min(end, base?.end ?? Infinity);
  }
  return segments;
}

async function headOf(directory: string, id: ThreadId): Promise<Head> {
  const stored = await locateRollout(directory, id);
  if (stored === undefined) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${id} has no rollout`, { threadId: id });
  const head = await readHead(stored.path, stored.isArchived);
  if (head === undefined) throw new LastwordError('LASTWORD_ROLLOUT_CORRUPT', 'the rollout does not begin with a header', { threadId: id, path: stored.path });
  return head;
}

/** The thread whose records come before those of this one, and the first ordinal that does not. */
export function baseOf({ payload }: Pick<Head, 'payload'>): { threadId: ThreadId; end: number } | undefined {
  const base = payload['history_base'] as { thread_id?: unknown; end_ordinal_exclusive?: unknown } | undefined | null;
  if (typeof base !== 'object' || base === null) return undefined;
  const { thread_id: threadId, end_ordinal_exclusive: end } = base;
  return typeof threadId === 'string' && isOrdinal(end) ? { threadId, end } : undefined;
}

/** The last record of a rollout, or the one asked for: its ordinal, and where its line ends. Undefined when it is not there. */
export async function findRecord(path: string, ordinal: number | undefined): Promise<{ ordinal: number; endOffset: number } | undefined> {
  const file = await openRollout(path);
  try {
    const scanner = new RolloutScanner(ordinal === undefined ? {} : { from: ordinal as Ordinal });
    let last: { ordinal: number; endOffset: number } | undefined;
    for (let isEnd = false; !isEnd;) {
      const chunk = await file.next();
      isEnd = chunk === undefined;
      if (chunk !== undefined) scanner.feed(chunk);
      for (let found = isEnd ? scanner.end() : scanner.next(); found !== undefined; found = scanner.next()) {
        last = { ordinal: found.record.ordinal, endOffset: found.offset + found.bytes };
        if (ordinal !== undefined) return last.ordinal === ordinal ? last : undefined;
      }
    }
    return last;
  } finally {
    await file.close();
  }
}
