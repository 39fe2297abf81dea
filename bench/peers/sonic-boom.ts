import { once } from 'node:events';
import { pino } from 'pino';
import { peerPaths, recordLine, type Contender } from './contender.js';

type Destination = ReturnType<typeof pino.destination>;

/**
 * pino's own file stream (sonic-boom), one per thread, asynchronous: `sync: false`, and no `minLength`, "the minimum length
 * of the internal buffer that is required to be full before flushing" (its README), so that nothing stays in memory.
 * It says 'drain' when nothing is left to write.
 */
export const sonicBooms: Contender = {
  name: 'sonic-boom',
  kind: 'files',
  async open(directory, threads) {
    const paths = peerPaths(directory, threads);
    const booms = paths.map((dest) => pino.destination({ dest, sync: false, append: true }));
    await Promise.all(booms.map((boom) => once(boom, 'ready')));
    const busy = new Set<Destination>();
    for (const boom of booms) boom.on('drain', () => busy.delete(boom));
    let full: Destination | undefined;
    return {
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        const boom = booms[thread];
        if (boom === undefined) return true;
        busy.add(boom);
        if (boom.write(recordLine(ordinal, item))) return true;
        full = boom;
        return false;
      },
      async drained(): Promise<void> {
        if (full !== undefined && busy.has(full)) await once(full, 'drain');
      },
      async complete(): Promise<void> {
        await Promise.all([...busy].map((boom) => once(boom, 'drain')));
      },
      async close(): Promise<void> {
        await Promise.all(booms.map((boom) => {
          const closed = once(boom, 'close');
          boom.end();
          return closed;
        }));
      },
    };
  },
};
