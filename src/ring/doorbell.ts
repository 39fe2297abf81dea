/**
 * Sleeping and waking. One generation word per sleeper: whoever may wake it bumps the word before it notifies; the
 * sleeper reads the word before it looks at any condition, and sleeps on that value.
 */
import {
  EXIT_ANSWERS_WORD, EXIT_REQUESTS_WORD, HEARTBEAT_WORD, PARKS_WORD, PRODUCER_GENERATION_WORD, SALVAGE_ANSWERS_WORD, SALVAGE_REQUESTS_WORD, SYNC_REQUESTS_WORD, WRITER_EXITED_WORD, WRITER_GENERATION_WORD,
  WRITER_PARKED_WORD,
} from './layout.js';
import type { ProducerMemory, SidecarMemory } from './memory.js';
import { hasPublished, type RingConsumer } from './ring-consumer.js';

/** After an append: wakes the writer only if it has parked. True if it had to notify. */
export function ringDoorbell(sidecar: SidecarMemory): boolean {
  if (Atomics.load(sidecar.words, WRITER_PARKED_WORD) === 0) return false;
  // The exchange comes before the bump: cleared after it, the flag of the writer's next sleep could be lost.
  if (Atomics.exchange(sidecar.words, WRITER_PARKED_WORD, 0) === 0) return false;
  wakeWriter(sidecar);
  return true;
}

/** After a flush, a seal or a command: always. */
export function wakeWriter(sidecar: SidecarMemory): void {
  Atomics.add(sidecar.words, WRITER_GENERATION_WORD, 1);
  Atomics.notify(sidecar.words, WRITER_GENERATION_WORD);
}

export function writerGeneration(sidecar: SidecarMemory): number {
  return Atomics.load(sidecar.words, WRITER_GENERATION_WORD);
}

/** After raising wanted-synced words, before waking the writer. */
export function requestSync(sidecar: SidecarMemory): void {
  Atomics.add(sidecar.words, SYNC_REQUESTS_WORD, 1);
}

export function syncRequests(sidecar: SidecarMemory): number {
  return Atomics.load(sidecar.words, SYNC_REQUESTS_WORD);
}

/**
 * The writer's way to sleep. `generation` and `syncsSeen` are what it read before it looked at anything. Says that it
 * parks, looks again, and returns the wait, or undefined when there is something to do after all.
 */
export function park(
  sidecar: SidecarMemory, rings: readonly RingConsumer[], generation: number, syncsSeen: number,
): ReturnType<typeof Atomics.waitAsync> | undefined {
  Atomics.store(sidecar.words, WRITER_PARKED_WORD, 1);
  let isWork = Atomics.load(sidecar.words, SYNC_REQUESTS_WORD) !== syncsSeen;
  for (const ring of rings) {
    if (hasPublished(ring)) isWork = true;
  }
  if (isWork) {
    unpark(sidecar);
    return undefined;
  }
  Atomics.add(sidecar.words, PARKS_WORD, 1);
  return Atomics.waitAsync(sidecar.words, WRITER_GENERATION_WORD, generation);
}

/** The writer is awake: the flag is its own to clear. */
export function unpark(sidecar: SidecarMemory): void {
  Atomics.store(sidecar.words, WRITER_PARKED_WORD, 0);
}

export function parks(sidecar: SidecarMemory): number {
  return Atomics.load(sidecar.words, PARKS_WORD);
}

/** The writer has made a step. */
export function beat(sidecar: SidecarMemory): void {
  Atomics.add(sidecar.words, HEARTBEAT_WORD, 1);
}

/** The writer is gone for good; stored by itself as its last act, or by main on its exit. */
export function markWriterExited(sidecar: SidecarMemory): void {
  Atomics.store(sidecar.words, WRITER_EXITED_WORD, 1);
}

export function hasWriterExited(sidecar: SidecarMemory): boolean {
  return Atomics.load(sidecar.words, WRITER_EXITED_WORD) === 1;
}

/** By main when the process ends. Returns the request's number. */
export function requestExit(sidecar: SidecarMemory): number {
  return Atomics.add(sidecar.words, EXIT_REQUESTS_WORD, 1) + 1;
}

export function exitRequests(sidecar: SidecarMemory): number {
  return Atomics.load(sidecar.words, EXIT_REQUESTS_WORD);
}

/** By the writer: nothing is left to write, and its leases are released. */
export function answerExit(sidecar: SidecarMemory, request: number): void {
  Atomics.store(sidecar.words, EXIT_ANSWERS_WORD, request);
}

export function exitAnswers(sidecar: SidecarMemory): number {
  return Atomics.load(sidecar.words, EXIT_ANSWERS_WORD);
}

/** By main when the process ends. Returns the request's number. */
export function requestSalvage(sidecar: SidecarMemory): number {
  return Atomics.add(sidecar.words, SALVAGE_REQUESTS_WORD, 1) + 1;
}

export function salvageRequests(sidecar: SidecarMemory): number {
  return Atomics.load(sidecar.words, SALVAGE_REQUESTS_WORD);
}

/** By the writer: what could be written or salvaged is. */
export function answerSalvage(sidecar: SidecarMemory, request: number): void {
  Atomics.store(sidecar.words, SALVAGE_ANSWERS_WORD, request);
}

export function salvageAnswers(sidecar: SidecarMemory): number {
  return Atomics.load(sidecar.words, SALVAGE_ANSWERS_WORD);
}

/** Head or watermarks have moved, a thread was sealed, or the writer has ended: whoever sleeps there looks again. */
export function wakeProducer(memory: ProducerMemory): void {
  Atomics.add(memory.control, PRODUCER_GENERATION_WORD, 1);
  Atomics.notify(memory.control, PRODUCER_GENERATION_WORD);
}

export function producerGeneration(memory: ProducerMemory): number {
  return Atomics.load(memory.control, PRODUCER_GENERATION_WORD);
}

/** Blocks the producer's thread until it is woken past `generation`, at most `timeoutMs`. */
export function sleepProducer(memory: ProducerMemory, generation: number, timeoutMs: number): void {
  Atomics.wait(memory.control, PRODUCER_GENERATION_WORD, generation, timeoutMs);
}

/** The same without blocking. Keeps no process alive. */
export function sleepProducerAsync(memory: ProducerMemory, generation: number): ReturnType<typeof Atomics.waitAsync> {
  return Atomics.waitAsync(memory.control, PRODUCER_GENERATION_WORD, generation);
}
