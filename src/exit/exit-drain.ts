import type { Standby } from '../../worker/standby.js';
import type { Log } from '../log.js';
import type { ResolvedOptions } from '../options.js';
import type { ItemProducer } from '../producer/item-producer.js';
import {
  exitAnswers, hasWriterExited, producerGeneration, requestExit, requestSync, sleepProducer, wakeWriter,
} from '../ring/doorbell.js';
import type { ProducerMemory, SidecarMemory } from '../ring/memory.js';
import { wantSynced } from '../ring/slots.js';
import type { RolloutThread } from '../thread.js';
import type { EndListener } from './process-end.js';

export interface ExitDrainParts {
  readonly options: ResolvedOptions;
  readonly memory: SidecarMemory;
  readonly ring: ProducerMemory;
  readonly producer: ItemProducer;
  readonly log: Log;
  readonly standby: Standby;
  readonly threads: () => RolloutThread[];
}

/**
 * The last drain, in a process that ends: this thread blocks until the writer has written everything, at most
 * exitTimeoutMs. A writer that is gone is stood in for; one that is alive and stuck is never overtaken, but reported.
 */
export class ExitDrain implements EndListener {
  readonly #parts: ExitDrainParts;
  /** The writer did not get there in time: what comes still later does not wait again. */
  #hasGivenUp = false;

  constructor(parts: ExitDrainParts) {
    this.#parts = parts;
  }

  onException(): void {
    const { options } = this.#parts;
    this.#report(this.#drain(performance.now() + options.exitTimeoutMs));
  }

  onExit(): void {
    const { producer, threads } = this.#parts;
    this.#drainForGood();
    this.#report(threads().filter((thread) => thread.unwritten !== undefined));
    // Other listeners of 'exit' may append.
    producer.onPublished = () => {
      if (!this.#hasGivenUp) this.#report(this.#drainForGood());
    };
  }

  #drainForGood(): RolloutThread[] {
    const deadline = performance.now() + this.#parts.options.exitTimeoutMs;
    const left = this.#drain(deadline);
    if (left.length === 0) this.#releaseLeases(deadline);
    return left;
  }

  /** Returns the threads that did not get there. */
  #drain(deadline: number): RolloutThread[] {
    const { memory, options, producer, ring, standby, threads } = this.#parts;
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
        standby.run(threads().map(({ id: threadId, slot, incarnation, base, path }) => ({ threadId, slot, incarnation, base, path })), sync);
        return left.filter((thread) => thread.written < thread.accepted);
      }
      if (left.length === 0) return left;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        this.#hasGivenUp = true;
        return left;
      }
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

  #report(threads: readonly RolloutThread[]): void {
    const unwritten = threads.flatMap((thread) => thread.unwritten ?? []);
    if (unwritten.length === 0) return;
    this.#parts.log.error({ code: 'LASTWORD_DRAIN_INCOMPLETE', unwritten }, 'the process ends, and these items are not written');
  }
}
