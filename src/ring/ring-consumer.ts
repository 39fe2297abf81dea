/** The writer's side of ring and arena: walk what is published, and let go of it once it is written. */
import { frameBytes, stampOf } from './frame.js';
import {
  ARENA_HEAD_WORD, ARENA_TAIL_WORD, FRAME_BYTES_WORD, FRAME_HEADER_BYTES, FRAME_ITEM, FRAME_KIND_WORD, FRAME_LINK, FRAME_PADDING, FRAME_STAMP_WORD,
  HEAD_WORD, LINK_FINISHED_WORD, LINK_START_WORD, TAIL_WORD,
} from './layout.js';
import { arenaAddress, ringAddress, type ProducerMemory } from './memory.js';

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
 * Behind a walk that came to the published tail: frames that are whole, where `isOwed` says that they were accepted. Their
 * producer may be about to publish them, or have died before it could. They are taken where they lie and no head passes
 * them: once they are published, they are known by their count.
 */
export function walkUnpublished({ memory }: RingConsumer, batch: Batch, isOwed: (address: number) => boolean): void {
  if (batch.end === undefined) return;
  const { words, layout } = memory;
  const [begin, areaBytes, addressOf] = batch.end === 'ring'
    ? [batch.head, layout.ringBytes, ringAddress] as const
    : [batch.arenaHead, layout.arenaBytes, arenaAddress] as const;
  let position = begin;
  while (((position - begin) | 0) < areaBytes && batch.frames < batch.addresses.length) {
    const address = addressOf(memory, position);
    const word = address >>> 2;
    if (Atomics.load(words, word + FRAME_STAMP_WORD) !== stampOf(position)) return;
    const kind = words[word + FRAME_KIND_WORD];
    // What is accepted before a seal lies behind a link that was published before it.
    if (kind === FRAME_LINK) return;
    const isTaken = kind === FRAME_ITEM && isOwed(address);
    position = (position + (isTaken ? take(memory, batch, address, false) : frameBytes(words[word + FRAME_BYTES_WORD] ?? 0))) | 0;
  }
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
