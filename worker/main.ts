/** The writer's entry: builds the engine, takes over from a dead writer, exposes control, runs the loop. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WriterData, WriterEvent } from '../src/control/protocol.js';
import { answerExit, markWriterExited, wakeProducer, wakeWriter } from '../src/ring/doorbell.js';
import { viewSidecarMemory } from '../src/ring/memory.js';
import { Control, serve } from './control.js';
import { createEngine } from './engine.js';
import { nodeFsOps, systemClock, systemRng, watched } from './fs-ops.js';
import { systemProcesses } from './lease/processes.js';
import { takeOver } from './takeover.js';
import { WriterLoop } from './writer-loop.js';

const data = workerData as WriterData;
const fs = watched(nodeFsOps, viewSidecarMemory(data.sidecar), systemClock);
const tell = (event: WriterEvent): void => { parentPort?.postMessage(event); };
const engine = createEngine(data, { fs, clock: systemClock, rng: systemRng, processes: systemProcesses }, tell, () => { wakeWriter(sidecar); });
const { leases, sidecar, writer } = engine;

// Whatever ends this worker in an orderly way or by an exception: main may be blocked and hear of nothing else.
process.once('exit', () => {
  markWriterExited(sidecar);
  wakeProducers();
});
const { predecessor } = data;
const replayed = predecessor === undefined ? 0 : takeOver(engine, predecessor.directory, predecessor.openings);
const loop = new WriterLoop(engine, answerExits);
serve(new Control({ ...engine, nextPass: loop.nextPass, stop: loop.stop }), data.control);
tell({ event: 'ready', replayed });
// Who slept through the change looks again.
wakeProducers();
await loop.run();
data.control.close();
parentPort?.close();

/** The process ends, and everything is written: nobody need wait for the leases of a dead owner. */
function answerExits(exits: number): void {
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
