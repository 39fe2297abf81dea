import { once } from 'node:events';
import { pino } from 'pino';
import { nothing, peerPaths, recordLine, type Contender } from './contender.js';

type Destination = ReturnType<typeof pino.destination>;

/** pino's own file stream (sonic-boom), one per thread, asynchronous, with the buffering that pino's documentation gives. */
const MIN_LENGTH_BYTES = 4096;

export const sonicBooms: Contender = {
  name: 'sonic-boom',
  async open(directory, threads) {
    const paths = peerPaths(directory, threads);
    const booms = paths.map((dest) => pino.destination(
      { dest, sync: false, append: true, minLength: MIN_LENGTH_BYTES },
    ));
    await Promise.all(booms.map((boom) => once(boom, 'ready')));
    let full: Destination | undefined;
    return {
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        const boom = booms[thread];
        if (boom === undefined || boom.write(recordLine(ordinal, item))) return true;
        full = boom;
        return false;
      },
      async drained(): Promise<void> {
        if (full !== undefined) await once(full, 'drain');
      },
      async complete(): Promise<void> {
        await Promise.all(booms.map((boom) => {
          const closed = once(boom, 'close');
          boom.end();
          return closed;
        }));
      },
      close: nothing,
    };
  },
};
