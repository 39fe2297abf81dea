import { appendFileSync, closeSync, openSync, writeSync } from 'node:fs';
import { nothing, peerPaths, recordLine, type Contender } from './contender.js';

/**
 * One open, write and close per line: the simplest recorder there is. Node's fs.appendFileSync(path, data): "Synchronously
 * append data to a file, creating the file if it does not yet exist."
 */
export const appendFile: Contender = {
  name: 'appendFileSync',
  kind: 'files',
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

/**
 * One write() per line on descriptors that stay open; Node's flag 'a': "Open file for appending. The file is created if it
 * does not exist."
 */
export const writeKept: Contender = {
  name: 'kept descriptors + writeSync',
  kind: 'files',
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
