import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { peerPaths, recordLine, type Contender } from './contender.js';

/** Node's default of 16 KiB lets a stream fill with a few lines; this is where it was fastest here. */
const HIGH_WATER_BYTES = 256 << 10;

/** One stream per thread, honouring 'drain'. Complete when a last, empty write() of every stream was called back. */
export const writeStreams: Contender = {
  name: 'createWriteStream',
  async open(directory, threads) {
    const paths = peerPaths(directory, threads);
    const streams = paths.map((path) => createWriteStream(path, { flags: 'a', highWaterMark: HIGH_WATER_BYTES }));
    await Promise.all(streams.map((stream) => once(stream, 'open')));
    let full: WriteStream | undefined;
    return {
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        const stream = streams[thread];
        if (stream === undefined || stream.write(recordLine(ordinal, item))) return true;
        full = stream;
        return false;
      },
      async drained(): Promise<void> {
        if (full?.writableNeedDrain === true) await once(full, 'drain');
      },
      async complete(): Promise<void> {
        await Promise.all(streams.map((stream) => new Promise<void>((resolve, reject) => {
          stream.write('', (error) => (error === null || error === undefined ? resolve() : reject(error)));
        })));
      },
      async close(): Promise<void> {
        await Promise.all(streams.map((stream) => new Promise<void>((resolve) => { stream.end(resolve); })));
      },
    };
  },
};
