/** A worker that holds one descriptor per thread of the host and writes every item that it is sent, over Comlink or as a message. */
import { openSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink';
import type { RolloutItem } from 'lastword';
import { recordLine } from './contender.js';
import { ACKNOWLEDGED_EVERY, type ItemMessage, type KeptFiles, type KeptFilesData } from './kept-files.js';

const { paths, port } = workerData as KeptFilesData;
const descriptors = paths.map((path) => openSync(path, 'a'));
const append = (thread: number, ordinal: number, timeMs: number, item: RolloutItem): void => {
  writeSync(descriptors[thread] ?? -1, recordLine(ordinal, item, timeMs));
};

expose({ append } satisfies KeptFiles, port);

let unacknowledged = 0;
parentPort?.on('message', (message: ItemMessage | 'acknowledge') => {
  if (message === 'acknowledge') {
    parentPort?.postMessage(unacknowledged);
    unacknowledged = 0;
    return;
  }
  append(message.thread, message.ordinal, message.timeMs, message.item);
  unacknowledged += 1;
  if (unacknowledged < ACKNOWLEDGED_EVERY) return;
  parentPort?.postMessage(unacknowledged);
  unacknowledged = 0;
});
parentPort?.postMessage('ready');
