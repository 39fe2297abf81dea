import type { Standby } from '../../worker/standby.js';
import type { Opening } from '../control/protocol.js';
import type { WriterLink } from '../control/writer-link.js';
import type { Log } from '../log.js';
import type { ResolvedOptions } from '../options.js';
import type { ItemProducer } from '../producer/item-producer.js';
import {
  exitAnswers, hasWriterExited, producerGeneration, requestExit, requestSync, sleepProducer, wakeWriter,
} from '../ring/doorbell.js';
import type { ProducerMemory, SidecarMemory } from '../ring/memory.js';
import { seal, wantSynced } from '../ring/slots.js';
import type { RolloutThread } from '../thread.js';
import type { EndListener } from './process-end.js';

export interface ExitDrainParts {
  readonly options: ResolvedOptions;
  readonly memory: SidecarMemory;
  readonly ring: ProducerMemory;
  readonly producer: ItemProducer;
  readonly log: Log;
  readonly standby: Standby;
  readonly writer: WriterLink;
  readonly threads: () => RolloutThread[];
  readonly openings: () => readonly Opening[];
}

/**
 * The last drain, in a process that ends: this thread blocks until the writer has written everything, at most
 * exitTimeoutMs. A writer that is gone is stood in for; one that is alive and stuck is never overtaken, but reported.
 */
export class ExitDrain implements EndListener {
  readonly #parts: ExitDrainParts;
  /** What was last said to be lost, so that nothing is said twice. */
  #reported = '';

  constructor(parts: ExitDrainParts) {
    this.#parts = parts;
  }

  onException(beganMs: number): void {
    // The process may survive it: a writer that is gone gets a successor.
    this.#drain(beganMs + this.#parts.options.exitTimeoutMs, () => this.#parts.writer.revive());
    this.#report();
  }

  onExit(beganMs: number): void {
    // Other listeners of 'exit' may append.
    this.#parts.producer.onPublished = () => { this.#drainForGood(performance.now()); };
    this.#drainForGood(beganMs);
  }

  #drainForGood(beganMs: number): void {
    const { memory, options, threads } = this.#parts;
    const deadline = beganMs + options.exitTimeoutMs;
    if (this.#drain(deadline, () => this.#standIn())) this.#releaseLeases(deadline);
    // Nobody will write what comes still later: it is not accepted.
    else for (const { slot } of threads()) seal(memory, slot);
    this.#report();
  }

  /** This thread writes what is left: nobody comes later who could. */
  #standIn(): true {
    const { openings, options, standby } = this.#parts;
    standby.run(openings(), options.durability === 'synced');
    return true;
  }

  /** False when the writer did not get there in time. `replace` a writer that is gone: true when everything is done that can be. */
  #drain(deadline: number, replace: () => boolean): boolean {
    const { memory, options, producer, ring, threads } = this.#parts;
    const sync = options.durability === 'synced';
    producer.settle();
    let left = threads();
    const isThere = (thread: RolloutThread): boolean =>
      thread.state === 'failed' || (sync ? thread.synced : thread.written) >= thread.accepted;
    if (sync) {
      for (const thread of left) wantSynced(memory, thread.slot, thread.accepted - thread.base);
      requestSync(memory);
    }
    for (;;) {
      const generation = producerGeneration(ring);
      left = left.filter((thread) => !isThere(thread));
      if (hasWriterExited(memory)) {
        if (replace()) return true;
        continue;
      }
      if (left.length === 0) return true;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      wakeWriter(memory);
      sleepProducer(ring, generation, leftMs);
    }
  }

  /** So that nobody need find out first that this process is dead. */
  #releaseLeases(deadline: number): void {
    const { memory, ring, standby } = this.#parts;
    if (hasWriterExited(memory)) {
      standby.releaseLeases();
      return;
    }
    const request = requestExit(memory);
    for (;;) {
      const generation = producerGeneration(ring);
      const leftMs = deadline - performance.now();
      if (exitAnswers(memory) === request || hasWriterExited(memory) || leftMs <= 0) return;
      wakeWriter(memory);
      sleepProducer(ring, generation, leftMs);
    }
  }

  #report(): void {
    const unwritten = this.#parts.threads().flatMap((thread) => thread.unwritten ?? []);
    const report = JSON.stringify(unwritten);
    if (unwritten.length === 0 || report === this.#reported) return;
    this.#reported = report;
    this.#parts.log.error({ code: 'LASTWORD_DRAIN_INCOMPLETE', unwritten }, 'the process ends, and these items are not written');
  }
}
