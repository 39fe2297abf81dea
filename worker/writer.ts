import { LastwordError, type LastwordErrorCode } from '../src/errors.js';
import type { SlotRef, WriterEvent } from '../src/control/protocol.js';
import { wakeProducer } from '../src/ring/doorbell.js';
import {
  FRAME_BYTES_WORD, FRAME_HEADER_BYTES, FRAME_TIMESTAMP_DOUBLE, SLOTS_MAX,
} from '../src/ring/layout.js';
import type { SidecarMemory } from '../src/ring/memory.js';
import { createBatch, release, walkAccepted, type RingConsumer } from '../src/ring/ring-consumer.js';
import { acceptedIn, publishWritten, sealWordOf } from '../src/ring/slots.js';
import { fail } from './failure.js';
import type { FileTable } from './file-table.js';
import { FrameGroups } from './frame-groups.js';
import { GroupOutput } from './group-output.js';
import type { HeldPool } from './held.js';
import type { Leases } from './lease/leases.js';
import { Retries } from './retries.js';
import { isMarked } from './rewrite.js';
import type { RolloutFile } from './rollout-file.js';
import type { Clock, FsOps } from './seams.js';
import type { Transcoder } from './transcode/transcoder.js';
import { neverCame, takeOverEnd } from './takeover.js';
import { Troubles } from './troubles.js';
import { createWriterRing, type WriterRing } from './writer-ring.js';

/** Bounds of one pass over a ring, so that commands are heard in between. */
const PASS_FRAMES_MAX = 16_384;
const PASS_BYTES_MAX = 16 * 1024 * 1024;

const NO_GROUP = -1;

export interface WriterParts {
  readonly sidecar: SidecarMemory;
  readonly files: FileTable;
  readonly leases: Leases;
  readonly held: HeldPool;
  readonly fs: FsOps;
  readonly clock: Clock;
  /** Where files go that the rollout's own folder does not take. */
  readonly temporaryFolder: string;
  readonly tell: (event: WriterEvent) => void;
  /** There may be something to do without anybody having asked. */
  readonly wake: () => void;
  /** A sync of the file has failed: nothing is written to it until it was made anew. */
  readonly poison: (file: RolloutFile, error: unknown) => void;
  /** False when somebody else has changed the file, so that it is made anew first, or has failed. */
  readonly isInPlace: (file: RolloutFile) => boolean;
}

/**
 * The pass: takes what the rings hold, writes it, says so, and only then lets go of it. Synchronous, over injected disk
 * and clock; everything that waits is elsewhere.
 */
export class Writer {
  readonly #parts: WriterParts;
  readonly #rings: WriterRing[] = [];
  /** By slot. */
  readonly #rollouts: (RolloutFile | undefined)[] = [];
  readonly #open = new Set<RolloutFile>();
  readonly #batch = createBatch(PASS_FRAMES_MAX);
  readonly #groups = new FrameGroups(PASS_FRAMES_MAX, SLOTS_MAX);
  readonly #retries = new Retries();
  readonly troubles: Troubles;
  #isPassing = false;

  readonly #nextCountOf = (slot: number, incarnation: number): number | undefined => this.rolloutOf({ slot, incarnation })?.nextCount;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.troubles = new Troubles(parts, parts.wake);
  }

  get rings(): readonly WriterRing[] {
    return this.#rings;
  }

  /** Every opening whose file is the writer's now. */
  get openRollouts(): Iterable<RolloutFile> {
    return this.#open;
  }

  addRing(consumer: RingConsumer, transcoder: Transcoder, producer: number): void {
    this.#rings.push(createWriterRing(consumer, transcoder, producer));
  }

  /** What is left in it is of threads that were let go of. */
  removeRing(producer: number): void {
    const index = this.#rings.findIndex((ring) => ring.producer === producer);
    if (index >= 0) this.#rings.splice(index, 1);
  }

  addRollout(file: RolloutFile): void {
    this.#rollouts[file.slot] = file;
    this.#open.add(file);
    this.#retries.adopt(this.#rings, file);
  }

  /** Asks the file of a dead writer what is written: the watermark may be older. False when that must be tried again. */
  findEnd(file: RolloutFile): boolean {
    return this.#try(file, () => this.#takeOver(file, this.#parts.files.descriptorOf(file)));
  }

  /** After a takeover: what the parking areas hold of openings that were let go of is nobody's, and its room is given back. */
  forgetOthers(): void {
    for (const { parking } of this.#rings) parking.remove(parking.frames.filter((frame) => this.rolloutOf(frame) === undefined));
  }

  /** The opening a command names; undefined when it was let go of. */
  rolloutOf(thread: SlotRef): RolloutFile | undefined {
    const file = this.#rollouts[thread.slot];
    return file?.incarnation === thread.incarnation ? file : undefined;
  }

  removeRollout(file: RolloutFile): void {
    this.#retries.remove(file);
    this.troubles.ended(file);
    this.#rollouts[file.slot] = undefined;
    this.#open.delete(file);
  }

  /** One step over every ring. Returns how many frames it took. */
  pass(): number {
    // Where main writes itself, a listener to what is told may append: the next pass has it.
    if (this.#isPassing) return 0;
    this.#isPassing = true;
    try {
      let frames = 0;
      for (const [file, ring] of this.#retries) if (this.#mayWrite(file)) frames += this.#retry(ring, file);
      for (const ring of this.#rings) frames += this.#passRing(ring);
      return frames;
    } finally {
      this.#isPassing = false;
    }
  }

  #mayWrite(file: RolloutFile): boolean {
    return file.takesRecords && !file.isPoisoned && !this.troubles.isWaiting(file);
  }

  #passRing(ring: WriterRing): number {
    const { consumer } = ring;
    const batch = this.#batch;
    walkAccepted(this.#parts.sidecar, consumer, batch, PASS_BYTES_MAX, this.#nextCountOf);
    if (batch.frames === 0 && batch.head === consumer.head && batch.arenaHead === consumer.arenaHead) return 0;
    const groups = this.#groups;
    groups.group(consumer.memory, batch);
    // Files that are open first: the others will close some of them.
    const areOpenTaken = this.#takeGroups(ring, (file) => this.#parts.files.isOpen(file));
    ring.isStalled = !(this.#takeGroups(ring, () => true) && areOpenTaken);
    groups.clear();
    if (!ring.isStalled) release(consumer, batch);
    wakeProducer(consumer.memory);
    // The sidecar's own thread waits for what others append, too.
    const [own] = this.#rings;
    if (own !== undefined && own !== ring) wakeProducer(own.consumer.memory);
    return ring.isStalled ? 0 : batch.frames;
  }

  #wakeProducers(): void {
    for (const ring of this.#rings) wakeProducer(ring.consumer.memory);
  }

  /** False when frames are neither written nor parked. */
  #takeGroups(ring: WriterRing, isNow: (file: RolloutFile) => boolean): boolean {
    const groups = this.#groups;
    let areTaken = true;
    for (let group = 0; group < groups.count; group += 1) {
      if (groups.isDone(group)) continue;
      const file = this.#rollouts[groups.slotOf(group)];
      if (file !== undefined && !isNow(file)) continue;
      groups.markDone(group);
      // Frames of a thread that was let go of are nobody's any more.
      if (file === undefined) continue;
      const isWritten = this.#mayWrite(file) && this.#write(ring, file, group);
      if (!isWritten && !this.#park(ring, file, group)) areTaken = false;
    }
    return areTaken;
  }

  /** Without anything new. Returns how many items were written. */
  #retry(ring: WriterRing, file: RolloutFile): number {
    const { written } = file;
    this.#write(ring, file, NO_GROUP);
    if (file.written > written) this.#wakeProducers();
    return file.written - written;
  }

  /** False when it is not all written: to be tried again, or salvaged. What the file has taken is taken, whatever the answer. */
  #write(ring: WriterRing, file: RolloutFile, group: number): boolean {
    return this.#try(file, () => {
      const isWritten = this.#writeFrames(ring, file, group);
      if (isWritten) this.troubles.recovered(file);
      return isWritten;
    });
  }

  #try(file: RolloutFile, act: () => boolean): boolean {
    try {
      return act();
    } catch (error) {
      if (!this.troubles.meet(file, error)) this.failRollout(file, 'LASTWORD_WRITE_FAILED', 'a write failed', error);
      return false;
    }
  }

  /** Transcodes a thread's frames next to each other and writes them with one write(), or more when the output is full. False when none may be written now. */
  #writeFrames(ring: WriterRing, file: RolloutFile, group: number): boolean {
    const { files, fs, isInPlace, leases } = this.#parts;
    const { memory } = ring.consumer;
    leases.keep(file.threadId);
    if (!files.isOpen(file) && !isInPlace(file)) return false;
    const descriptor = files.descriptorOf(file);
    if (!file.isEndKnown && !this.#takeOver(file, descriptor)) return false;
    const state = fs.identify(descriptor);
    if (file.isUncut(state.size)) file.cutBack(fs, descriptor);
    else if (!file.isUntouched(state) && !isInPlace(file)) return false;
    const output = new GroupOutput(this.#parts, ring, file, descriptor);
    try {
      for (const { address, count } of file.parked) {
        const bytes = memory.words[(address >>> 2) + FRAME_BYTES_WORD] ?? 0;
        const timestampMs = memory.doubles[(address >>> 3) + FRAME_TIMESTAMP_DOUBLE] ?? 0;
        output.line(address + FRAME_HEADER_BYTES, bytes, timestampMs, file.base + count);
      }
      const groups = this.#groups;
      for (let frame = groups.firstOf(group); frame >= 0; frame = groups.nextOf(frame)) {
        groups.read(memory, this.#batch, frame);
        const expected = file.written + output.items;
        if (groups.incarnation !== file.incarnation || groups.frameCount < expected) continue;
        if (groups.frameCount > expected) {
          output.write();
          throw neverCame(file, expected, groups.frameCount);
        }
        output.line(groups.payloadOffset, groups.payloadBytes, groups.timestampMs, file.base + groups.frameCount);
      }
      output.write();
      return true;
    } finally {
      this.#retries.unpark(file, ({ count }) => count < file.written);
    }
  }

  /** Moves the group's frames out of the ring, so that the threads behind them go on. False when there is no room. */
  #park(ring: WriterRing, file: RolloutFile, group: number): boolean {
    const { memory } = ring.consumer;
    const groups = this.#groups;
    for (let frame = groups.firstOf(group); frame >= 0; frame = groups.nextOf(frame)) {
      groups.read(memory, this.#batch, frame);
      const expected = file.nextCount;
      if (groups.incarnation !== file.incarnation || groups.frameCount < expected) continue;
      if (groups.frameCount > expected) this.failRollout(file, 'LASTWORD_DRAIN_INCOMPLETE', 'a write failed', neverCame(file, expected, groups.frameCount));
      if (!this.#retries.park(ring, file, this.#batch.addresses[frame] ?? 0)) return false;
    }
    return true;
  }

  /** False when a sync of it had failed before: it is made anew first. */
  #takeOver(file: RolloutFile, descriptor: number): boolean {
    const { clock, fs, held, poison, sidecar } = this.#parts;
    // Before the end counts as found: a look that is refused is made again.
    const hasFailed = isMarked(fs, file.path);
    takeOverEnd(fs, file, descriptor, held);
    // What the dead writer wrote last may be on its way still.
    file.markDirty(0, clock.monotonicUs());
    publishWritten(sidecar, file.slot, file.written);
    this.#retries.unpark(file, ({ count }) => count < file.written);
    if (hasFailed) poison(file, new LastwordError('LASTWORD_SYNC_FAILED', 'a sync had failed before the writer died'));
    // What was poisoned may have failed already.
    return !file.isPoisoned && file.takesRecords;
  }

  /** Tries once more, however lately that was done. */
  tryNow(file: RolloutFile): void {
    const ring = this.#retries.ringOf(file);
    if (ring !== undefined && file.takesRecords && !file.isPoisoned) this.#retry(ring, file);
  }

  /** Everything accepted is. */
  isWritten(file: RolloutFile): boolean {
    return file.written >= acceptedIn(sealWordOf(this.#parts.sidecar, file.slot));
  }

  /** Nothing more of this opening is written; what is not stays in memory. */
  failRollout(file: RolloutFile, code: LastwordErrorCode, message: string, cause: unknown, unsafeFrom?: number): void {
    if (file.failure !== undefined) return;
    fail(this.#parts, file, { code, message, cause, unsafeFrom });
    this.troubles.ended(file);
    this.#wakeProducers();
  }
}
