import { readFileSync } from 'node:fs';

const LINE_FEED = 0x0a;
const COMMA = 0x2c;
const ZERO = 0x30;
/** Every contender's line begins with a timestamp of fixed length, then the ordinal. */
const ORDINAL_OFFSET = '{"timestamp":"2026-11-21T02:35:23.058Z","ordinal":'.length;

/**
 * A figure counts only when the files are whole: every line is there, in order, to its end. Returns the bytes of the
 * items' lines. @throws when one is not.
 */
export function verifyFiles(name: string, paths: readonly string[], headerLines: number, items: number): number {
  let bytes = 0;
  for (const path of paths) {
    const file = readFileSync(path);
    let from = 0;
    for (let line = 0; line < headerLines; line += 1) from = file.indexOf(LINE_FEED, from) + 1;
    bytes += file.length - from;
    let ordinal = 0;
    while (from < file.length) {
      const end = file.indexOf(LINE_FEED, from);
      ordinal += 1;
      if (end === -1 || ordinalAt(file, from + ORDINAL_OFFSET) !== ordinal) {
        throw new Error(`${name}: ${path} has no whole line for ordinal ${ordinal}`);
      }
      from = end + 1;
    }
    if (ordinal !== items) throw new Error(`${name}: ${path} has ${ordinal} of ${items} items`);
  }
  return bytes;
}

function ordinalAt(file: Buffer, offset: number): number {
  let value = 0;
  for (let at = offset; file[at] !== COMMA; at += 1) {
    const digit = (file[at] ?? -1) - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}
