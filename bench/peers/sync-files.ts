import { appendFileSync, closeSync, openSync, writeSync } from 'node:fs';
import { nothing, peerPaths, recordLine, type Contender } from './contender.js';

/** One open, write and close per line: the simplest recorder there is. */
export const appendFile: Contender = {
  name: 'appendFileSync',
  open(directory, threads) {
    const paths = peerPaths(directory, threads);
    for (const path of paths) appendFileSync(path, '');
    return Promise.resolve({
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        appendFileSync(paths[thread] ?? '', recordLine(ordinal, item));
        return true;
      },
      drained: nothing, complete: nothing, close: nothing,
    });
  },
};

/** One write() per line on descriptors that stay open. */
export const writeKept: Contender = {
  name: 'kept descriptors + writeSync',
  open(directory, threads) {
    const paths = peerPaths(directory, threads);
    const descriptors = paths.map((path) => openSync(path, 'a'));
    return Promise.resolve({
      paths,
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        writeSync(descriptors[thread] ?? -1, recordLine(ordinal, item));
        return true;
      },
      drained: nothing, complete: nothing,
      close(): Promise<void> {
        for (const descriptor of descriptors) closeSync(descriptor);
        return Promise.resolve();
      },
    });
  },
};
