import { appendFile } from 'node:fs/promises';
import { peerPaths, recordLine, type Contender } from './contender.js';
import { Outstanding } from './outstanding.js';

/** Each may hold a descriptor, and libuv has four threads for all of them. */
const CALLS_MAX = 256;

/**
 * fs.promises.appendFile, chained per thread: "These operations are not synchronized or threadsafe" (Node's documentation of
 * the promise API), so a thread's next line waits for its last one.
 */
export const appendChain: Contender = {
  name: 'fs.promises.appendFile chain',
  kind: 'files',
  async open(directory, threads) {
    const paths = peerPaths(directory, threads);
    for (const path of paths) await appendFile(path, '');
    const chains = paths.map(() => Promise.resolve());
    const outstanding = new Outstanding();
    return {
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        const line = recordLine(ordinal, item);
        const path = paths[thread] ?? '';
        outstanding.add();
        chains[thread] = (chains[thread] ?? Promise.resolve()).then(() => appendFile(path, line))
          .then(() => { outstanding.done(); }, (error: unknown) => { outstanding.fail(error); });
        return outstanding.count < CALLS_MAX;
      },
      drained: () => outstanding.atMost(CALLS_MAX / 2),
      complete: () => outstanding.atMost(0),
      close: () => Promise.resolve(),
    };
  },
};
