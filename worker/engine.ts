import type { RingData, WriterData, WriterEvent } from '../src/control/protocol.js';
import { WRITER_SCRATCH_OFFSET } from '../src/ring/layout.js';
import { viewProducerMemory, viewSidecarMemory, type SidecarMemory } from '../src/ring/memory.js';
import { createRingConsumer } from '../src/ring/ring-consumer.js';
import { FileTable } from './file-table.js';
import { HeldPool } from './held.js';
import { Leases } from './lease/leases.js';
import type { RolloutFile } from './rollout-file.js';
import { Salvager } from './salvager.js';
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
  readonly held: HeldPool;
  readonly leases: Leases;
  readonly writer: Writer;
  /** A producer that it has already is not added again. */
  readonly addRing: (ring: RingData) => void;
  readonly syncs: SyncScheduler;
  readonly salvager: Salvager;
  readonly tell: (event: WriterEvent) => void;
}

export type EngineData = Omit<WriterData, 'control' | 'reports'>;

export function createEngine(data: EngineData, seams: Seams, tell: (event: WriterEvent) => void, wake: () => void = () => undefined): Engine {
  const sidecar = viewSidecarMemory(data.sidecar);
  const files: FileTable = new FileTable(seams.fs, sidecar, data.openFilesMax, (file, error) => { syncs.closeFailed(file, error); });
  const held = new HeldPool(data.unsyncedBytes);
  const isInPlace = (file: RolloutFile): boolean => syncs.interference.isInPlace(file);
  const poison = (file: RolloutFile, error: unknown): void => { syncs.poison(file, error); };
  const leases = new Leases(seams, data.owner);
  const parts = { ...seams, sidecar, files, held, leases, isInPlace, poison, temporaryFolder: data.temporaryFolder, tell, wake };
  const writer = new Writer(parts);
  const addRing = ({ producer, memory, ringBytes, overflowBytes }: RingData): void => {
    if (writer.rings.some((ring) => ring.producer === producer)) return;
    const consumer = createRingConsumer(viewProducerMemory(memory.buffer, ringBytes, overflowBytes));
    writer.addRing(consumer, new Transcoder(data.transcoder, memory, WRITER_SCRATCH_OFFSET), producer);
  };
  for (const ring of data.rings) addRing(ring);
  const syncs = new SyncScheduler(writer, parts, data);
  return { ...parts, writer, addRing, syncs, salvager: new Salvager(writer, parts) };
}
