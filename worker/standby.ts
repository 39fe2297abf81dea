import type { WriterEvent } from '../src/control/protocol.js';
import { hasPublished } from '../src/ring/ring-consumer.js';
import { publishWritten } from '../src/ring/slots.js';
import { createEngine, type Engine, type EngineData } from './engine.js';
import { nodeFsOps, systemClock, systemRng } from './fs-ops.js';
import { systemProcesses } from './lease/processes.js';
import { findEnd } from './recovery/find-end.js';
import { makeWhole } from './recovery/resume-rollout.js';
import { RolloutFile } from './rollout-file.js';

/** An opening that the dead writer had. */
export interface StandbyThread {
  readonly threadId: string;
  readonly slot: number;
  readonly incarnation: number;
  readonly base: number;
  readonly path: string;
}

/**
 * The writer's work, done by main in a process that ends after its writer died: the same pass over the same memory. The
 * files say what is written already, so that nothing is written twice. Everything is loaded beforehand: nothing can be
 * imported in a process that exits.
 */
export class Standby {
  readonly #data: EngineData;
  readonly #directory: string;
  readonly #tell: (event: WriterEvent) => void;
  #engine: Engine | undefined;

  constructor(data: EngineData, directory: string, tell: (event: WriterEvent) => void) {
    this.#data = data;
    this.#directory = directory;
    this.#tell = tell;
  }

  /** Writes what is left. Only for a writer that is known to be gone. */
  run(threads: readonly StandbyThread[], sync: boolean): void {
    const engine = this.#engine ?? this.#takeOver(threads);
    const { files, fs, writer } = engine;
    for (const { consumer } of writer.rings) {
      let position: string;
      do {
        position = `${consumer.head},${consumer.arenaHead}`;
        writer.pass();
      } while (hasPublished(consumer) && position !== `${consumer.head},${consumer.arenaHead}`);
    }
    if (!sync) return;
    for (const file of writer.openRollouts) {
      if (file.failure === undefined && file.dirtySinceUs !== undefined) fs.syncFileNow(files.descriptorOf(file));
    }
  }

  releaseLeases(): void {
    this.#engine?.leases.releaseAll();
  }

  #takeOver(threads: readonly StandbyThread[]): Engine {
    const seams = { fs: nodeFsOps, clock: systemClock, rng: systemRng, processes: systemProcesses };
    const engine = createEngine(this.#data, seams, this.#tell);
    this.#engine = engine;
    engine.leases.openDirectory(this.#directory);
    for (const thread of threads) this.#takeOverThread(engine, thread);
    return engine;
  }

  /** The file's own end says what is written: the watermark may be older. */
  #takeOverThread({ files, fs, sidecar, writer }: Engine, thread: StandbyThread): void {
    let file = new RolloutFile(thread, { wholeBytes: 0, isNumbered: true });
    try {
      const descriptor = fs.openFile(thread.path);
      const end = findEnd(fs, descriptor, thread.path);
      // What is torn is the dead writer's own, and still in the ring.
      file = new RolloutFile(thread, { wholeBytes: makeWhole(fs, descriptor, end), isNumbered: end.isNumbered });
      file.written = end.nextOrdinal - thread.base;
      files.makeRoom();
      files.add(file, descriptor);
      publishWritten(sidecar, thread.slot, file.written);
      writer.addRollout(file);
    } catch (error) {
      writer.failRollout(file, 'LASTWORD_WRITE_FAILED', 'its rollout could not be taken over', error);
    }
  }
}
