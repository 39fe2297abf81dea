import { fileOffset, ordinal as ordinalOf, type FileOffset, type Ordinal } from '../units.js';
import { decodeLine, readHeadOrdinal, verifyChecksum, type DecodedLine } from './envelope.js';
import type { Damage, RolloutRecord } from '../types.js';
import { LineSplitter, type Line } from './lines.js';

/** A whole record and its place in the file. */
export interface ScannedRecord {
  readonly record: RolloutRecord;
  readonly offset: FileOffset;
  /** With its line end. */
  readonly bytes: number;
  /** False where the line has no ordinal, and the reader counted. */
  readonly isNumbered: boolean;
}

export interface ScanOptions {
  /** Where what is fed begins in the file: at the start of a line. */
  startOffset?: number | undefined;
  /** The number after the highest of the records before `startOffset`, as far as that is known. */
  base?: Ordinal | undefined;
  /** Records below it are checked and counted, and where their checksum allows it not decoded. */
  from?: Ordinal | undefined;
  onDamage?: ((damage: Damage) => void) | undefined;
  lineBytesMax?: number | undefined;
}

/** Longest line that is read; the writer sets aside what would be longer. */
export const LINE_BYTES_MAX = 256 << 20;
/**
 * Damaged lines in a row that are told apart; further ones count to the last, so that memory is bounded for any file.
 */
const HELD_MAX = 1000;
/** A longer line of spaces counts as damage. */
const BLANK_BYTES_MAX = 1000;
const NULS = Buffer.alloc(64 << 10);
/** Places tried in a line that may be a fragment with a whole record behind it; each costs one checksum. */
const GLUED_TRIES_MAX = 8;
const RECORD_START = '{"timestamp":"';

/**
 * Turns the bytes of a rollout, fed in chunks of any size, into its whole records, in the order of the file. A damaged
 * line never ends the scan: it is held until a whole record follows, which makes it damage in the middle, or the file
 * ends, which makes it torn. Records without ordinal, as Codex wrote them once, take the number after the highest.
 */
export class RolloutScanner {
  readonly #lines: LineSplitter;
  readonly #from: number;
  readonly #onDamage: (damage: Damage) => void;
  #ordinalNext: Ordinal | undefined;
  /** Damaged lines since the last whole record. */
  #held: Damage[] = [];
  #heldLines = 0;
  #endOffset: number;
  #wholeEnd: number;
  #records = 0;
  #checked = 0;

  constructor({ startOffset = 0, base, from, onDamage, lineBytesMax }: ScanOptions = {}) {
    this.#lines = new LineSplitter(lineBytesMax ?? LINE_BYTES_MAX, fileOffset(startOffset));
    this.#endOffset = startOffset;
    this.#wholeEnd = startOffset;
    this.#ordinalNext = base;
    this.#from = from ?? 0;
    this.#onDamage = onDamage ?? (() => undefined);
  }

  /** The number after the highest so far; undefined before the first whole record. */
  get ordinalNext(): Ordinal | undefined {
    return this.#ordinalNext;
  }

  /** Where the last whole record ends: a scan that begins there, with `ordinalNext` as its base, goes on as this one. */
  get wholeEnd(): number {
    return this.#wholeEnd;
  }

  /** Whole records so far, those below `from` too. */
  get records(): number {
    return this.#records;
  }

  /** Those of them whose checksum was there and right. */
  get checked(): number {
    return this.#checked;
  }

  /** Call once next() has returned undefined. The chunk is the scanner's until it does so again. */
  feed(chunk: Buffer): void {
    this.#lines.feed(chunk);
  }

  /** Call once next() has returned undefined: forgets the line that was begun. What is fed next begins at its start, which is returned. */
  rewind(): FileOffset {
    return this.#lines.rewind();
  }

  /** The next whole record from `from` on, or undefined when more bytes are needed. */
  next(): ScannedRecord | undefined {
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      const scanned = this.#examine(line);
      if (scanned !== undefined) return scanned;
    }
    return undefined;
  }

  /** Call once, at the end of the file. A last line without newline is a record if it is whole. */
  end(): ScannedRecord | undefined {
    const line = this.#lines.last();
    const scanned = line && this.#examine(line);
    const [first] = this.#held;
    if (first !== undefined) {
      const bytes = this.#endOffset - first.offset;
      this.#onDamage({ kind: 'torn', offset: first.offset, bytes, ordinal: this.#ordinalNext });
      this.#held = [];
    }
    return scanned;
  }

  #examine(line: Line): ScannedRecord | undefined {
    const { content, offset, bytes } = line;
    this.#endOffset = offset + bytes;
    if (content === undefined) return this.#hold('too-long', offset, bytes);
    if (content.length === 0) return undefined;
    const verdict = verifyChecksum(content);
    if (verdict === 'right' && this.#passesOver(content, offset, bytes)) return undefined;
    const record = verdict === 'wrong' ? undefined : decodeLine(content);
    if (record !== undefined) return this.#accept(record, offset, bytes, verdict === 'right');
    if (isBlank(content)) return undefined;

    const glued = findGlued(content);
    if (glued === undefined) return this.#hold(verdict === 'wrong' ? 'checksum' : 'malformed', offset, bytes);
    this.#hold('malformed', offset, glued.start);
    return this.#accept(glued.record, offset + glued.start, bytes - glued.start, glued.isChecked);
  }

  /** True for a checked record below `from`, which is counted without being decoded. */
  #passesOver(content: Buffer, offset: number, bytes: number): boolean {
    if (this.#from === 0 || this.#ordinalNext === undefined) return false;
    const ordinal = readHeadOrdinal(content);
    if (ordinal === undefined || ordinal >= this.#from) return false;
    this.#place(ordinal, false, offset, bytes, true);
    return true;
  }

  #accept(decoded: DecodedLine, offset: number, bytes: number, isChecked: boolean): ScannedRecord | undefined {
    const isNumbered = decoded.ordinal !== undefined;
    const ordinal = this.#place(decoded.ordinal, decoded.type === 'session_meta', offset, bytes, isChecked);
    if (ordinal < this.#from) return undefined;
    decoded.ordinal = ordinal;
    return { record: decoded as RolloutRecord, offset: offset as FileOffset, bytes, isNumbered };
  }

  /** Gives the record its ordinal, and reports what its place in the order says of the lines before it. */
  #place(stated: Ordinal | undefined, isHeader: boolean, offset: number, bytes: number, isChecked: boolean): Ordinal {
    this.#records += 1;
    if (isChecked) this.#checked += 1;
    this.#wholeEnd = offset + bytes;
    const isFirst = this.#ordinalNext === undefined;
    // A fork's header begins where its base ends, so a header says itself what comes first; everything else follows 0.
    const expected = this.#ordinalNext ?? (isHeader && this.#heldLines === 0 ? stated : undefined) ?? ordinalOf(0);
    const ordinal = stated ?? expected;
    const missing = ordinal - expected;
    const heldLines = this.#heldLines;
    this.#releaseHeld(missing === heldLines ? expected : undefined);
    // Behind a damaged first line, which may have been a fork's header, nobody knows where the thread begins.
    const isExplained = isFirst && heldLines > 0;
    if (missing < 0) this.#onDamage({ kind: 'duplicate', offset, bytes, ordinal });
    else if (missing > heldLines && !isExplained) this.#onDamage({ kind: 'gap', offset, bytes: 0, ordinal: expected });
    this.#ordinalNext = ordinalOf(Math.max(expected, ordinal + 1));
    return ordinal;
  }

  #hold(kind: Damage['kind'], offset: number, bytes: number): undefined {
    this.#heldLines += 1;
    const last = this.#held.at(-1);
    if (last === undefined || this.#held.length < HELD_MAX) this.#held.push({ kind, offset, bytes });
    else last.bytes = offset + bytes - last.offset;
    return undefined;
  }

  /**
   * A whole record follows, so what is held is damage in the middle; its lines stood for `first` and what comes after
   * it.
   */
  #releaseHeld(first: Ordinal | undefined): void {
    if (this.#heldLines === 0) return;
    const held = this.#held;
    const isCounted = first !== undefined && held.length === this.#heldLines;
    this.#held = [];
    this.#heldLines = 0;
    for (const [place, damage] of held.entries()) {
      this.#onDamage(isCounted ? { ...damage, ordinal: first + place } : damage);
    }
  }
}

/** A line that says nothing, and is no damage. */
export function isBlank(content: Buffer): boolean {
  return content.length <= BLANK_BYTES_MAX && /^[ \t\r]*$/.test(content.toString('latin1'));
}

/**
 * How many NULs the line begins with; whole blocks first, since a power cut can leave hundreds of megabytes of them.
 */
function countNuls(content: Buffer): number {
  let at = 0;
  while (content.subarray(at, at + NULS.length).equals(NULS)) at += NULS.length;
  while (content[at] === 0) at += 1;
  return at;
}

/**
 * A whole record behind a fragment on the same line: a writer that did not cut back, or a run of NULs that a power cut
 * left. Taken only where there is no doubt, that is behind nothing but NULs, or with a right checksum of its own.
 */
export function findGlued(content: Buffer): { record: DecodedLine; start: number; isChecked: boolean } | undefined {
  let start = content.lastIndexOf(RECORD_START);
  const nuls = start > 0 ? countNuls(content) : 0;
  for (let tries = 0; start > 0 && tries < GLUED_TRIES_MAX; tries += 1) {
    const rest = content.subarray(start);
    const verdict = verifyChecksum(rest);
    const isCertain = verdict === 'right' || (verdict === 'absent' && start === nuls);
    const record = isCertain ? decodeLine(rest) : undefined;
    if (record !== undefined) return { record, start, isChecked: verdict === 'right' };
    start = content.lastIndexOf(RECORD_START, start - 1);
  }
  return undefined;
}
