import type { WriterData, WriterEvent } from '../src/control/protocol.js';
import { WRITER_SCRATCH_OFFSET } from '../src/ring/layout.js';
import { viewProducerMemory, viewSidecarMemory, type SidecarMemory } from '../src/ring/memory.js';
import { createRingConsumer } from '../src/ring/ring-consumer.js';
import { FileTable } from './file-table.js';
import { Leases } from './lease/leases.js';
import type { Clock, FsOps, Processes, Rng } from './seams.js';
import { SyncScheduler } from './sync.js';
import { Transcoder } from './transcode/transcoder.js';
import { Writer } from './writer.js';

export interface Seams {
  readonly fs: FsOps;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly processes: Processes;
}

/** Everything that writes, put together over the shared memory. Runs in the writer, or in main once there is no writer. */
export interface Engine extends Seams {
  readonly sidecar: SidecarMemory;
  readonly files: FileTable;
  readonly leases: Leases;
  readonly writer: Writer;
  readonly syncs: SyncScheduler;
  readonly tell: (event: WriterEvent) => void;
}

export type EngineData = Omit<WriterData, 'control'>;

export function createEngine(data: EngineData, seams: Seams, tell: (event: WriterEvent) => void, wake: () => void = () => undefined): Engine {
  const sidecar = viewSidecarMemory(data.sidecar);
  const files: FileTable = new FileTable(seams.fs, sidecar, data.openFilesMax, (file, error) => {
    writer.failRollout(file, 'LASTWORD_SYNC_FAILED', 'close() of the file failed', error);
  });
  const leases = new Leases(seams, data.owner);
  const parts = { ...seams, sidecar, files, leases, temporaryFolder: data.temporaryFolder, tell, wake };
  const writer = new Writer(parts);
  const { memory, ringBytes, overflowBytes } = data.ring;
  writer.addRing({
    consumer: createRingConsumer(viewProducerMemory(memory.buffer, ringBytes, overflowBytes)),
    transcoder: new Transcoder(data.transcoder, memory, WRITER_SCRATCH_OFFSET),
  });
  return { ...parts, writer, syncs: new SyncScheduler(writer, parts, data) };
}
