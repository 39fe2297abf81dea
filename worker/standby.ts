import type { DrainedThread, Opening, ReleasedThread, SalvageReport, SlotRef, WriterControl, WriterEvent } from '../src/control/protocol.js';
import { hasPublished } from '../src/ring/ring-consumer.js';
import { wakeWriter } from '../src/ring/doorbell.js';
import { Control } from './control.js';
import { createEngine, type Engine, type EngineData } from './engine.js';
import { nodeFsOps, systemClock, systemRng } from './fs-ops.js';
import { systemProcesses } from './lease/processes.js';
import { mark } from './rewrite.js';
import { letGoOfLease } from './salvager.js';
import { adopt, takeOver } from './takeover.js';
import { WriterLoop } from './writer-loop.js';

/**
 * The writer's work, done by main where no writer can be had, or in a process that ends after its writer died: the same
 * pass over the same memory. Everything is loaded beforehand: nothing can be imported in a process that exits.
 */
export class Standby {
  readonly #data: EngineData;
  readonly #directory: string;
  readonly #tell: (event: WriterEvent) => void;
  #engine: Engine | undefined;
  /** Where not even this thread can write: it only salvages. */
  #salvaging: Engine | undefined;

  constructor(data: EngineData, directory: string, tell: (event: WriterEvent) => void) {
    this.#data = data;
    this.#directory = directory;
    this.#tell = tell;
  }

  /** Does all that a writer does, from now on. Only for one that is known to be gone; `onError` when main cannot either. */
  serve(openings: readonly Opening[], onError: (error: unknown) => void): WriterControl {
    const engine = this.#takeOver(openings);
    const loop = new WriterLoop(engine, { exits: () => undefined, salvages: () => true });
    loop.run().catch(onError);
    return new Control({ ...engine, nextPass: loop.nextPass, stop: loop.stop });
  }

  /** Writes what is left, once. Only for a writer that is known to be gone. */
  run(openings: readonly Opening[], sync: boolean): void {
    const { files, fs, writer } = this.#takeOver(openings);
    this.pass();
    if (!sync) return;
    for (const file of writer.openRollouts) {
      if (file.failure !== undefined || file.dirtySinceUs === undefined) continue;
      try {
        fs.syncFileNow(files.descriptorOf(file));
      } catch (error) {
        writer.failRollout(file, 'LASTWORD_SYNC_FAILED', 'its last sync failed', error, Math.max(0, file.synced));
        mark(fs, file.path);
      }
    }
  }

  /** Writes what is published, as far as it can be written now. */
  pass(): void {
    if (this.#engine === undefined) return;
    const { writer } = this.#engine;
    for (const { consumer } of writer.rings) {
      let position: string;
      do {
        position = `${consumer.head},${consumer.arenaHead}`;
        writer.pass();
      } while (hasPublished(consumer) && position !== `${consumer.head},${consumer.arenaHead}`);
    }
  }

  /** Behind run(), in a process that ends: what could not be written. `isLost`: nothing can be. */
  salvage(openings: readonly Opening[], isLost: boolean): SalvageReport[] {
    const { salvager } = isLost ? this.#adopt(openings) : this.#takeOver(openings);
    return salvager.settle(false).reports;
  }

  /** Where nothing can be written: salvages the thread and lets go of it. @throws LASTWORD_WRITE_FAILED when no place takes the file */
  abandon(openings: readonly Opening[], thread: SlotRef): DrainedThread & ReleasedThread {
    const { leases, salvager, writer } = this.#adopt(openings);
    const file = writer.rolloutOf(thread);
    if (file === undefined) throw new Error('a thread that is not open');
    const drained = salvager.abandon(file);
    writer.removeRollout(file);
    return { ...drained, ...letGoOfLease(leases, file.threadId) };
  }

  releaseLeases(): void {
    this.#engine?.leases.releaseAll();
  }

  #takeOver(openings: readonly Opening[]): Engine {
    if (this.#engine !== undefined) return this.#engine;
    this.#engine = this.#create();
    takeOver(this.#engine, this.#directory, openings);
    return this.#engine;
  }

  #adopt(openings: readonly Opening[]): Engine {
    if (this.#salvaging !== undefined) return this.#salvaging;
    this.#salvaging = this.#create();
    this.#salvaging.leases.openDirectory(this.#directory);
    for (const opening of openings) adopt(this.#salvaging, opening);
    return this.#salvaging;
  }

  #create(): Engine {
    const seams = { fs: nodeFsOps, clock: systemClock, rng: systemRng, processes: systemProcesses };
    const engine = createEngine(this.#data, seams, this.#tell, () => { wakeWriter(engine.sidecar); });
    return engine;
  }
}
