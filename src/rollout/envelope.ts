/**
 * One line of a rollout: the envelope around an item. Pure functions on the bytes of a line without its newline;
 * `docs/format.md` has the format.
 */
import { isAscii, isUtf8, transcode } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { RolloutItem } from '../types.js';
import { isOrdinal, type Ordinal } from '../units.js';

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
const [COMMA, QUOTE, COLON, OPEN, CLOSE, C, R] = [0x2c, 0x22, 0x3a, 0x7b, 0x7d, 0x63, 0x72];

/** By byte: the value of a lower-case hex digit, -1 for every other byte. */
const HEX_VALUES = Int8Array.from({ length: 256 }, (_, byte) => '0123456789abcdef'.indexOf(String.fromCharCode(byte)));

/** Enough for timestamp, ordinal and type wherever a line begins with them. */
const HEAD_BYTES = 192;
const HEAD = /^\{"timestamp":"([ -!#-[\]-~]*)","ordinal":(0|[1-9]\d{0,15}),(?:"type":"([ -!#-[\]-~]*)"[,}])?/;

/**
 * Checks the line against its checksum, without parsing it. A last member whose key is not `crc` but whose value is the
 * checksum of what precedes it is ours with a damaged key: `wrong`, so that no single damaged byte of a line goes
 * unnoticed.
 */
export function verifyChecksum(line: Buffer): ChecksumVerdict {
  const start = line.length - CHECKSUM_BYTES;
  if (start < 1) return 'absent';
  const isShaped = line[start] === COMMA && line[start + 1] === QUOTE && line[start + 5] === QUOTE
    && line[start + 6] === COLON && line[start + 7] === QUOTE
    && line[start + 16] === QUOTE && line[start + 17] === CLOSE;
  if (!isShaped) return 'absent';
  const isNamed = line[start + 2] === C && line[start + 3] === R && line[start + 4] === C;
  const isRight = readHex(line, start + 8) === crc32(line.subarray(0, start));
  if (isNamed) return isRight ? 'right' : 'wrong';
  return isRight ? 'wrong' : 'absent';
}

/** The number that eight lower-case hex digits spell, or -1. */
function readHex(line: Buffer, start: number): number {
  // Two halves, so that all arithmetic stays in small integers.
  let [high, low, seen] = [0, 0, 0];
  for (let at = start; at < start + CHECKSUM_DIGITS / 2; at += 1) {
    const highDigit = HEX_VALUES[line[at] ?? 0] ?? -1;
    const lowDigit = HEX_VALUES[line[at + CHECKSUM_DIGITS / 2] ?? 0] ?? -1;
    seen |= highDigit | lowDigit;
    high = (high << 4) | highDigit;
    low = (low << 4) | lowDigit;
  }
  return seen < 0 ? -1 : high * 2 ** 16 + low;
}

/**
 * What the line says of itself, without its payload where timestamp, ordinal and type begin the line, and by a full
 * parse where they do not. Does not check the line: whoever needs a whole one asks verifyChecksum first.
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

/** The envelope of a whole line, and only of one: its checksum is right, or it has none and decodes. */
export function readWholeEnvelope(line: Buffer): Envelope | undefined {
  const verdict = verifyChecksum(line);
  if (verdict === 'right') return readEnvelope(line);
  const { timestamp, ordinal, type } = (verdict === 'absent' ? decodeLine(line) : undefined) ?? {};
  return timestamp === undefined || type === undefined ? undefined : { timestamp, ordinal, type };
}

function matchHead(line: Buffer): { timestamp: string; ordinal: Ordinal; type: string | undefined } | undefined {
  const [, timestamp, digits, type] = HEAD.exec(line.toString('latin1', 0, Math.min(line.length, HEAD_BYTES))) ?? [];
  const ordinal = Number(digits);
  return timestamp !== undefined && isOrdinal(ordinal) ? { timestamp, ordinal, type } : undefined;
}

/**
 * The record on the line, or undefined where it is none: strict UTF-8, one JSON object, strings `timestamp` and `type`,
 * and an ordinal only as a whole number from 0. Members besides these stay as they are; `crc` is removed and not
 * checked.
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
  // Garbage by the million is refused without the cost of an exception. Nobody writes white space before a record.
  if (line[0] !== OPEN) return undefined;
  try {
    if (isAscii(line)) return JSON.parse(line.toString('latin1'));
    // transcode() is twice as fast on Node 20 as toString('utf8') and TextDecoder, but is not documented to be strict.
    return isUtf8(line) ? JSON.parse(transcode(line, 'utf8', 'utf16le').toString('utf16le')) : undefined;
  } catch {
    return undefined; // not a record: the caller reports where it stands, never what it says
  }
}

/**
 * The line of an item, newline included, for the few lines that the transcoder does not write. What
 * JSON.stringify writes, except that U+2028 and U+2029 are escaped. @throws what JSON.stringify throws
 */
export function encodeLine(timestamp: string, ordinal: Ordinal | undefined, item: RolloutItem): Buffer {
  const members = JSON.stringify(item).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  const number = ordinal === undefined ? '' : `"ordinal":${ordinal},`;
  return sealLine(`{"timestamp":${JSON.stringify(timestamp)},${number}${members.slice(1)}`);
}

/** Puts the checksum and the newline to the JSON text of a record, which must end in the brace that closes it. */
function sealLine(json: string): Buffer {
  const open = Buffer.from(json.slice(0, -1));
  const digits = crc32(open).toString(16).padStart(CHECKSUM_DIGITS, '0');
  return Buffer.concat([open, Buffer.from(`,"crc":"${digits}"}\n`, 'latin1')]);
}
