import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { peerPaths, recordLine, type Contender } from './contender.js';
import { Outstanding } from './outstanding.js';

/** Node's default of 16 KiB lets a stream fill with a few lines; this is where it was fastest here. */
const HIGH_WATER_BYTES = 256 << 10;

/**
 * One stream per thread, honouring 'drain', as Node's stream documentation asks: "If a call to stream.write(chunk) returns
 * false, the 'drain' event will be emitted when it is appropriate to resume writing data to the stream." Complete when every
 * write was called back.
 */
export const writeStreams: Contender = {
  name: 'createWriteStream',
  kind: 'files',
  async open(directory, threads) {
    const paths = peerPaths(directory, threads);
    const streams = paths.map((path) => createWriteStream(path, { flags: 'a', highWaterMark: HIGH_WATER_BYTES }));
    await Promise.all(streams.map((stream) => once(stream, 'open')));
    const outstanding = new Outstanding();
    for (const stream of streams) stream.on('error', (error) => { outstanding.fail(error); });
    const written = (): void => { outstanding.done(); };
    let full: WriteStream | undefined;
    return {
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        const stream = streams[thread];
        outstanding.add();
        if (stream === undefined || stream.write(recordLine(ordinal, item), written)) return true;
        full = stream;
        return false;
      },
      async drained(): Promise<void> {
        if (full?.writableNeedDrain === true) await once(full, 'drain');
      },
      complete: () => outstanding.atMost(0),
      async close(): Promise<void> {
        await Promise.all(streams.map((stream) => new Promise<void>((resolve) => { stream.end(resolve); })));
      },
    };
  },
};
