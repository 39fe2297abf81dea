/**
 * The catalogue as a file: lines like a rollout's, with their checksums, a header and then one for each folder. It holds
 * nothing that the rollouts do not: a line that is damaged, or none of this version, is left out and found out again.
 */
import { decodeLine, encodeLine, verifyChecksum } from '../../src/rollout/envelope.js';
import { isThreadId } from '../../src/rollout/thread-id.js';
import { ordinal } from '../../src/units.js';
import type { Folder, Row } from './rows.js';

/** Moves when what a row means moves. */
const VERSION = 1;
const NEWLINE = 0x0a;

export function encodeCatalogue(folders: Iterable<Folder>, timestamp: string): Buffer {
  let lines = 0;
  const line = (type: string, payload: object): Buffer => encodeLine(timestamp, ordinal(lines++), { type, payload });
  return Buffer.concat([line('catalogue', { version: VERSION }), ...[...folders].map((folder) => line('folder', packFolder(folder)))]);
}

/** Undefined where it is none, or of another version. `isWhole`: nothing was left out. */
export function decodeCatalogue(bytes: Buffer): { folders: Folder[]; isWhole: boolean } | undefined {
  const folders: Folder[] = [];
  let isWhole = true;
  for (let start = 0, number = 0; start < bytes.length; number += 1) {
    const newline = bytes.indexOf(NEWLINE, start);
    const line = bytes.subarray(start, newline < 0 ? bytes.length : newline);
    start += line.length + 1;
    const record = verifyChecksum(line) === 'right' ? decodeLine(line) : undefined;
    if (number === 0) {
      const { version } = ((record?.type === 'catalogue' ? record['payload'] : undefined) ?? {}) as { version?: unknown };
      if (version !== VERSION) return undefined;
      continue;
    }
    const folder = record?.type === 'folder' ? unpackFolder(record['payload']) : undefined;
    if (folder === undefined) isWhole = false;
    else folders.push(folder);
  }
  return bytes.length === 0 ? undefined : { folders, isWhole };
}

/** Rows as lists of values; texts that come again and again stand in a list of their own. */
function packFolder({ rows, ...folder }: Folder): object {
  const texts: string[] = [];
  const places = new Map<string, number>();
  const place = (text: string | undefined): number => {
    if (text === undefined) return -1;
    const known = places.get(text);
    if (known !== undefined) return known;
    places.set(text, texts.length);
    return texts.push(text) - 1;
  };
  const packed = rows.map(({ name, bytes, modifiedMs, inode, parentId, cwd, isDamaged }) =>
    [name, bytes, modifiedMs, inode, place(parentId), place(cwd), isDamaged ? 1 : 0]);
  return { ...folder, texts, rows: packed };
}

/** Undefined where anything is not what it should be. */
function unpackFolder(payload: unknown): Folder | undefined {
  const { path, modifiedMs, readMs, folders, texts, rows } = (payload ?? {}) as Record<string, unknown>;
  if (typeof path !== 'string' || !isNumber(modifiedMs) || !isNumber(readMs)) return undefined;
  if (!isListOf(folders, isName) || !isListOf(texts, isText) || !Array.isArray(rows)) return undefined;
  const unpacked: Row[] = [];
  for (const row of rows as unknown[]) {
    const [name, bytes, modified, inode, parent, cwd, damaged] = Array.isArray(row) ? row as unknown[] : [];
    const parentId = isNumber(parent) ? texts[parent] : undefined;
    if (!isName(name) || !isNumber(bytes) || !isNumber(modified) || !isNumber(inode) || !isNumber(cwd)) return undefined;
    if (parentId !== undefined && !isThreadId(parentId)) return undefined;
    unpacked.push({ name, bytes, modifiedMs: modified, inode, parentId, cwd: texts[cwd], isDamaged: damaged === 1 });
  }
  return { path, modifiedMs, readMs, folders, rows: unpacked };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Of a file in a folder, and nowhere else. */
function isName(value: unknown): value is string {
  return isText(value) && !/[/\0]|^\.{0,2}$/.test(value);
}

function isListOf<T>(value: unknown, isOne: (one: unknown) => one is T): value is T[] {
  return Array.isArray(value) && value.every(isOne);
}
