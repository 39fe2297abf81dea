/** Where a rollout ends, and what number comes next, found from its end: the cost is that of the tail. */
import { LastwordError } from '../../src/errors.js';
import { CHECKSUM_BYTES, decodeLine, readWholeEnvelope, verifyChecksum } from '../../src/rollout/envelope.js';
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
  /** Whether lines have ordinals: not in files that Codex began before it numbered records, whatever was added since. */
  readonly isNumbered: boolean;
  /** The payload of the header. */
  readonly header: Readonly<Record<string, unknown>>;
}

const SCAN_CHUNK_BYTES = 1 << 20;
/**
 * Codex uses numbers again: those of records at the end whose type it does not know, and then goes on, or the last one.
 * So where it wrote last, the highest is among its last few or is the number of our last record. We never do, so where we
 * wrote last it is that one.
 */
const LOOKED_AT = 4;
/** How far back our last record is looked for. */
const LOOKED_BACK_BYTES = 16 << 20;
const CHECKSUM_START = ',"crc":"';

interface FoundRecord {
  /** NaN where the line has none. */
  readonly ordinal: number;
  /** It has a checksum, so we wrote it. */
  readonly isOurs: boolean;
}

/** @throws LASTWORD_ROLLOUT_CORRUPT when the file does not begin with a header */
export function findEnd(fs: FsOps, descriptor: number, path: string): RolloutEnd {
  const size = fs.size(descriptor);
  const header = readHeader(fs, descriptor, size, path);
  let wholeBytes = header.bytes;
  let lacksNewline = false;
  /** Where the first damaged line behind the last record begins. */
  let tornStart = size;
  let highest: number | undefined;
  let isOurs = false;
  let records = 0;
  let end = size;
  while (end > 0 && records < LOOKED_AT && !isOurs) {
    const line = readLineBefore(fs, descriptor, end, LINE_BYTES_MAX);
    const record = line.content === undefined ? undefined : recordOn(line.content);
    const isNothing = record === undefined && line.content !== undefined && line.isTerminated && isBlank(line.content);
    if (record !== undefined) {
      // Blank lines behind the last record are no damage, and stay.
      if (records === 0) [wholeBytes, lacksNewline] = [tornStart, !line.isTerminated];
      records += 1;
      highest = Math.max(highest ?? 0, record.ordinal);
      isOurs = record.isOurs;
    } else if (!isNothing && records === 0) {
      tornStart = line.start;
    }
    end = line.start;
  }
  const isCounted = highest === undefined || Number.isNaN(highest);
  if (!isCounted && !isOurs) highest = Math.max(highest ?? 0, findOursBefore(fs, descriptor, end)?.ordinal ?? 0);
  return {
    nextOrdinal: isCounted ? countRecords(fs, descriptor, wholeBytes) : (highest ?? 0) + 1,
    wholeBytes, lacksNewline, tornBytes: size - wholeBytes, isNumbered: header.isNumbered, header: header.payload,
  };
}

/** Undefined where there is no record. */
function recordOn(content: Buffer): FoundRecord | undefined {
  const whole = readWholeEnvelope(content);
  if (whole !== undefined) return { ordinal: whole.ordinal ?? NaN, isOurs: verifyChecksum(content) === 'right' };
  const glued = findGlued(content);
  if (glued === undefined) return undefined;
  return { ordinal: glued.record.ordinal ?? NaN, isOurs: verifyChecksum(content.subarray(glued.start)) === 'right' };
}

/** Our last record before `end`, found by the bytes that a checksum begins with. */
function findOursBefore(fs: FsOps, descriptor: number, end: number): FoundRecord | undefined {
  const least = Math.max(0, end - LOOKED_BACK_BYTES);
  for (let to = end; to > least;) {
    const from = Math.max(least, to - SCAN_CHUNK_BYTES);
    const chunk = readAt(fs, descriptor, from, to - from);
    for (let at = chunk.lastIndexOf(CHECKSUM_START); at >= 0; at = at === 0 ? -1 : chunk.lastIndexOf(CHECKSUM_START, at - 1)) {
      const lineEnd = from + at + CHECKSUM_BYTES + 1;
      if (lineEnd > end) continue;
      const { content, isTerminated } = readLineBefore(fs, descriptor, lineEnd, LINE_BYTES_MAX);
      const record = content === undefined || !isTerminated ? undefined : recordOn(content);
      if (record?.isOurs === true && !Number.isNaN(record.ordinal)) return record;
    }
    // Those that lie on the border, once.
    to = from === least ? least : from + CHECKSUM_START.length - 1;
  }
  return undefined;
}

interface Header {
  readonly bytes: number;
  readonly isNumbered: boolean;
  readonly payload: Record<string, unknown>;
}

function readHeader(fs: FsOps, descriptor: number, size: number, path: string): Header {
  for (let bytes = Math.min(size, 1 << 16); ; bytes = Math.min(size, bytes * 4)) {
    const head = readAt(fs, descriptor, 0, Math.min(bytes, LINE_BYTES_MAX));
    const newline = head.indexOf(0x0a);
    const isAll = bytes === size || bytes >= LINE_BYTES_MAX;
    if (newline < 0 && !isAll) continue;
    const line = newline < 0 ? head : head.subarray(0, newline);
    const record = readWholeEnvelope(line) === undefined ? undefined : decodeLine(line);
    if (record?.type === 'session_meta') {
      const payload = typeof record['payload'] === 'object' && record['payload'] !== null ? record['payload'] as Record<string, unknown> : {};
      const isNumbered = record.ordinal !== undefined || payload['history_mode'] === 'paginated';
      return { bytes: newline < 0 ? size : newline + 1, isNumbered, payload };
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
