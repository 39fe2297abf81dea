/**
 * One line of a rollout: the envelope around an item. Pure functions on the bytes of a line without its newline;
 * `docs/format.md` has the format.
 */
import { isAscii } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { isOrdinal, type Ordinal } from '../units.js';

/** The least that is asked of an item: a JSON object with a string `type`. */
export interface RolloutItem {
  type: string;
  payload?: unknown;
  [member: string]: unknown;
}

/** What is read back: the item with its envelope. */
export type RolloutRecord<I extends { type: string } = RolloutItem> = I & {
  /** RFC 3339, UTC, milliseconds: the moment of append(). Never used for order. */
  timestamp: string;
  /** In files that Codex wrote before it numbered records: the reader's own count. */
  ordinal: number;
};

/** A line's own statement of what it is. `ordinal` is undefined where Codex did not number records yet. */
export interface Envelope {
  readonly timestamp: string;
  readonly ordinal: Ordinal | undefined;
  readonly type: string;
}

/** A record as its line has it: without `crc`, and without an ordinal where the line has none. */
export interface DecodedLine {
  timestamp: string;
  ordinal?: Ordinal;
  type: string;
  [member: string]: unknown;
}

/** `right` and `wrong`: by the checksum. `absent`: the line has none, as Codex's have not. */
export type ChecksumVerdict = 'right' | 'wrong' | 'absent';

/** `,"crc":"` + 8 hex digits + `"}`, which ends every line of ours. */
export const CHECKSUM_BYTES = 18;
const CHECKSUM_DIGITS = 8;
/** The bytes of the checksum member that are not its key and not its digits, by their place in it. */
const CHECKSUM_FRAME = [[0, ','], [1, '"'], [5, '"'], [6, ':'], [7, '"'], [16, '"'], [17, '}']] as const;
const FRAME_BYTES = CHECKSUM_FRAME.map(([place, character]) => [place, character.charCodeAt(0)] as const);

/** Enough for timestamp, ordinal and type wherever a line begins with them. */
const HEAD_BYTES = 192;
const HEAD = /^\{"timestamp":"([ -!#-[\]-~]*)","ordinal":(0|[1-9]\d{0,15}),(?:"type":"([ -!#-[\]-~]*)"[,}])?/;

// ignoreBOM keeps a byte order mark in the text, where it is malformed like any other byte before the brace.
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Checks the line against its checksum, without parsing it. A last member whose key is not `crc` but whose value is the
 * checksum of what precedes it is ours with a damaged key: `wrong`, so that no single damaged byte of a line goes unnoticed.
 */
export function verifyChecksum(line: Buffer): ChecksumVerdict {
  const start = line.length - CHECKSUM_BYTES;
  if (start < 1) return 'absent';
  for (const [place, byte] of FRAME_BYTES) if (line[start + place] !== byte) return 'absent';
  const isNamed = line[start + 2] === 0x63 && line[start + 3] === 0x72 && line[start + 4] === 0x63;
  const isRight = readHex(line, start + 8) === crc32(line.subarray(0, start));
  if (isNamed) return isRight ? 'right' : 'wrong';
  return isRight ? 'wrong' : 'absent';
}

/** The number that eight lower-case hex digits spell, or -1. */
function readHex(line: Buffer, start: number): number {
  let value = 0;
  for (let at = start; at < start + CHECKSUM_DIGITS; at += 1) {
    const byte = line[at] ?? 0;
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : NaN;
    value = value * 16 + digit;
  }
  return Number.isNaN(value) ? -1 : value;
}

/**
 * What the line says of itself, without its payload where timestamp, ordinal and type begin the line, and by a full parse
 * where they do not. Does not check the line: whoever needs a whole one asks verifyChecksum first.
 */
export function readEnvelope(line: Buffer): Envelope | undefined {
  const head = matchHead(line);
  const { timestamp, ordinal, type } = head?.type === undefined ? decodeLine(line) ?? {} : head;
  return timestamp === undefined || type === undefined ? undefined : { timestamp, ordinal, type };
}

/** The ordinal, where the line begins with timestamp and ordinal as ours and Codex's do; otherwise undefined. */
export function readHeadOrdinal(line: Buffer): Ordinal | undefined {
  return matchHead(line)?.ordinal;
}

function matchHead(line: Buffer): { timestamp: string; ordinal: Ordinal; type: string | undefined } | undefined {
  const [, timestamp, digits, type] = HEAD.exec(line.toString('latin1', 0, Math.min(line.length, HEAD_BYTES))) ?? [];
  const ordinal = Number(digits);
  return timestamp !== undefined && isOrdinal(ordinal) ? { timestamp, ordinal, type } : undefined;
}

/**
 * The record on the line, or undefined where it is none: strict UTF-8, one JSON object, strings `timestamp` and `type`, and
 * an ordinal only as a whole number from 0. Members besides these stay as they are; `crc` is removed and not checked.
 */
export function decodeLine(line: Buffer): DecodedLine | undefined {
  const parsed = parseStrictly(line);
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const record = parsed as DecodedLine;
  if (typeof record.type !== 'string' || typeof record.timestamp !== 'string') return undefined;
  if (record.ordinal !== undefined && !isOrdinal(record.ordinal)) return undefined;
  delete record['crc'];
  return record;
}

function parseStrictly(line: Buffer): unknown {
  try {
    return JSON.parse(isAscii(line) ? line.toString('latin1') : strictUtf8.decode(line));
  } catch {
    return undefined; // not a record: the caller reports where it stands, never what it says
  }
}

/**
 * The line of an item, newline included, for the few lines that the transcoder does not write, headers above all. What
 * JSON.stringify writes, except that U+2028 and U+2029 are escaped. @throws what JSON.stringify throws
 */
export function encodeLine(timestamp: string, ordinal: Ordinal, item: RolloutItem): Buffer {
  const members = JSON.stringify(item).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  return sealLine(`{"timestamp":${JSON.stringify(timestamp)},"ordinal":${ordinal},${members.slice(1)}`);
}

/** Puts the checksum and the newline to the JSON text of a record, which must end in the brace that closes it. */
function sealLine(json: string): Buffer {
  const open = Buffer.from(json.slice(0, -1));
  const digits = crc32(open).toString(16).padStart(CHECKSUM_DIGITS, '0');
  return Buffer.concat([open, Buffer.from(`,"crc":"${digits}"}\n`, 'latin1')]);
}
