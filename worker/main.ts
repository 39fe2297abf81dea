/** The writer's entry: builds the engine, takes over from a dead writer, exposes control, runs the loop. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WriterData, WriterEvent } from '../src/control/protocol.js';
import { answerExit, answerSalvage, markWriterExited, wakeProducer, wakeWriter } from '../src/ring/doorbell.js';
import { viewSidecarMemory } from '../src/ring/memory.js';
import { Control, serve } from './control.js';
import { createEngine } from './engine.js';
import { nodeFsOps, systemClock, systemRng, watched } from './fs-ops.js';
import { descriptorsMax, systemProcesses } from './lease/processes.js';
import { takeOver } from './takeover.js';
import { WriterLoop } from './writer-loop.js';

const data = workerData as WriterData;
const fs = watched(nodeFsOps, viewSidecarMemory(data.sidecar), systemClock);
const tell = (event: WriterEvent): void => { parentPort?.postMessage(event); };
// The other half is for whatever else the process opens: the host's own files, and those that are read.
const openFilesMax = Math.min(data.openFilesMax, Math.ceil(descriptorsMax() / 2));
const engine = createEngine({ ...data, openFilesMax }, { fs, clock: systemClock, rng: systemRng, processes: systemProcesses }, tell, () => { wakeWriter(sidecar); });
const { leases, salvager, sidecar, writer } = engine;

// Whatever ends this worker in an orderly way or by an exception: main may be blocked and hear of nothing else.
process.once('exit', () => {
  markWriterExited(sidecar);
  wakeProducers();
});
const { predecessor } = data;
const replayed = predecessor === undefined ? 0 : takeOver(engine, predecessor.directory, predecessor.openings);
const loop = new WriterLoop(engine, { exits: answerExits, salvages: answerSalvages });
serve(new Control({ ...engine, nextPass: loop.nextPass, stop: loop.stop }), data.control);
tell({ event: 'ready', replayed });
// Who slept through the change looks again.
wakeProducers();
await loop.run();
data.control.close();
data.reports.close();
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

/** The process ends, and what is salvaged is told to a thread that blocks. */
function answerSalvages(request: number, isAgain: boolean): boolean {
  const { reports, isSettled } = salvager.settle(isAgain);
  for (const report of reports) data.reports.postMessage(report);
  if (!isSettled) return false;
  answerSalvage(sidecar, request);
  wakeProducers();
  return true;
}

function wakeProducers(): void {
  for (const ring of writer.rings) wakeProducer(ring.consumer.memory);
}
