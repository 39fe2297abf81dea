/** What a thread's history is: its own rollout, and those that it refers to. */
import { LastwordError } from '../errors.js';
import { isThreadId } from '../rollout/thread-id.js';
import type { ThreadId } from '../types.js';
import { isOrdinal, type Ordinal } from '../units.js';
import { BackwardStream } from './backward-stream.js';
import { readHead, type Head } from './heads.js';
import { locateRollout } from './locate.js';
import { ForwardStream } from './record-stream.js';
import { openStored } from './rollout-source.js';

/** Part of a history: the records of one rollout below `end`. */
export interface Segment {
  readonly threadId: ThreadId;
  readonly path: string;
  /** Ordinal of its header. */
  readonly start: number;
  readonly end: number;
  /** Where the record before `end` ends in the file, as the header of the fork has it. */
  readonly endOffset: number | undefined;
}

/** Deeper chains of forks are no accident. */
const SEGMENTS_MAX = 1000;

/**
 * The rollouts that hold the history, the oldest first.
 * @throws LASTWORD_THREAD_NOT_FOUND (the thread, or a base), LASTWORD_ROLLOUT_CORRUPT (no header, a base that is no thread, a cycle of bases)
 */
export async function historyOf(directory: string, id: ThreadId): Promise<Segment[]> {
  const segments: Segment[] = [];
  let end = Infinity;
  let endOffset: number | undefined;
  for (let next: ThreadId | undefined = id; next !== undefined;) {
    const head: Head = await headOf(directory, next);
    if (segments.length === SEGMENTS_MAX || segments.some(({ threadId }) => threadId === next)) {
      throw new LastwordError('LASTWORD_ROLLOUT_CORRUPT', `the bases of thread ${id} never end`, { threadId: id, path: head.path });
    }
    segments.unshift({ threadId: next, path: head.path, start: head.ordinal, end, endOffset });
    const base = baseOf(head);
    // What a file says there is said by nobody else.
    if (base !== undefined && !isThreadId(base.threadId)) {
      throw new LastwordError('LASTWORD_ROLLOUT_CORRUPT', 'the header names a base that is no thread', { threadId: id, path: head.path });
    }
    next = base?.threadId;
    endOffset = base !== undefined && base.end <= end ? base.endOffset : undefined;
    end = Math.min(end, base?.end ?? Infinity);
  }
  return segments;
}

async function headOf(directory: string, id: ThreadId): Promise<Head> {
  const stored = await locateRollout(directory, id);
  const head = stored === undefined ? undefined : await readHead(stored.path, stored.isArchived);
  if (head !== undefined) return head;
  // It may have been deleted since.
  const { path } = (stored === undefined ? undefined : await locateRollout(directory, id)) ?? {};
  if (path === undefined) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${id} has no rollout`, { threadId: id });
  throw new LastwordError('LASTWORD_ROLLOUT_CORRUPT', 'the rollout does not begin with a header', { threadId: id, path });
}

/** The thread whose records come before those of this one, and the first ordinal that does not. */
export function baseOf({ payload }: Pick<Head, 'payload'>): { threadId: ThreadId; end: number; endOffset: number | undefined } | undefined {
  const base = payload['history_base'] as { thread_id?: unknown; end_ordinal_exclusive?: unknown; end_byte_offset?: unknown } | undefined | null;
  if (typeof base !== 'object' || base === null) return undefined;
  const { thread_id: threadId, end_ordinal_exclusive: end, end_byte_offset: endOffset } = base;
  if (typeof threadId !== 'string' || !isOrdinal(end)) return undefined;
  return { threadId, end, endOffset: Number.isSafeInteger(endOffset) ? endOffset as number : undefined };
}

/** The last record of a rollout, or the one asked for: its ordinal, and where its line ends. Undefined when it is not there. */
export async function findRecord(path: string, ordinal: number | undefined): Promise<{ ordinal: number; endOffset: number } | undefined> {
  const file = await openStored(path);
  const stream = ordinal === undefined ? new BackwardStream(file, (await file.stat()).size, {}) : new ForwardStream(file, { from: ordinal as Ordinal });
  try {
    while (await stream.fill()) {
      const taken = stream.take();
      if (taken === undefined) continue;
      const { record, offset, bytes } = taken;
      return ordinal === undefined || record.ordinal === ordinal ? { ordinal: record.ordinal, endOffset: offset + bytes } : undefined;
    }
    return undefined;
  } finally {
    await stream.close();
  }
}
