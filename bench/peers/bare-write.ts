import { closeSync, openSync, writeSync } from 'node:fs';
import type { RolloutItem } from 'lastword';
import { nothing, peerPaths, recordLine, type Contender } from './contender.js';

const CHUNK_BYTES = 256 << 10;

/**
 * The limit: lines that are ready as bytes, written to the same number of files in chunks of 256 KiB. Nothing is
 * serialised, routed or waited for. Its append() only makes the lines; prepare() makes them bytes, and the clock of this
 * one starts there.
 */
export const bareWrite: Contender = {
  name: 'bare write() of ready bytes',
  kind: 'limit',
  open(directory, threads) {
    const paths = peerPaths(directory, threads);
    const descriptors = paths.map((path) => openSync(path, 'a'));
    const lines = paths.map((): string[] => []);
    let ready: Buffer[] = [];
    return Promise.resolve({
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item: RolloutItem): boolean {
        lines[thread]?.push(recordLine(ordinal, item));
        return true;
      },
      drained: nothing,
      prepare(): void {
        ready = lines.map((each) => Buffer.from(each.splice(0).join('')));
      },
      complete(): Promise<void> {
        const longest = ready.reduce((most, { length }) => Math.max(most, length), 0);
        for (let from = 0; from < longest; from += CHUNK_BYTES) {
          for (const [thread, bytes] of ready.entries()) {
            const chunk = bytes.subarray(from, from + CHUNK_BYTES);
            if (chunk.length > 0) writeSync(descriptors[thread] ?? -1, chunk);
          }
        }
        ready = [];
        return Promise.resolve();
      },
      close(): Promise<void> {
        for (const descriptor of descriptors) closeSync(descriptor);
        return Promise.resolve();
      },
    });
  },
};
