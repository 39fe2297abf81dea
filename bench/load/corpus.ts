import { closeSync, fstatSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RolloutItem } from 'lastword';

/** Longest part of one file that is loaded, bytes: real rollouts go up to gigabytes, and a load is held in memory. */
export const FILE_BYTES_MAX = 32 << 20;
/** Most that is loaded in all, bytes. */
export const CORPUS_BYTES_MAX = 128 << 20;

/** The members of a record that are not its item's. */
export const ENVELOPE: ReadonlySet<string> = new Set(['timestamp', 'ordinal', 'crc']);
const LINE_FEED = 0x0a;

export interface CorpusFile {
  readonly path: string;
  readonly items: RolloutItem[];
  /** Of the file, as far as it was loaded. */
  readonly bytes: number;
  /** Lines that are no JSON object with a string `type`. Blank lines are not lines. */
  readonly skippedLines: number;
  /** The file is longer than `FILE_BYTES_MAX`; its beginning is loaded. */
  readonly cut: boolean;
}

export interface Corpus {
  /** Those with at least one item. */
  readonly files: CorpusFile[];
  readonly items: number;
  readonly bytes: number;
  readonly skippedLines: number;
  /** Files of which nothing was taken, with why. */
  readonly leftOut: { readonly path: string; readonly reason: string }[];
}

/**
 * Loads at most `filesMax` rollouts from files and folders (every `*.jsonl` below them), in the order of their paths.
 * @throws the system's error for an input that cannot be read.
 */
export function loadCorpus(inputs: readonly string[], filesMax = Infinity): Corpus {
  const files: CorpusFile[] = [];
  const leftOut: Corpus['leftOut'] = [];
  let bytes = 0;
  for (const path of inputs.flatMap(filesOf)) {
    if (path.endsWith('.zst')) leftOut.push({ path, reason: 'compressed' });
    else if (files.length >= filesMax) leftOut.push({ path, reason: `${filesMax} rollouts are enough` });
    else if (bytes >= CORPUS_BYTES_MAX) leftOut.push({ path, reason: `${CORPUS_BYTES_MAX >> 20} MiB are loaded already` });
    else {
      const file = loadFile(path);
      if (file.items.length === 0) leftOut.push({ path, reason: 'no items in it' });
      else files.push(file);
      bytes += file.bytes;
    }
  }
  return {
    files, leftOut, bytes,
    items: files.reduce((sum, file) => sum + file.items.length, 0),
    skippedLines: files.reduce((sum, file) => sum + file.skippedLines, 0),
  };
}

/** A file that is named is loaded whatever it is called; in a folder, what looks like a rollout. */
function filesOf(input: string): string[] {
  if (!statSync(input).isDirectory()) return [input];
  return readdirSync(input, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.jsonl(\.zst)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function loadFile(path: string): CorpusFile {
  const { bytes, cut } = readHead(path);
  const items: RolloutItem[] = [];
  let skippedLines = 0;
  for (let from = 0; from < bytes.length;) {
    const feed = bytes.indexOf(LINE_FEED, from);
    const end = feed === -1 ? bytes.length : feed;
    const text = bytes.toString('utf8', from, end).trim();
    from = end + 1;
    if (text === '') continue;
    const item = itemOf(text);
    if (item === undefined) skippedLines += 1;
    else items.push(item);
  }
  return { path, items, bytes: bytes.length, skippedLines, cut };
}

/** The file's first whole lines, at most `FILE_BYTES_MAX`. */
function readHead(path: string): { bytes: Buffer; cut: boolean } {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, FILE_BYTES_MAX));
    let length = 0;
    for (let got = -1; got !== 0 && length < buffer.length; length += got) {
      got = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
    const cut = size > FILE_BYTES_MAX;
    return { bytes: buffer.subarray(0, cut ? buffer.lastIndexOf(LINE_FEED) + 1 : length), cut };
  } finally {
    closeSync(descriptor);
  }
}

/** The record without its envelope, or undefined when the line is no record. */
function itemOf(line: string): RolloutItem | undefined {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return undefined;   // counted by the caller as a skipped line
  }
  if (typeof record !== 'object' || record === null || !('type' in record)) return undefined;
  const { type } = record;
  if (typeof type !== 'string') return undefined;
  const members = Object.entries(record).filter(([name]) => name !== 'type' && !ENVELOPE.has(name));
  return { type, ...Object.fromEntries(members) };
}
