/** The writer's entry: builds the engine, exposes control, runs the loop. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WriterData, WriterEvent } from '../src/control/protocol.js';
import {
  answerExit, beat, exitRequests, markWriterExited, park, syncRequests, unpark, wakeProducer, wakeWriter, writerGeneration,
} from '../src/ring/doorbell.js';
import { figureOf } from '../src/ring/figures.js';
import { viewSidecarMemory } from '../src/ring/memory.js';
import { Control, serve } from './control.js';
import { createEngine } from './engine.js';
import { nodeFsOps, systemClock, systemRng, watched } from './fs-ops.js';
import { systemProcesses } from './lease/processes.js';

/** Empty looks before the writer parks: waking it costs the host more than these cost the writer. */
const EMPTY_LOOKS_MAX = 20;

const data = workerData as WriterData;
const fs = watched(nodeFsOps, viewSidecarMemory(data.sidecar), systemClock);
const tell = (event: WriterEvent): void => { parentPort?.postMessage(event); };
const engine = createEngine(data, { fs, clock: systemClock, rng: systemRng, processes: systemProcesses }, tell, () => { wakeWriter(sidecar); });
const { leases, sidecar, syncs, writer } = engine;
let isStopped = false;
let exitsAnswered = 0;
/** Who waits for the end of a pass. */
let passWaiters: ((frames: number) => void)[] = [];

// Whatever ends this worker in an orderly way or by an exception: main may be blocked and hear of nothing else.
process.once('exit', () => {
  markWriterExited(sidecar);
  wakeProducers();
});
const nextPass = (): Promise<number> => new Promise((resolve) => {
  passWaiters.push(resolve);
  wakeWriter(sidecar);
});
const stop = (): void => {
  isStopped = true;
  wakeWriter(sidecar);
};
serve(new Control({ ...engine, nextPass, stop }), data.control);
tell({ event: 'ready' });
await run();
data.control.close();
parentPort?.close();

/** Keeps its own pace: a bounded pass, then a turn for commands; parks when some looks in a row find nothing. */
async function run(): Promise<void> {
  let emptyLooks = 0;
  while (!isStopped) {
    const generation = writerGeneration(sidecar);
    const requests = syncRequests(sidecar);
    const exits = exitRequests(sidecar);
    beat(sidecar);
    const waiters = passWaiters;
    passWaiters = [];
    const frames = writer.pass();
    for (const resolve of waiters) resolve(frames);
    syncs.step(requests, figureOf(sidecar, 'bytesUnsynced'));
    if (frames === 0 && exits !== exitsAnswered) answerExits(exits);
    emptyLooks = frames > 0 ? 0 : emptyLooks + 1;
    if (emptyLooks <= EMPTY_LOOKS_MAX) {
      await turn();
      continue;
    }
    const wait = park(sidecar, writer.rings.filter((ring) => !ring.isStalled).map((ring) => ring.consumer), generation, requests);
    if (wait === undefined) {
      await turn();
      continue;
    }
    if (wait.async) await wait.value;
    unpark(sidecar);
    emptyLooks = 0;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}

/** The process ends, and everything is written: nobody need wait for the leases of a dead owner. */
function answerExits(exits: number): void {
  exitsAnswered = exits;
  try {
    leases.releaseAll();
  } finally {
    answerExit(sidecar, exits);
    wakeProducers();
  }
}

function wakeProducers(): void {
  for (const ring of writer.rings) wakeProducer(ring.consumer.memory);
}
