import { isLastwordError, LastwordError, toWireError, type LastwordErrorCode } from '../src/errors.js';
import type { SlotRef, WriterEvent } from '../src/control/protocol.js';
import { wakeProducer } from '../src/ring/doorbell.js';
import { addFigure, recordLatency, WRITE_HISTOGRAM } from '../src/ring/figures.js';
import { OUTPUT_BYTES, OUTPUT_OFFSET, SLOTS_MAX } from '../src/ring/layout.js';
import type { ProducerMemory, SidecarMemory } from '../src/ring/memory.js';
import { createBatch, release, walk, type RingConsumer } from '../src/ring/ring-consumer.js';
import { moveState, publishWritten, seal } from '../src/ring/slots.js';
import { LINE_BYTES_MAX } from '../src/rollout/scan.js';
import type { FileTable } from './file-table.js';
import { FrameGroups } from './frame-groups.js';
import type { Leases } from './lease/leases.js';
import type { RolloutFile } from './rollout-file.js';
import type { Clock, FsOps } from './seams.js';
import { NO_ORDINAL, type Transcoder } from './transcode/transcoder.js';

/** Bounds of one pass over a ring, so that commands are heard in between. */
const PASS_FRAMES_MAX = 16_384;
const PASS_BYTES_MAX = 16 * 1024 * 1024;

/** A producer's ring, with the transcoder over its memory. */
export interface WriterRing {
  readonly consumer: RingConsumer;
  readonly transcoder: Transcoder;
}

export interface WriterParts {
  readonly sidecar: SidecarMemory;
  readonly files: FileTable;
  readonly leases: Leases;
  readonly fs: FsOps;
  readonly clock: Clock;
  readonly tell: (event: WriterEvent) => void;
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

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  get rings(): readonly WriterRing[] {
    return this.#rings;
  }

  /** Every opening whose file is the writer's now. */
  get openRollouts(): Iterable<RolloutFile> {
    return this.#open;
  }

  addRing(ring: WriterRing): void {
    this.#rings.push(ring);
  }

  addRollout(file: RolloutFile): void {
    this.#rollouts[file.slot] = file;
    this.#open.add(file);
  }

  /** The opening a command names; undefined when it was let go of. */
  rolloutOf(thread: SlotRef): RolloutFile | undefined {
    const file = this.#rollouts[thread.slot];
    return file?.incarnation === thread.incarnation ? file : undefined;
  }

  removeRollout(file: RolloutFile): void {
    this.#rollouts[file.slot] = undefined;
    this.#open.delete(file);
  }

  /** One step over every ring. Returns how many frames it took. */
  pass(): number {
    let frames = 0;
    for (const ring of this.#rings) frames += this.#passRing(ring);
    return frames;
  }

  #passRing(ring: WriterRing): number {
    const { consumer } = ring;
    const batch = this.#batch;
    walk(consumer, batch, PASS_BYTES_MAX);
    if (batch.head === consumer.head && batch.arenaHead === consumer.arenaHead) return 0;
    const groups = this.#groups;
    groups.group(consumer.memory, batch);
    // Files that are open first: the others will close some of them.
    this.#writeGroups(ring, (file) => this.#parts.files.isOpen(file));
    this.#writeGroups(ring, () => true);
    groups.clear();
    release(consumer, batch);
    wakeProducer(consumer.memory);
    return batch.frames;
  }

  #writeGroups(ring: WriterRing, isNow: (file: RolloutFile) => boolean): void {
    const groups = this.#groups;
    for (let group = 0; group < groups.count; group += 1) {
      if (groups.isDone(group)) continue;
      const file = this.#rollouts[groups.slotOf(group)];
      if (file !== undefined && !isNow(file)) continue;
      groups.markDone(group);
      // Frames of a thread that was let go of, or that failed, are nobody's any more.
      if (file === undefined || file.failure !== undefined) continue;
      try {
        this.#writeGroup(ring, file, group);
      } catch (error) {
        this.failRollout(file, 'LASTWORD_WRITE_FAILED', 'a write failed', error);
      }
    }
  }

  /** Transcodes a thread's frames next to each other and writes them with one write(), or more when the output is full. */
  #writeGroup(ring: WriterRing, file: RolloutFile, group: number): void {
    const { files, fs, leases } = this.#parts;
    const { memory } = ring.consumer;
    leases.keep(file.threadId);
    const output = new GroupOutput(this.#parts, memory, file, files.descriptorOf(file));
    file.assertUntouched(fs, output.descriptor);
    const groups = this.#groups;
    for (let frame = groups.firstOf(group); frame >= 0; frame = groups.nextOf(frame)) {
      groups.read(memory, this.#batch, frame);
      if (groups.incarnation !== file.incarnation) continue;
      const expected = file.written + output.items;
      if (groups.frameCount < expected) continue;
      if (groups.frameCount > expected) {
        output.write();
        const from = file.base + expected;
        const to = file.base + groups.frameCount - 1;
        throw new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `ordinals ${from} to ${to} never came`, {
          unwritten: [{ threadId: file.threadId, from, to }],
        });
      }
      output.line(ring.transcoder, groups.payloadOffset, groups.payloadBytes, groups.timestampMs, file.base + groups.frameCount);
    }
    output.write();
  }

  /** Nothing more of this opening is written: its appends answer LATE, its flushes reject. */
  failRollout(file: RolloutFile, code: LastwordErrorCode, message: string, cause: unknown): void {
    if (file.failure !== undefined) return;
    const { threadId, path, slot, incarnation } = file;
    const inner = isLastwordError(cause) ? cause : undefined;
    const { errno } = cause as Partial<NodeJS.ErrnoException>;
    const context = { ...inner?.context, threadId, path, ...(errno === undefined ? {} : { errno }) };
    const error = new LastwordError(inner?.code ?? code, `thread ${threadId}: ${message}`, context, { cause });
    file.fail(error);
    const { sidecar, tell } = this.#parts;
    // No sync of the file follows: what waits for one no longer counts.
    addFigure(sidecar, 'bytesUnsynced', -file.unsyncedBytes);
    file.unsyncedBytes = 0;
    file.dirtySinceUs = undefined;
    if (!file.isReleased) {
      seal(sidecar, slot);
      moveState(sidecar, slot, 'failed');
    }
    tell({ event: 'threadFailed', slot, incarnation, error: toWireError(error, code) });
    for (const ring of this.#rings) wakeProducer(ring.consumer.memory);
  }
}

/** The output area on its way to one file. */
class GroupOutput {
  readonly descriptor: number;
  readonly #parts: WriterParts;
  readonly #memory: ProducerMemory;
  readonly #file: RolloutFile;
  #end = OUTPUT_OFFSET;
  /** Bytes of an unfinished line that stand in the file behind the last whole record. */
  #carried = 0;
  /** Whole records in the output, not yet written. */
  items = 0;
  /** Where the last of them ends. */
  #wholeEnd = OUTPUT_OFFSET;

  constructor(parts: WriterParts, memory: ProducerMemory, file: RolloutFile, descriptor: number) {
    this.#parts = parts;
    this.#memory = memory;
    this.#file = file;
    this.descriptor = descriptor;
  }

  line(transcoder: Transcoder, payloadOffset: number, payloadBytes: number, timestampMs: number, ordinal: number): void {
    const limit = OUTPUT_OFFSET + OUTPUT_BYTES;
    const stated = this.#file.isNumbered ? ordinal : NO_ORDINAL;
    this.#step(() => transcoder.line(payloadOffset, payloadBytes, timestampMs, stated, this.#end, limit));
    while (!transcoder.finished) {
      if (transcoder.lineBytes > LINE_BYTES_MAX) {
        this.#dropLine();
        throw new LastwordError('LASTWORD_WRITE_FAILED', `the line of ordinal ${ordinal} is longer than ${LINE_BYTES_MAX} bytes`);
      }
      this.write();
      this.#step(() => transcoder.resume(this.#end, limit));
    }
    this.items += 1;
    this.#wholeEnd = this.#end;
  }

  /** One step of the transcoder, which throws where the payload is none. */
  #step(transcode: () => number): void {
    try {
      this.#end = transcode();
    } catch (error) {
      this.#dropLine();
      throw error;
    }
  }

  /** The line cannot be written: the whole records before it are, and what stands of it in the file is cut off. */
  #dropLine(): void {
    this.#end = this.#wholeEnd;
    if (this.items > 0) this.write();
    else if (this.#carried > 0) this.#file.cutBack(this.#parts.fs, this.descriptor);
  }

  /** Writes what is there; then, and only then, says what is whole. */
  write(): void {
    const length = this.#end - OUTPUT_OFFSET;
    if (length === 0) return;
    const { fs, clock, sidecar } = this.#parts;
    const file = this.#file;
    const startUs = clock.monotonicUs();
    file.append(fs, this.descriptor, this.#memory.bytes, OUTPUT_OFFSET, length);
    const nowUs = clock.monotonicUs();
    recordLatency(sidecar.words, WRITE_HISTOGRAM, nowUs - startUs);
    const whole = this.items === 0 ? 0 : this.#carried + this.#wholeEnd - OUTPUT_OFFSET;
    this.#carried = this.items === 0 ? this.#carried + length : this.#end - this.#wholeEnd;
    if (whole > 0) {
      file.commit(whole, nowUs);
      file.written += this.items;
      publishWritten(sidecar, file.slot, file.written);
      addFigure(sidecar, 'itemsWritten', this.items);
      addFigure(sidecar, 'bytesWritten', whole);
      addFigure(sidecar, 'bytesUnsynced', whole);
    }
    this.items = 0;
    this.#end = OUTPUT_OFFSET;
    this.#wholeEnd = OUTPUT_OFFSET;
  }
}
