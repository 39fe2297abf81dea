import { once } from 'node:events';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { releaseProxy, wrap } from 'comlink';
import type { RolloutItem } from 'lastword';
import { peerPaths, type Contender, type Recording } from './contender.js';
import { Outstanding } from './outstanding.js';

/** What the worker is given, and what it can do. */
export interface KeptFilesData { readonly paths: readonly string[]; readonly port: MessagePort }
export interface KeptFiles { append(thread: number, ordinal: number, timeMs: number, item: RolloutItem): void }
export interface ItemMessage { readonly thread: number; readonly ordinal: number; readonly timeMs: number; readonly item: RolloutItem }

/** Items per acknowledgement, where they are sent as messages. */
export const ACKNOWLEDGED_EVERY = 128;
/** Items under way; a port takes any number, and holds them in memory. */
const UNDER_WAY_MAX = 4096;

interface Started { readonly worker: Worker; readonly port: MessagePort; readonly paths: string[]; readonly outstanding: Outstanding }

/** @throws what the worker throws where it cannot open the files. */
async function start(directory: string, threads: number): Promise<Started> {
  const paths = peerPaths(directory, threads);
  const { port1, port2 } = new MessageChannel();
  const workerData: KeptFilesData = { paths, port: port2 };
  const worker = new Worker(new URL('./kept-files-worker.js', import.meta.url), { workerData, transferList: [port2] });
  await once(worker, 'message');
  const outstanding = new Outstanding();
  worker.on('error', (error) => { outstanding.fail(error); });
  return { worker, port: port1, paths, outstanding };
}

const recordingOf = ({ worker, port, paths, outstanding }: Started, send: Recording['append'], acknowledge: () => void): Recording => ({
  paths,
  headerLines: 0,
  append(thread, ordinal, item): boolean {
    outstanding.add();
    send(thread, ordinal, item);
    return outstanding.count < UNDER_WAY_MAX;
  },
  drained: () => outstanding.atMost(UNDER_WAY_MAX / 2),
  complete(): Promise<void> {
    acknowledge();
    return outstanding.atMost(0);
  },
  async close(): Promise<void> {
    port.close();
    await worker.terminate();
  },
});

/**
 * A call per item through Comlink to a worker with kept descriptors; the worker stringifies. Comlink's README: "a function that
 * returns a number will now return a promise for a number", so every call is answered.
 */
export const comlinkCalls: Contender = {
  name: 'Comlink call per item',
  kind: 'worker',
  async open(directory, threads) {
    const started = await start(directory, threads);
    const files = wrap<KeptFiles>(started.port);
    const done = (): void => { started.outstanding.done(); };
    const fail = (error: unknown): void => { started.outstanding.fail(error); };
    const recording = recordingOf(started, (thread, ordinal, item) => {
      files.append(thread, ordinal, Date.now(), item).then(done, fail);
      return true;
    }, () => undefined);
    return {
      ...recording,
      async close(): Promise<void> {
        files[releaseProxy]();
        await recording.close();
      },
    };
  },
};

/**
 * A message per item to such a worker. Node's worker.postMessage(): "Send a message to the worker that is received via
 * require('node:worker_threads').parentPort.on('message')"; the item is cloned. The worker acknowledges some at a time.
 */
export const itemMessages: Contender = {
  name: 'postMessage per item',
  kind: 'worker',
  async open(directory, threads) {
    const started = await start(directory, threads);
    const { worker, outstanding } = started;
    worker.on('message', (count: number) => { outstanding.done(count); });
    return recordingOf(started, (thread, ordinal, item) => {
      worker.postMessage({ thread, ordinal, timeMs: Date.now(), item } satisfies ItemMessage);
      return true;
    }, () => { worker.postMessage('acknowledge'); });
  },
};
