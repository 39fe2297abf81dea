import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Recording } from '../peers/contender.js';

const LINE_FEED = 0x0a;
const COMMA = 0x2c;
const ZERO = 0x30;
/** Every contender's line begins with a timestamp of fixed length, then the ordinal. */
const ORDINAL_OFFSET = '{"timestamp":"2026-11-21T02:35:23.058Z","ordinal":'.length;

/** A figure counts only when what was recorded is whole: every line is there, in order, to its end. */
export class LineVerifier {
  readonly #name: string;
  readonly #recording: Recording;
  readonly #files: { readonly path: string; offset: number; ordinal: number }[];
  readonly #stored: number[] = [];

  constructor(name: string, recording: Recording) {
    this.#name = name;
    this.#recording = recording;
    this.#files = recording.paths.map((path) => ({ path, offset: 0, ordinal: -recording.headerLines }));
  }

  /**
   * Reads what came since the last time; returns its bytes.
   * @param items how many every thread has by now. @throws when a thread does not end with that line.
   */
  async verify(items: readonly number[]): Promise<number> {
    let bytes = 0;
    for (const [thread, count] of items.entries()) {
      const file = this.#files[thread];
      bytes += file === undefined ? await this.#verifyStored(thread, count) : this.#verifyFile(file, count);
    }
    return bytes;
  }

  async #verifyStored(thread: number, items: number): Promise<number> {
    const known = this.#stored[thread] ?? 0;
    if (items === known) return 0;
    const lines = await this.#recording.lines?.(thread, known + 1) ?? [];
    let bytes = 0;
    for (const [index, line] of lines.entries()) {
      const whole = Buffer.from(line);
      if (ordinalAt(whole, ORDINAL_OFFSET) !== known + 1 + index || whole.at(-1) !== LINE_FEED) {
        throw new Error(`${this.#name}: thread ${thread} has no whole line for ordinal ${known + 1 + index}`);
      }
      bytes += whole.length;
    }
    if (known + lines.length !== items) throw new Error(`${this.#name}: thread ${thread} has ${known + lines.length} of ${items} items`);
    this.#stored[thread] = items;
    return bytes;
  }

  #verifyFile(file: { readonly path: string; offset: number; ordinal: number }, items: number): number {
    if (file.ordinal === items) return 0;
    const bytes = readFrom(file.path, file.offset);
    for (let from = 0; from < bytes.length;) {
      const end = bytes.indexOf(LINE_FEED, from);
      file.ordinal += 1;
      const isHeader = file.ordinal < 1;
      if (end === -1 || (!isHeader && ordinalAt(bytes, from + ORDINAL_OFFSET) !== file.ordinal)) {
        throw new Error(`${this.#name}: ${file.path} has no whole line for ordinal ${file.ordinal}`);
      }
      from = end + 1;
    }
    if (file.ordinal !== items) throw new Error(`${this.#name}: ${file.path} has ${file.ordinal} of ${items} items`);
    file.offset += bytes.length;
    return bytes.length;
  }
}

function readFrom(path: string, offset: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(fstatSync(descriptor).size - offset);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(descriptor, bytes, length, bytes.length - length, offset + length);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

function ordinalAt(bytes: Buffer, offset: number): number {
  let value = 0;
  for (let at = offset; at < bytes.length && bytes[at] !== COMMA; at += 1) {
    const digit = (bytes[at] ?? -1) - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}
