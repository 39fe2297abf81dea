/** One line of a salvage file: a record's own line, under the id of its thread. `docs/format.md` has the format. */
import type { ThreadId } from '../types.js';
import type { Ordinal } from '../units.js';
import { readHeadOrdinal, verifyChecksum } from './envelope.js';
import { isThreadId } from './thread-id.js';

const ID_START = '{"threadId":"';
const LINE_START = '","line":';
/** Where the record's line begins in its entry. */
export const PREFIX_BYTES = ID_START.length + 36 + LINE_START.length;
const CLOSE = 0x7d;

/** What an entry has behind the record's line. */
export const ENTRY_SUFFIX = Buffer.from('}\n');
/** What an entry has beside it. */
export const ENTRY_BYTES = PREFIX_BYTES + ENTRY_SUFFIX.byteLength;

export interface SalvagedLine {
  readonly threadId: ThreadId;
  /** As in the rollout, without its newline. */
  readonly line: Buffer;
  /** Undefined in rollouts whose lines have none. */
  readonly ordinal: Ordinal | undefined;
}

/** What an entry has in front of the record's line. */
export function entryPrefix(threadId: ThreadId): Buffer {
  return Buffer.from(`${ID_START}${threadId}${LINE_START}`, 'latin1');
}

/** Undefined for what is no whole entry: the record's own checksum is in its line, and must be right. */
export function decodeEntry(content: Buffer): SalvagedLine | undefined {
  const threadId = content.toString('latin1', ID_START.length, ID_START.length + 36);
  if (!isThreadId(threadId) || !content.subarray(0, PREFIX_BYTES).equals(entryPrefix(threadId)) || content.at(-1) !== CLOSE) return undefined;
  const line = content.subarray(PREFIX_BYTES, -1);
  return verifyChecksum(line) === 'right' ? { threadId, line, ordinal: readHeadOrdinal(line) } : undefined;
}
