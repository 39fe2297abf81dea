/** The writer's side of ring and arena: walk what is published, and let go of it once it is written. */
import { frameBytes, stampOf } from './frame.js';
import {
  ARENA_HEAD_WORD, ARENA_TAIL_WORD, FRAME_BYTES_WORD, FRAME_COUNT_WORD, FRAME_HEADER_BYTES, FRAME_INCARNATION_WORD, FRAME_ITEM, FRAME_KIND_WORD,
  FRAME_LINK, FRAME_PADDING, FRAME_SLOT_WORD, FRAME_STAMP_WORD, HEAD_WORD, LINK_FINISHED_WORD, LINK_START_WORD, TAIL_WORD,
} from './layout.js';
import { arenaAddress, ringAddress, type ProducerMemory, type SidecarMemory } from './memory.js';
import { acceptedIn, sealWordOf } from './slots.js';

export interface RingConsumer {
  readonly memory: ProducerMemory;
  /** Positions let go of; the writer is the only one to store them. */
  head: number;
  arenaHead: number;
}

/** What one walk found: the addresses of item frames, in order, and the positions behind the last. */
export interface Batch {
  readonly addresses: Uint32Array;
  frames: number;
  /** Bytes of their frames. */
  bytes: number;
  head: number;
  arenaHead: number;
  /** Where the walk came to the published tail; undefined where the batch was full before. */
  end: 'ring' | 'arena' | undefined;
}

/** Count of the next item that the writer wants of an opening; undefined for one that is not its own. */
export type NextCountOf = (slot: number, incarnation: number) => number | undefined;

interface SealedOpening {
  readonly slot: number;
  readonly incarnation: number;
  readonly accepted: number;
}

const NO_ADDRESSES: readonly number[] = [];

export function createBatch(framesMax: number): Batch {
  return { addresses: new Uint32Array(framesMax), frames: 0, bytes: 0, head: 0, arenaHead: 0, end: undefined };
}

export function createRingConsumer(memory: ProducerMemory): RingConsumer {
  return {
    memory,
    head: Atomics.load(memory.control, HEAD_WORD),
    arenaHead: Atomics.load(memory.control, ARENA_HEAD_WORD),
  };
}

/** Whether a walk would find something: to write, or to pass. */
export function hasPublished(consumer: RingConsumer): boolean {
  const { memory } = consumer;
  const tail = Atomics.load(memory.control, TAIL_WORD);
  if (consumer.head === tail) return false;
  const word = ringAddress(memory, consumer.head) >>> 2;
  if (memory.words[word + FRAME_KIND_WORD] !== FRAME_LINK) return true;
  if (Atomics.load(memory.control, ARENA_TAIL_WORD) !== consumer.arenaHead) return true;
  return Atomics.load(memory.words, word + LINK_FINISHED_WORD) === 1;
}

/** Collects published frames into the batch, headers only, up to its size or `bytesMax` (one frame at least). */
export function walk(consumer: RingConsumer, batch: Batch, bytesMax: number): void {
  const { memory } = consumer;
  batch.frames = 0;
  batch.bytes = 0;
  batch.arenaHead = consumer.arenaHead;
  batch.end = undefined;
  const tail = Atomics.load(memory.control, TAIL_WORD);
  let position = consumer.head;
  while (position !== tail && batch.frames < batch.addresses.length && batch.bytes < bytesMax) {
    const address = ringAddress(memory, position);
    const word = address >>> 2;
    const kind = memory.words[word + FRAME_KIND_WORD];
    if (kind === FRAME_LINK) {
      // The tail before the mark: what was published before a run that is still open belongs to it. A run that has
      // ended has nothing left in the arena, and what is there now belongs behind this link.
      const arenaTail = Atomics.load(memory.control, ARENA_TAIL_WORD);
      if (Atomics.load(memory.words, word + LINK_FINISHED_WORD) === 0) {
        walkArena(consumer, batch, memory.words[word + LINK_START_WORD] ?? 0, arenaTail, bytesMax);
        break;
      }
      position = (position + FRAME_HEADER_BYTES) | 0;
      continue;
    }
    position = (position + take(memory, batch, address, kind === FRAME_PADDING)) | 0;
  }
  batch.head = position;
  if (position === tail) batch.end = 'ring';
}

/**
 * Behind a walk that came to the published tail: addresses of item frames that are whole. Their producer may be about to
 * publish them, or have died before it could. No head passes them here: once they are published, they are known by their count.
 */
export function wholeBehind({ memory }: RingConsumer, batch: Batch): readonly number[] {
  if (batch.end === undefined) return NO_ADDRESSES;
  const { words, layout } = memory;
  const [begin, areaBytes, addressOf] = batch.end === 'ring'
    ? [batch.head, layout.ringBytes, ringAddress] as const
    : [batch.arenaHead, layout.arenaBytes, arenaAddress] as const;
  if (Atomics.load(words, (addressOf(memory, begin) >>> 2) + FRAME_STAMP_WORD) !== stampOf(begin)) return NO_ADDRESSES;
  const addresses: number[] = [];
  let position = begin;
  while (((position - begin) | 0) < areaBytes) {
    const address = addressOf(memory, position);
    const word = address >>> 2;
    if (Atomics.load(words, word + FRAME_STAMP_WORD) !== stampOf(position)) break;
    const kind = Atomics.load(words, word + FRAME_KIND_WORD);
    // What is accepted before a seal lies behind a link that was published before it.
    if (kind === FRAME_LINK) break;
    if (kind === FRAME_ITEM) addresses.push(address);
    position = (position + frameBytes(words[word + FRAME_BYTES_WORD] ?? 0)) | 0;
  }
  return addresses;
}

/**
 * walk(), and then what sealed openings have accepted behind the published tail. The seal is looked at before the tail: all
 * that an opening has accepted is whole by then, so what lies between what is published and what is not cannot be missed.
 */
export function walkAccepted(sidecar: SidecarMemory, consumer: RingConsumer, batch: Batch, bytesMax: number, nextCountOf: NextCountOf): void {
  walk(consumer, batch, bytesMax);
  const whole = wholeBehind(consumer, batch);
  if (whole.length === 0) return;
  const sealed = sealedAmong(sidecar, consumer, whole, nextCountOf);
  if (sealed.length === 0) return;
  walk(consumer, batch, bytesMax);
  const { memory } = consumer;
  for (const address of wholeBehind(consumer, batch)) {
    if (batch.frames === batch.addresses.length) return;
    const word = address >>> 2;
    const count = memory.words[word + FRAME_COUNT_WORD] ?? 0;
    const isOwed = sealed.some(({ slot, incarnation, accepted }) =>
      slot === memory.words[word + FRAME_SLOT_WORD] && incarnation === memory.words[word + FRAME_INCARNATION_WORD] && count < accepted);
    if (isOwed) take(memory, batch, address, false);
  }
}

/** The openings that are sealed, and wait for one of the frames. */
function sealedAmong(sidecar: SidecarMemory, { memory: { words } }: RingConsumer, addresses: readonly number[], nextCountOf: NextCountOf): SealedOpening[] {
  const sealed: SealedOpening[] = [];
  for (const address of addresses) {
    const word = address >>> 2;
    const slot = words[word + FRAME_SLOT_WORD] ?? 0;
    const incarnation = words[word + FRAME_INCARNATION_WORD] ?? 0;
    const count = words[word + FRAME_COUNT_WORD] ?? 0;
    if (count < (nextCountOf(slot, incarnation) ?? Infinity) || sealed.some((one) => one.slot === slot)) continue;
    const sealWord = sealWordOf(sidecar, slot);
    const accepted = acceptedIn(sealWord);
    if (sealWord < 0 && count < accepted) sealed.push({ slot, incarnation, accepted });
  }
  return sealed;
}

/** From the arena's head, or from where the run begins if that is further on. */
function walkArena(consumer: RingConsumer, batch: Batch, start: number, arenaTail: number, bytesMax: number): void {
  const { memory, arenaHead } = consumer;
  let position = ((start - arenaHead) | 0) > 0 ? start : arenaHead;
  while (position !== arenaTail && batch.frames < batch.addresses.length && batch.bytes < bytesMax) {
    const address = arenaAddress(memory, position);
    const kind = memory.words[(address >>> 2) + FRAME_KIND_WORD];
    position = (position + take(memory, batch, address, kind === FRAME_PADDING)) | 0;
  }
  batch.arenaHead = position;
  if (position === arenaTail) batch.end = 'arena';
}

/** Adds one frame; returns the bytes it takes. */
function take(memory: ProducerMemory, batch: Batch, address: number, isPadding: boolean): number {
  const bytes = frameBytes(memory.words[(address >>> 2) + FRAME_BYTES_WORD] ?? 0);
  if (isPadding) return bytes;
  batch.addresses[batch.frames] = address;
  batch.frames += 1;
  batch.bytes += bytes;
  return bytes;
}

/** Lets go of the batch, after its records are written and the watermarks say so. Waking the producer is the caller's. */
export function release(consumer: RingConsumer, batch: Batch): void {
  if (batch.arenaHead !== consumer.arenaHead) {
    consumer.arenaHead = batch.arenaHead;
    Atomics.store(consumer.memory.control, ARENA_HEAD_WORD, batch.arenaHead);
  }
  if (batch.head !== consumer.head) {
    consumer.head = batch.head;
    Atomics.store(consumer.memory.control, HEAD_WORD, batch.head);
  }
}
