import { closeSync, openSync, writeSync } from 'node:fs';
import { recordLine, peerPaths } from './contender.js';
import type { FanOut } from '../scenarios/fan-out.js';

const CHUNK_BYTES = 256 << 10;

/**
 * The limit: lines that are ready as bytes, written to the same number of files in chunks of 256 KiB. Nothing is
 * serialised, routed or waited for.
 */
export function bareWrite(directory: string, { threads, itemsPerThread, pool }: FanOut): { paths: string[]; ms: number } {
  const paths = peerPaths(directory, threads);
  const ready = paths.map((_path, thread) => {
    const lines: string[] = [];
    for (let ordinal = 1; ordinal <= itemsPerThread; ordinal += 1) {
      const item = pool[(thread * itemsPerThread + ordinal) % pool.length];
      if (item !== undefined) lines.push(recordLine(ordinal, item));
    }
    return Buffer.from(lines.join(''));
  });
  const descriptors = paths.map((path) => openSync(path, 'a'));
  const longest = ready.reduce((most, { length }) => Math.max(most, length), 0);
  const begin = performance.now();
  for (let from = 0; from < longest; from += CHUNK_BYTES) {
    for (const [thread, bytes] of ready.entries()) {
      const chunk = bytes.subarray(from, from + CHUNK_BYTES);
      if (chunk.length > 0) writeSync(descriptors[thread] ?? -1, chunk);
    }
  }
  const ms = performance.now() - begin;
  for (const descriptor of descriptors) closeSync(descriptor);
  return { paths, ms };
}
