import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { encodeLine } from '../../src/rollout/envelope.js';
import { RolloutScanner } from '../../src/rollout/scan.js';
import type { Damage, RolloutRecord } from '../../src/types.js';
import { ordinal } from '../../src/units.js';

const TIME = '2026-11-21T02:35:23.058Z';

/** A record's line as the writer writes it, newline included. */
export function lineOf(number: number, payload: unknown = { text: `record ${number}` }): Buffer {
  const type = number === 0 ? 'session_meta' : 'response_item';
  return encodeLine(TIME, ordinal(number), { type, payload });
}

/** Lines 0 to `count` - 1. */
export function rolloutOf(count: number): Buffer[] {
  return Array.from({ length: count }, (_, number) => lineOf(number));
}

/** A line as Codex writes it: no checksum, and before it numbered records no ordinal. */
export function codexLine(number: number | undefined, payload: unknown = { text: 'x' }): Buffer {
  const type = number === 0 ? 'session_meta' : 'event_msg';
  return Buffer.from(`${JSON.stringify({ timestamp: TIME, ...(number === undefined ? {} : { ordinal: number }), type, payload })}\n`);
}

export interface Scanned {
  records: RolloutRecord[];
  damage: Damage[];
  places: { offset: number; bytes: number }[];
}

/** Scans a whole file given in the chunks named. */
export function scanChunks(chunks: Iterable<Buffer>, options: { lineBytesMax?: number; from?: number } = {}): Scanned {
  const scanned: Scanned = { records: [], damage: [], places: [] };
  const scanner = new RolloutScanner({
    lineBytesMax: options.lineBytesMax,
    from: ordinal(options.from ?? 0),
    onDamage: (damage) => scanned.damage.push(damage),
  });
  const take = (next: ReturnType<RolloutScanner['next']>): boolean => {
    if (next === undefined) return false;
    scanned.records.push(next.record);
    scanned.places.push({ offset: next.offset, bytes: next.bytes });
    return true;
  };
  for (const chunk of chunks) {
    scanner.feed(chunk);
    while (take(scanner.next()));
  }
  take(scanner.end());
  return scanned;
}

export function scanBytes(bytes: Buffer, chunkBytes = Infinity): Scanned {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += Math.min(chunkBytes, bytes.length)) {
    chunks.push(Buffer.from(bytes.subarray(at, at + Math.min(chunkBytes, bytes.length))));
  }
  return scanChunks(chunks);
}

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lastword-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const CORPUS = resolve(import.meta.dirname, '../../../shared/corpus');

/** Real rollouts, where they stand beside the project. */
export const corpusFiles: { path: string; bytes: Buffer; isNumbered: boolean }[] = existsSync(CORPUS)
  ? readdirSync(CORPUS, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => join(CORPUS, name))
    .map((path) => ({ path, bytes: readFileSync(path) }))
    .map((file) => ({ ...file, isNumbered: file.bytes.subarray(0, 100).includes('"ordinal":') }))
  : [];
