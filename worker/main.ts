/** The writer's entry: builds the parts, exposes control, runs the loop. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WriterData, WriterEvent } from '../src/control/protocol.js';
import { beat, markWriterExited, park, syncRequests, unpark, wakeWriter, writerGeneration } from '../src/ring/doorbell.js';
import { figureOf } from '../src/ring/figures.js';
import { viewProducerMemory, viewSidecarMemory } from '../src/ring/memory.js';
import { createRingConsumer } from '../src/ring/ring-consumer.js';
import { WRITER_SCRATCH_OFFSET } from '../src/ring/layout.js';
import { Control, serve } from './control.js';
import { FileTable } from './file-table.js';
import { nodeFsOps, systemClock, systemRng, watched } from './fs-ops.js';
import { SyncScheduler } from './sync.js';
import { Transcoder } from './transcode/transcoder.js';
import { Writer } from './writer.js';

/** Empty looks before the writer parks: waking it costs the host more than these cost the writer. */
const EMPTY_LOOKS_MAX = 20;

const data = workerData as WriterData;
const sidecar = viewSidecarMemory(data.sidecar);
const clock = systemClock;
const fs = watched(nodeFsOps, sidecar, clock);
const tell = (event: WriterEvent): void => { parentPort?.postMessage(event); };
const files: FileTable = new FileTable(fs, sidecar, data.openFilesMax, (file, error) => {
  writer.failRollout(file, 'LASTWORD_SYNC_FAILED', 'close() of the file failed', error);
});
const parts = { sidecar, files, fs, clock, tell };
const writer = new Writer(parts);
const syncs = new SyncScheduler(writer, parts, data);
let isStopped = false;

const { memory, ringBytes, overflowBytes } = data.ring;
writer.addRing({
  consumer: createRingConsumer(viewProducerMemory(memory.buffer, ringBytes, overflowBytes)),
  transcoder: new Transcoder(data.transcoder, memory, WRITER_SCRATCH_OFFSET),
});
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
/** Who waits for the end of a pass. */
let passWaiters: ((frames: number) => void)[] = [];
const nextPass = (): Promise<number> => new Promise((resolve) => {
  passWaiters.push(resolve);
  wakeWriter(sidecar);
});
const stop = (): void => {
  isStopped = true;
  wakeWriter(sidecar);
};
serve(new Control({ ...parts, writer, syncs, rng: systemRng, nextPass, stop }), data.control);
tell({ event: 'ready' });
await run();
markWriterExited(sidecar);
data.control.close();
parentPort?.close();

/** Keeps its own pace: a bounded pass, then a turn for commands; parks when some looks in a row find nothing. */
async function run(): Promise<void> {
  let emptyLooks = 0;
  while (!isStopped) {
    const generation = writerGeneration(sidecar);
    const requests = syncRequests(sidecar);
    beat(sidecar);
    const waiters = passWaiters;
    passWaiters = [];
    const frames = writer.pass();
    for (const resolve of waiters) resolve(frames);
    syncs.step(requests, figureOf(sidecar, 'bytesUnsynced'));
    emptyLooks = frames > 0 ? 0 : emptyLooks + 1;
    if (emptyLooks <= EMPTY_LOOKS_MAX) {
      await turn();
      continue;
    }
    const consumers = writer.rings.map((ring) => ring.consumer);
    const wait = park(sidecar, consumers, generation, requests);
    if (wait === undefined) {
      await turn();
      continue;
    }
    if (wait.async) await wait.value;
    unpark(sidecar);
    emptyLooks = 0;
  }
}
