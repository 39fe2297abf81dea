/** Where a rollout ends, and what number comes next, found from its end: the cost is that of the tail. */
import { LastwordError } from '../../src/errors.js';
import { decodeLine, readWholeEnvelope } from '../../src/rollout/envelope.js';
import { findGlued, isBlank, LINE_BYTES_MAX, RolloutScanner } from '../../src/rollout/scan.js';
import type { FsOps } from '../seams.js';
import { readAt, readLineBefore } from './read-lines.js';

export interface RolloutEnd {
  readonly nextOrdinal: number;
  /** Where the last whole record ends, or the blank lines behind it, its newline included or missing. */
  readonly wholeBytes: number;
  /** The last record is whole but for its newline. */
  readonly lacksNewline: boolean;
  /** Bytes behind it that are no record. */
  readonly tornBytes: number;
  /** The payload of the header. */
  readonly header: Readonly<Record<string, unknown>>;
}

const SCAN_CHUNK_BYTES = 1 << 20;
/** Records at the end of which the highest counts: a writer that did not know the last type used its number again. */
const LOOKED_AT = 4;

/** @throws LASTWORD_ROLLOUT_CORRUPT when the file does not begin with a header */
export function findEnd(fs: FsOps, descriptor: number, path: string): RolloutEnd {
  const size = fs.size(descriptor);
  const header = readHeader(fs, descriptor, size, path);
  let wholeBytes = header.bytes;
  let lacksNewline = false;
  /** Where the first damaged line behind the last record begins. */
  let tornStart = size;
  let highest: number | undefined;
  let records = 0;
  let end = size;
  while (end > 0 && records < LOOKED_AT) {
    const line = readLineBefore(fs, descriptor, end, LINE_BYTES_MAX);
    const ordinal = line.content === undefined ? undefined : ordinalOn(line.content);
    const isNothing = ordinal === undefined && line.content !== undefined && line.isTerminated && isBlank(line.content);
    if (ordinal !== undefined) {
      // Blank lines behind the last record are no damage, and stay.
      if (records === 0) [wholeBytes, lacksNewline] = [tornStart, !line.isTerminated];
      records += 1;
      highest = Math.max(highest ?? 0, ordinal);
    } else if (!isNothing && records === 0) {
      tornStart = line.start;
    }
    end = line.start;
  }
  const isNumbered = highest !== undefined && !Number.isNaN(highest);
  return {
    nextOrdinal: isNumbered ? (highest ?? 0) + 1 : countRecords(fs, descriptor, wholeBytes),
    wholeBytes, lacksNewline, tornBytes: size - wholeBytes, header: header.payload,
  };
}

/** The ordinal of the record on the line, NaN where it has none, undefined where there is no record. */
function ordinalOn(content: Buffer): number | undefined {
  const envelope = readWholeEnvelope(content) ?? findGlued(content)?.record;
  return envelope === undefined ? undefined : envelope.ordinal ?? NaN;
}

function readHeader(fs: FsOps, descriptor: number, size: number, path: string): { bytes: number; payload: Record<string, unknown> } {
  for (let bytes = Math.min(size, 1 << 16); ; bytes = Math.min(size, bytes * 4)) {
    const head = readAt(fs, descriptor, 0, Math.min(bytes, LINE_BYTES_MAX));
    const newline = head.indexOf(0x0a);
    const isAll = bytes === size || bytes >= LINE_BYTES_MAX;
    if (newline < 0 && !isAll) continue;
    const line = newline < 0 ? head : head.subarray(0, newline);
    const record = readWholeEnvelope(line) === undefined ? undefined : decodeLine(line);
    if (record?.type === 'session_meta') {
      const { payload } = record;
      return { bytes: newline < 0 ? size : newline + 1, payload: typeof payload === 'object' && payload !== null ? payload as Record<string, unknown> : {} };
    }
    throw new LastwordError('LASTWORD_ROLLOUT_CORRUPT', size === 0 ? 'the rollout is empty' : 'the rollout does not begin with a header', { path });
  }
}

/** What the reader counts, for files whose records are not numbered. */
function countRecords(fs: FsOps, descriptor: number, size: number): number {
  const scanner = new RolloutScanner({ from: Number.MAX_SAFE_INTEGER as never });
  for (let offset = 0; offset < size; offset += SCAN_CHUNK_BYTES) {
    scanner.feed(readAt(fs, descriptor, offset, Math.min(SCAN_CHUNK_BYTES, size - offset)));
    while (scanner.next() !== undefined) continue;
  }
  scanner.end();
  return scanner.ordinalNext ?? 0;
}
