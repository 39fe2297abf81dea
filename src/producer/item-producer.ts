import { copyBytes } from '../copy-bytes.js';
import { LastwordError } from '../errors.js';
import { hasWriterExited, ringDoorbell, producerGeneration, sleepProducer, wakeWriter } from '../ring/doorbell.js';
import { frameBytes, makePadding, writeItemHeader } from '../ring/frame.js';
import { COUNT_MAX, FRAME_HEADER_BYTES } from '../ring/layout.js';
import { ringAddress, type ProducerMemory, type SidecarMemory } from '../ring/memory.js';
import {
  FULL, arenaUsed, claimAtTail, createRingProducer, freeInRing, isFullerThan, publish, ringBlockMax, ringUsed, tailIndex, tryClaim, tryFinishRun,
  type RingProducer,
} from '../ring/ring-producer.js';
import { acceptedIn, sealWordOf, tryAccept } from '../ring/slots.js';
import { ROOM_BYTES_MIN, type Encoder } from './encode.js';
import { DEPTH_MAX } from './normalise.js';

/** Returned in place of a count: the thread is sealed, the item was not taken. */
export const SEALED_COUNT = -1;

/** Room for an item to begin in place. */
const WINDOW_BYTES_MIN = FRAME_HEADER_BYTES + ROOM_BYTES_MIN;
const NO_WINDOW = Buffer.alloc(0);

export interface ItemProducerOptions {
  readonly itemBytesMax: number;
  readonly overflowBytes: number;
  readonly whenFull: 'wait' | 'throw';
  readonly fullTimeoutMs: number;
  /** Levels of nesting of a payload that lies in the memory. */
  readonly depth: (payloadOffset: number, payloadBytes: number) => number;
}

/** More than the last drain takes. */
const STACK_FRAMES = 500;

/** @throws RangeError when the stack does not hold so many frames more */
function assertStack(frames: number): number {
  return frames === 0 ? 0 : assertStack(frames - 1) + 1;
}

/** Turns items into published frames: pack, claim, exchange, publish, doorbell. One for each JavaScript thread that appends. */
export class ItemProducer {
  readonly #memory: ProducerMemory;
  readonly #sidecar: SidecarMemory;
  readonly #options: ItemProducerOptions;
  readonly #ring: RingProducer;
  readonly #encoder: Encoder;
  /** Over free space of the ring at the tail, so that an item is packed where it will lie. */
  #window: Buffer<ArrayBufferLike> = NO_WINDOW;
  /** Position of the window's first byte. */
  #windowPosition = 0;
  /** The window's bytes: asking it takes a call, for every item. */
  #windowBytes = 0;
  /** A wait has timed out: further appends throw at once until there is room. */
  #isRefusing = false;
  /** The last items were accepted, and may not be published. */
  #isOwed = false;
  /** Called after each publish once the process ends: nobody comes later who would see to it that it is written. */
  onPublished: (() => void) | undefined;
  /** Called where there is no room and the writer has said its last word: nobody else can tell, as this thread is blocked. */
  onWriterGone: (() => void) | undefined;
  /** How often the writer had to be notified after an append. */
  notifies = 0;

  constructor(memory: ProducerMemory, sidecar: SidecarMemory, encoder: Encoder, options: ItemProducerOptions) {
    this.#memory = memory;
    this.#sidecar = sidecar;
    this.#options = options;
    this.#ring = createRingProducer(memory, options.overflowBytes);
    this.#encoder = encoder;
  }

  /** Returns which item of this opening it is, or SEALED_COUNT: a seal is looked for once the item is packed, as that may bring one. */
  append(slot: number, incarnation: number, item: object): number {
    if (this.#isOwed || this.onPublished !== undefined) this.#prepare();
    const ring = this.#ring;
    if (this.#encoder.isPacking) return this.#appendCopy(slot, incarnation, this.#encoder.encode(item), true);
    if (!tryFinishRun(ring) || !this.#hasWindow()) return this.#appendCopy(slot, incarnation, this.#encoder.encodeForNow(item), true);
    const { tail } = ring;
    const address = ringAddress(this.#memory, tail);
    const payload = address + FRAME_HEADER_BYTES;
    const payloadBytes = this.#encoder.encodeInto(item, this.#window, ((tail - this.#windowPosition) | 0) + FRAME_HEADER_BYTES);
    if (payloadBytes < 0) return this.#appendCopy(slot, incarnation, this.#encoder.spilled, true);
    const bytes = frameBytes(payloadBytes);
    if (ring.tail === tail && bytes <= ringBlockMax(ring)) {
      claimAtTail(ring, bytes);
      return this.#take(slot, incarnation, address, payloadBytes);
    }
    // A callback of the item has appended meanwhile, or the item is large: what lies behind the tail moves to the arena.
    return this.#appendCopy(slot, incarnation, this.#memory.bytes.subarray(payload, payload + payloadBytes), false);
  }

  /** All or nothing, one publish. Returns which item of this opening the first is, or SEALED_COUNT. */
  appendAll(slot: number, incarnation: number, items: readonly object[]): number {
    if (sealWordOf(this.#sidecar, slot) < 0) return SEALED_COUNT;
    if (this.#isOwed || this.onPublished !== undefined) this.#prepare();
    const payloads = items.map((item) => this.#encoder.encode(item));
    const bytes = payloads.reduce((sum, payload) => sum + frameBytes(payload.byteLength), 0);
    if (bytes > this.#options.overflowBytes) {
      throw new LastwordError('LASTWORD_ITEM_TOO_LARGE', `${items.length} items take ${bytes} bytes together; overflowBytes is ${this.#options.overflowBytes}`);
    }
    const start = this.#claim(slot, bytes, !this.#encoder.isPacking);
    if (start === FULL) return SEALED_COUNT;
    const addresses: number[] = [];
    let address = start;
    for (const payload of payloads) {
      copyBytes(this.#memory.bytes, address + FRAME_HEADER_BYTES, payload);
      this.#assertDepth(address + FRAME_HEADER_BYTES, payload.byteLength);
      addresses.push(address);
      address += frameBytes(payload.byteLength);
    }
    const seen = this.#counted(slot, payloads.length);
    if (seen < 0) return SEALED_COUNT;
    const timestampMs = Date.now();
    for (const [index, payload] of payloads.entries()) {
      const frame = addresses[index] ?? start;
      const position = (this.#ring.claimPosition + frame - start) | 0;
      writeItemHeader(this.#memory, frame, position, payload.byteLength, slot, incarnation, timestampMs, seen + index);
    }
    return this.#accept(slot, seen, addresses);
  }

  /** An item as the ring would hold it, for a command that carries one. */
  encode(item: object): Uint8Array {
    return this.#encoder.encodePlain(item);
  }

  /** Bytes that wait for the writer. */
  get used(): { ring: number; overflow: number } {
    return { ring: ringUsed(this.#ring), overflow: arenaUsed(this.#ring) };
  }

  /** So full that a polite caller waits. */
  get needsDrain(): boolean {
    return isFullerThan(this.#ring, (this.#memory.layout.ringBytes / 4) * 3);
  }

  /** What drained() waits for. */
  get isDrained(): boolean {
    return !isFullerThan(this.#ring, this.#memory.layout.ringBytes / 2);
  }

  /**
   * Whether the window has room at the tail for all but large items, after a look for a new one: msgpackr goes on in other memory where it
   * has not, as large as the window or larger, which the collector then has to get rid of.
   */
  #hasWindow(): boolean {
    const { tail } = this.#ring;
    const { ringBytes } = this.#memory.layout;
    const roomMin = Math.max(WINDOW_BYTES_MIN, ringBytes / 32);
    const index = (tail - this.#windowPosition) | 0;
    const room = this.#windowBytes - index;
    if (index >= 0 && room >= roomMin) return true;
    const toEnd = ringBytes - tailIndex(this.#ring);
    // It cannot be larger there.
    if (index >= 0 && room >= WINDOW_BYTES_MIN && room === toEnd) return true;
    const windowBytes = Math.max(2 * roomMin, ringBytes / 8);
    const free = freeInRing(this.#ring, windowBytes);
    const bytes = Math.min(free & -FRAME_HEADER_BYTES, toEnd, windowBytes);
    // A small one would be replaced at once again; making one costs more than copying an item.
    const isWorthIt = bytes >= WINDOW_BYTES_MIN && (bytes === toEnd || bytes >= 2 * roomMin);
    this.#window = isWorthIt ? Buffer.from(this.#memory.buffer, ringAddress(this.#memory, tail), bytes) : NO_WINDOW;
    this.#windowPosition = tail;
    this.#windowBytes = this.#window.byteLength;
    return isWorthIt;
  }

  #appendCopy(slot: number, incarnation: number, payload: Uint8Array, mayUseRing: boolean): number {
    const bytes = frameBytes(payload.byteLength);
    const isRingUsed = mayUseRing && !this.#encoder.isPacking;
    let kept = payload;
    let address = tryClaim(this.#ring, bytes, isRingUsed);
    if (address === FULL) {
      // While this waits, somebody who is told of it may append: the payload's memory is not the item's for so long.
      kept = new Uint8Array(payload);
      address = this.#claim(slot, bytes, isRingUsed);
      if (address === FULL) return SEALED_COUNT;
    }
    this.#isRefusing = false;
    copyBytes(this.#memory.bytes, address + FRAME_HEADER_BYTES, kept);
    return this.#take(slot, incarnation, address, kept.byteLength);
  }

  /** The frame at `address`, claimed and filled, becomes an item: header, exchange, publish. */
  #take(slot: number, incarnation: number, address: number, payloadBytes: number): number {
    this.#assertDepth(address + FRAME_HEADER_BYTES, payloadBytes);
    const seen = this.#counted(slot, 1);
    if (seen < 0) return SEALED_COUNT;
    writeItemHeader(this.#memory, address, this.#ring.claimPosition, payloadBytes, slot, incarnation, Date.now(), seen);
    if (tryAccept(this.#sidecar, slot, seen, 1)) {
      this.#publish();
      return seen;
    }
    makePadding(this.#memory, address);
    this.#publish();
    return SEALED_COUNT;
  }

  #accept(slot: number, seen: number, addresses: readonly number[]): number {
    if (tryAccept(this.#sidecar, slot, seen, addresses.length)) {
      this.#publish();
      return seen;
    }
    for (const address of addresses) makePadding(this.#memory, address);
    this.#publish();
    return SEALED_COUNT;
  }

  /** What is accepted, or fills the place of what was not, comes out, whatever happens: calls may fail where the host has used up its stack. */
  #publish(): void {
    this.#isOwed = true;
    try {
      publish(this.#ring);
      if (ringDoorbell(this.#sidecar)) this.notifies += 1;
      this.#isOwed = false;
      if (this.onPublished !== undefined) this.onPublished();
    } catch {
      // Accepted it is; settle() publishes it before anything else is appended, flushed or closed.
      this.#isOwed = true;
    }
  }

  /** Before an item is taken: what came before is published, and whoever waits for it has the stack for that. */
  #prepare(): void {
    if (this.onPublished !== undefined) assertStack(STACK_FRAMES);
    this.settle();
  }

  /** Publishes what append() had no stack left to publish. */
  settle(): void {
    if (!this.#isOwed) return;
    publish(this.#ring);
    wakeWriter(this.#sidecar);
    this.#isOwed = false;
  }

  /** A level takes a byte at least: a short payload needs no look. What is claimed and not published is nobody's. */
  #assertDepth(payload: number, payloadBytes: number): void {
    if (payloadBytes <= DEPTH_MAX || this.#options.depth(payload, payloadBytes) <= DEPTH_MAX) return;
    throw new LastwordError('LASTWORD_ITEM_INVALID', `the item is nested more than ${DEPTH_MAX} levels deep`, { reason: 'too deep' });
  }

  /** The accepted count before these items; negative when sealed. */
  #counted(slot: number, items: number): number {
    const seen = sealWordOf(this.#sidecar, slot);
    if (seen >= 0 && COUNT_MAX - acceptedIn(seen) < items) {
      throw new LastwordError('LASTWORD_RING_FULL', `one opening of a thread takes at most ${COUNT_MAX} items; close and resume it`);
    }
    return seen;
  }

  /** Address of a block of `bytes`, after waiting for room if the host asked for that; FULL when the thread was sealed. */
  #claim(slot: number, bytes: number, mayUseRing: boolean): number {
    const { whenFull, fullTimeoutMs } = this.#options;
    let deadline: number | undefined;
    for (;;) {
      const generation = producerGeneration(this.#memory);
      const address = tryClaim(this.#ring, bytes, mayUseRing);
      if (address !== FULL) {
        this.#isRefusing = false;
        return address;
      }
      if (sealWordOf(this.#sidecar, slot) < 0) return FULL;
      if (hasWriterExited(this.#sidecar)) this.onWriterGone?.();
      if (whenFull === 'throw' || this.#isRefusing) {
        ringDoorbell(this.#sidecar);
        throw this.#fullError();
      }
      const now = performance.now();
      deadline ??= now + fullTimeoutMs;
      if (now >= deadline) {
        this.#isRefusing = true;
        throw this.#fullError();
      }
      wakeWriter(this.#sidecar);
      sleepProducer(this.#memory, generation, deadline - now);
    }
  }

  #fullError(): LastwordError {
    const { ring, overflow } = this.used;
    return new LastwordError('LASTWORD_RING_FULL', `${ring} bytes wait in the ring and ${overflow} in the overflow`, {
      ringUsed: ring, ringBytes: this.#memory.layout.ringBytes, overflowUsed: overflow, overflowBytes: this.#options.overflowBytes,
    });
  }
}
