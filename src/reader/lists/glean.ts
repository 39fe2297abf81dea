import { decodeLine, verifyChecksum } from '../../rollout/envelope.js';
import { parseThreadId } from '../../rollout/thread-id.js';
import type { ThreadId } from '../../types.js';
import { Gleaner } from './gleaner.js';
import { readFirstLine, type FileState, type Reading } from './pieces.js';

/** What a rollout's beginning and end say of its thread. */
export interface Gleaned {
  /** When it was made, as the header says; undefined where it says none. */
  readonly createdMs: number | undefined;
  readonly parentId: ThreadId | undefined;
  readonly forkedFrom: ThreadId | undefined;
  readonly preview: string | undefined;
  readonly meta: Record<string, unknown>;
}

const STEP_BYTES = 256 << 10;

/**
 * Reads the header, and the lines that change it within `windowBytes` of the beginning and of the end: what it costs does
 * not grow with the file. A text is the answer where the file cannot be a thread's, and says why.
 */
export function* glean({ bytes }: FileState, windowBytes: number): Reading<Gleaned | string> {
  if (bytes === 0) return 'it is empty';
  const first = yield* readFirstLine();
  if (first === undefined) return 'its first line is too long for a header';
  if (verifyChecksum(first.content) === 'wrong') return 'the checksum of its header is wrong';
  const header = decodeLine(first.content);
  const payload = header?.['payload'];
  if (header?.type !== 'session_meta' || typeof payload !== 'object' || payload === null) return 'it does not begin with a header';
  const members = payload as Record<string, unknown>;

  const gleaner = new Gleaner(members);
  gleaner.feed(first.piece.subarray(first.bytes));
  const tail = Math.max(first.piece.length, bytes - windowBytes);
  let position = first.piece.length;
  for (const end of [Math.min(tail, windowBytes), bytes]) {
    while (position < end) {
      const piece = yield { position, length: Math.min(STEP_BYTES, end - position) };
      if (piece.length === 0) break; // cut meanwhile
      gleaner.feed(piece);
      position += piece.length;
    }
    if (position < tail - 1) {
      gleaner.jump();
      // The byte before, which tells whether a line begins there.
      position = tail - 1;
    }
  }
  gleaner.end();
  return {
    createdMs: timeIn(members['timestamp']) ?? timeIn(header.timestamp),
    parentId: idIn(members['parent_thread_id']) ?? spawnedBy(members['source']),
    forkedFrom: idIn(members['forked_from_id']),
    preview: gleaner.preview,
    meta: gleaner.meta,
  };
}

/** Where Codex named the parent before it had a member of its own. */
function spawnedBy(source: unknown): ThreadId | undefined {
  const { subagent } = (typeof source === 'object' ? source ?? {} : {}) as { subagent?: { thread_spawn?: { parent_thread_id?: unknown } | null } | null };
  return idIn(subagent?.thread_spawn?.parent_thread_id);
}

function idIn(value: unknown): ThreadId | undefined {
  return typeof value === 'string' ? parseThreadId(value) : undefined;
}

function timeIn(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
