/**
 * Frames that the writer has moved out of ring and arena, because their threads cannot be written just now and the others
 * shall go on. A log in the producer's memory, so that a writer's successor finds them: copied, then the tail is stored,
 * and only then does the ring's head pass them. Only the writer stores here.
 */
import { frameBytes, writePadding } from './frame.js';
import {
  FRAME_ALIGN_BYTES, FRAME_BYTES_WORD, FRAME_COUNT_WORD, FRAME_INCARNATION_WORD, FRAME_KIND_WORD, FRAME_PADDING, FRAME_SLOT_WORD, PARKING_HEAD_WORD,
  PARKING_TAIL_WORD,
} from './layout.js';
import { parkingAddress, type ProducerMemory } from './memory.js';

/** A frame that is parked. */
export interface ParkedFrame {
  readonly slot: number;
  readonly incarnation: number;
  readonly count: number;
  /** Where it lies; it may be moved. */
  address: number;
  /** Bytes it takes in the log, and what it skipped in front of it. */
  bytes: number;
  isWritten: boolean;
}

export class Parking {
  readonly #memory: ProducerMemory;
  /** In the order of the log. */
  #frames: ParkedFrame[] = [];
  #head: number;
  #tail: number;

  /** Finds what a dead writer left, which may be in the log twice where it was being moved. */
  constructor(memory: ProducerMemory) {
    this.#memory = memory;
    this.#head = Atomics.load(memory.control, PARKING_HEAD_WORD);
    this.#tail = Atomics.load(memory.control, PARKING_TAIL_WORD);
    for (let position = this.#head; position !== this.#tail;) position = this.#find(position);
  }

  get frames(): readonly ParkedFrame[] {
    return this.#frames;
  }

  /** Copies the frame at the address. Undefined when there is no room. */
  add(address: number): ParkedFrame | undefined {
    const { words } = this.#memory;
    const bytes = frameBytes(words[(address >>> 2) + FRAME_BYTES_WORD] ?? 0);
    if (!this.#hasRoom(bytes) && !this.#clean(bytes)) return undefined;
    const frame = this.#copy(address, bytes);
    this.#frames.push(frame);
    return frame;
  }

  /** They are written: their room is another's once all before them are written too, or moved. */
  remove(frames: readonly ParkedFrame[]): void {
    for (const frame of frames) frame.isWritten = true;
    this.#passWritten();
  }

  #find(position: number): number {
    const { words } = this.#memory;
    const address = parkingAddress(this.#memory, position);
    const word = address >>> 2;
    const bytes = frameBytes(words[word + FRAME_BYTES_WORD] ?? 0);
    const isPadding = words[word + FRAME_KIND_WORD] === FRAME_PADDING;
    this.#frames.push({
      slot: words[word + FRAME_SLOT_WORD] ?? 0, incarnation: words[word + FRAME_INCARNATION_WORD] ?? 0, count: words[word + FRAME_COUNT_WORD] ?? 0,
      address, bytes, isWritten: isPadding,
    });
    return (position + bytes) | 0;
  }

  /** The frame in one piece, and what is left of the area in front of it when it does not fit there. */
  #hasRoom(bytes: number): boolean {
    const used = (this.#tail - this.#head) >>> 0;
    return used + this.#paddingBefore(bytes) + bytes + FRAME_ALIGN_BYTES <= this.#memory.layout.arenaBytes;
  }

  #paddingBefore(bytes: number): number {
    const { arenaBytes } = this.#memory.layout;
    const rest = arenaBytes - (this.#tail & (arenaBytes - 1));
    return rest < bytes ? rest : 0;
  }

  /** Moves what still waits behind what came later, over what is written in between. False when there is no room even so. */
  #clean(bytes: number): boolean {
    for (let left = this.#frames.length; left > 0 && !this.#hasRoom(bytes); left -= 1) {
      const [first] = this.#frames;
      if (first === undefined || !this.#hasRoom(first.bytes)) return false;
      this.#frames[0] = { ...first, isWritten: true };
      first.address = this.#copy(first.address, first.bytes).address;
      this.#frames.push(first);
      this.#passWritten();
    }
    return this.#hasRoom(bytes);
  }

  #copy(from: number, bytes: number): ParkedFrame {
    const { bytes: memory, control, words } = this.#memory;
    const padding = this.#paddingBefore(bytes);
    if (padding > 0) {
      writePadding(this.#memory, parkingAddress(this.#memory, this.#tail), this.#tail, padding);
      this.#frames.push({ slot: 0, incarnation: 0, count: 0, address: 0, bytes: padding, isWritten: true });
    }
    this.#tail = (this.#tail + padding) | 0;
    const address = parkingAddress(this.#memory, this.#tail);
    memory.copyWithin(address, from, from + bytes);
    this.#tail = (this.#tail + bytes) | 0;
    Atomics.store(control, PARKING_TAIL_WORD, this.#tail);
    const word = address >>> 2;
    return {
      slot: words[word + FRAME_SLOT_WORD] ?? 0, incarnation: words[word + FRAME_INCARNATION_WORD] ?? 0, count: words[word + FRAME_COUNT_WORD] ?? 0,
      address, bytes, isWritten: false,
    };
  }

  /** The head passes what is written, up to the first frame that is not. */
  #passWritten(): void {
    let passed = 0;
    for (; this.#frames[passed]?.isWritten === true; passed += 1) this.#head = (this.#head + (this.#frames[passed]?.bytes ?? 0)) | 0;
    if (passed === 0) return;
    this.#frames.splice(0, passed);
    Atomics.store(this.#memory.control, PARKING_HEAD_WORD, this.#head);
  }
}
