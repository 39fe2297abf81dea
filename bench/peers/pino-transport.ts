import { once } from 'node:events';
import { pino } from 'pino';
import { peerPaths, recordLine, type Contender } from './contender.js';

/**
 * pino's worker transport, with a target that routes lines to kept descriptors. Lines go to the transport's stream as
 * they are: through a logger they would be serialised by pino too, and the worker would have to parse them.
 *
 * As pino's docs/transports.md has it: "A transport is a module that exports a default function that returns a writable
 * stream", set up "with `pino.transport`"; its code "will be executed in a separate worker thread".
 */
export const pinoTransport: Contender = {
  name: 'pino transport (worker)',
  kind: 'files',
  async open(directory, threads) {
    const paths = peerPaths(directory, threads);
    const stream = pino.transport<{ paths: string[] }>({
      target: new URL('./pino-router.js', import.meta.url).href,
      options: { paths },
    });
    await once(stream, 'ready');
    const flushed = (): Promise<void> => new Promise((resolve, reject) => {
      stream.flush((error?: Error) => (error === undefined ? resolve() : reject(error)));
    });
    await flushed();   // the target was loaded, and its files are open
    return {
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        return stream.write(`${thread} ${recordLine(ordinal, item)}`);
      },
      async drained(): Promise<void> {
        await once(stream, 'drain');
      },
      complete: flushed,
      async close(): Promise<void> {
        const closed = once(stream, 'close');
        stream.end();
        await closed;
      },
    };
  },
};
