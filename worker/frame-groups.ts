import {
  FRAME_BYTES_WORD, FRAME_COUNT_WORD, FRAME_HEADER_BYTES, FRAME_INCARNATION_WORD, FRAME_SLOT_WORD, FRAME_TIMESTAMP_DOUBLE,
} from '../src/ring/layout.js';
import type { ProducerMemory } from '../src/ring/memory.js';
import type { Batch } from '../src/ring/ring-consumer.js';

const NONE = -1;

/** The frames of one batch by thread, in the order of the ring within each. Allocated once, used for every pass. */
export class FrameGroups {
  /** By group. */
  readonly #slots: Int32Array;
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #done: Uint8Array;
  /** By frame. */
  readonly #next: Int32Array;
  /** By slot: its group in this batch. */
  readonly #groupOfSlot: Int32Array;
  count = 0;

  /** The frame read last. */
  payloadOffset = 0;
  payloadBytes = 0;
  incarnation = 0;
  timestampMs = 0;
  frameCount = 0;

  constructor(framesMax: number, slotsMax: number) {
    this.#slots = new Int32Array(framesMax);
    this.#first = new Int32Array(framesMax);
    this.#last = new Int32Array(framesMax);
    this.#done = new Uint8Array(framesMax);
    this.#next = new Int32Array(framesMax);
    this.#groupOfSlot = new Int32Array(slotsMax).fill(NONE);
  }

  group(memory: ProducerMemory, batch: Batch): void {
    for (let frame = 0; frame < batch.frames; frame += 1) {
      const slot = memory.words[((batch.addresses[frame] ?? 0) >>> 2) + FRAME_SLOT_WORD] ?? 0;
      this.#next[frame] = NONE;
      const group = this.#groupOfSlot[slot] ?? NONE;
      if (group === NONE) {
        this.#groupOfSlot[slot] = this.count;
        this.#slots[this.count] = slot;
        this.#first[this.count] = frame;
        this.#last[this.count] = frame;
        this.#done[this.count] = 0;
        this.count += 1;
      } else {
        this.#next[this.#last[group] ?? 0] = frame;
        this.#last[group] = frame;
      }
    }
  }

  clear(): void {
    for (let group = 0; group < this.count; group += 1) this.#groupOfSlot[this.slotOf(group)] = NONE;
    this.count = 0;
  }

  slotOf(group: number): number {
    return this.#slots[group] ?? 0;
  }

  isDone(group: number): boolean {
    return this.#done[group] === 1;
  }

  markDone(group: number): void {
    this.#done[group] = 1;
  }

  /** First frame of a group, and the next of a frame; negative at the end. */
  firstOf(group: number): number {
    return this.#first[group] ?? NONE;
  }

  nextOf(frame: number): number {
    return this.#next[frame] ?? NONE;
  }

  /** Reads a frame's header into the fields above. */
  read(memory: ProducerMemory, batch: Batch, frame: number): void {
    const address = batch.addresses[frame] ?? 0;
    const word = address >>> 2;
    this.payloadOffset = address + FRAME_HEADER_BYTES;
    this.payloadBytes = memory.words[word + FRAME_BYTES_WORD] ?? 0;
    this.incarnation = memory.words[word + FRAME_INCARNATION_WORD] ?? 0;
    this.timestampMs = memory.doubles[(address >>> 3) + FRAME_TIMESTAMP_DOUBLE] ?? 0;
    this.frameCount = memory.words[word + FRAME_COUNT_WORD] ?? 0;
  }
}
