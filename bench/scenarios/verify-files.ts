import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const LINE_FEED = 0x0a;
const COMMA = 0x2c;
const ZERO = 0x30;
/** Every contender's line begins with a timestamp of fixed length, then the ordinal. */
const ORDINAL_OFFSET = '{"timestamp":"2026-11-21T02:35:23.058Z","ordinal":'.length;

/** A figure counts only when the files are whole: every line is there, in order, to its end. */
export class LineVerifier {
  readonly #name: string;
  readonly #files: { readonly path: string; offset: number; ordinal: number }[];

  constructor(name: string, paths: readonly string[], headerLines: number) {
    this.#name = name;
    this.#files = paths.map((path) => ({ path, offset: 0, ordinal: -headerLines }));
  }

  /** Reads what came since the last time; returns its bytes. @throws when a file does not end with line `items`. */
  verify(items: number): number {
    return this.#files.reduce((bytes, file) => bytes + this.#verifyFile(file, items), 0);
  }

  #verifyFile(file: { readonly path: string; offset: number; ordinal: number }, items: number): number {
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
  for (let at = offset; bytes[at] !== COMMA; at += 1) {
    const digit = (bytes[at] ?? -1) - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}
