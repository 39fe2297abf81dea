import type { Standby } from '../../worker/standby.js';
import type { Opening, SalvageReport } from '../control/protocol.js';
import type { WriterLink } from '../control/writer-link.js';
import type { Log } from '../log.js';
import type { ResolvedOptions } from '../options.js';
import type { ItemProducer } from '../producer/item-producer.js';
import {
  exitAnswers, hasWriterExited, producerGeneration, requestExit, requestSalvage, requestSync, salvageAnswers, sleepProducer, wakeWriter,
} from '../ring/doorbell.js';
import type { ProducerMemory, SidecarMemory } from '../ring/memory.js';
import { seal, wantSynced } from '../ring/slots.js';
import type { OpenThread } from '../open-thread.js';
import type { EndListener } from './process-end.js';

export interface ExitDrainParts {
  readonly options: ResolvedOptions;
  readonly memory: SidecarMemory;
  readonly ring: ProducerMemory;
  readonly producer: ItemProducer;
  readonly log: Log;
  readonly standby: Standby;
  readonly writer: WriterLink;
  readonly threads: () => OpenThread[];
  readonly openings: () => readonly Opening[];
}

/**
 * The last drain, in a process that ends: this thread blocks until the writer has written everything, at most
 * exitTimeoutMs. A writer that is gone is stood in for; one that is alive and stuck is never overtaken, but reported.
 */
export class ExitDrain implements EndListener {
  readonly #parts: ExitDrainParts;
  /** Of each thread, what was accepted when the last drain began. Others append meanwhile where the process may survive: that is not its concern. */
  #targets: ReadonlyMap<OpenThread, number> = new Map();
  /** What was last said to be lost, so that nothing is said twice. */
  #reported = '';
  /** Nobody can write. */
  #isLost = false;
  /** What was salvaged, by thread. */
  readonly #salvages = new Map<string, SalvageReport>();

  constructor(parts: ExitDrainParts) {
    this.#parts = parts;
  }

  onException(beganMs: number): void {
    // The process may survive it: a writer that is gone gets a successor.
    this.#drain(beganMs + this.#parts.options.exitTimeoutMs, () => this.#parts.writer.revive());
    this.#report();
  }

  onExit(beganMs: number): void {
    // Other JavaScript threads go on while this one ends them. What they have appended by now is whole in memory.
    for (const thread of this.#parts.threads()) {
      if (thread.producer === 0) continue;
      seal(this.#parts.memory, thread.slot);
      thread.wakeProducer();
    }
    // Other listeners of 'exit' may append.
    this.#parts.producer.onPublished = () => { this.#drainForGood(performance.now()); };
    this.#drainForGood(beganMs);
  }

  #drainForGood(beganMs: number): void {
    const { memory, options, threads } = this.#parts;
    const deadline = beganMs + options.exitTimeoutMs;
    const isDone = this.#drain(deadline, () => this.#standIn());
    this.#report();
    if (isDone) this.#releaseLeases(deadline);
    // Nobody will write what comes still later: it is not accepted.
    else for (const { slot } of threads()) seal(memory, slot);
  }

  /** This thread writes what is left: nobody comes later who could. */
  #standIn(): true {
    const { openings, options, standby, writer } = this.#parts;
    this.#isLost ||= writer.isLost;
    try {
      if (!this.#isLost) standby.run(openings(), options.durability === 'synced');
    } catch {
      // What it could not write is salvaged, and named.
      this.#isLost = true;
    }
    return true;
  }

  /** False when the writer did not get there in time. `replace` a writer that is gone: true when everything is done that can be. */
  #drain(deadline: number, replace: () => boolean): boolean {
    const { memory, openings, options, producer, ring, standby, threads, writer } = this.#parts;
    const sync = options.durability === 'synced';
    producer.settle();
    const request = requestSalvage(memory);
    let left = threads();
    const targets = new Map(left.map((thread) => [thread, thread.accepted]));
    this.#targets = targets;
    const isThere = (thread: OpenThread): boolean => {
      if (thread.written < Math.min(thread.accepted, targets.get(thread) ?? Infinity)) return salvageAnswers(memory) === request;
      return thread.state === 'failed' || !sync || thread.synced >= thread.accepted;
    };
    if (sync) {
      for (const thread of left) wantSynced(memory, thread.slot, thread.accepted - thread.base);
      requestSync(memory);
    }
    for (;;) {
      const generation = producerGeneration(ring);
      left = left.filter((thread) => !isThere(thread));
      if (hasWriterExited(memory)) {
        if (!replace()) continue;
        this.#took(standby.salvage(openings(), this.#isLost || writer.isLost));
        return true;
      }
      this.#took(writer.takeReports());
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

  #took(reports: readonly SalvageReport[]): void {
    for (const report of reports) this.#salvages.set(report.threadId, report);
  }

  /** Where everything of the opening is up to the ordinal; nothing where it is nowhere. */
  #salvageOf({ id, slot, incarnation, base }: OpenThread, to: number): { salvage: string; records: number } | undefined {
    const report = this.#salvages.get(id);
    if (report?.slot !== slot || report.incarnation !== incarnation || base + report.to < to) return undefined;
    return { salvage: report.path, records: report.records };
  }

  #report(): void {
    const targets = this.#targets;
    this.#targets = new Map();
    const unwritten = [...targets].flatMap(([thread, target]) => {
      const { id: threadId, written: from } = thread;
      return from < target ? [{ threadId, from, to: target - 1, ...this.#salvageOf(thread, target - 1) }] : [];
    });
    const report = JSON.stringify(unwritten);
    if (unwritten.length === 0 || report === this.#reported) return;
    this.#reported = report;
    this.#parts.log.error({ code: 'LASTWORD_DRAIN_INCOMPLETE', unwritten }, 'the process ends, and these items are not written');
  }
}
