/**
 * The producer's side of ring and arena: claim space, fill it, publish. Space claimed is invisible to the writer until it
 * is published. The producer keeps its own copies of what only it stores.
 *
 * A full ring opens a run: a link frame in the ring (room for one is always kept), after which frames go to the arena. The
 * run ends once the writer has let go of everything before the link and of everything in the arena; only then are frames
 * put behind the link again. So an ended run has nothing left to write, and one run at a time exists.
 */
import { assert } from '../assert.js';
import { writeLink, writePadding } from './frame.js';
import {
  ARENA_HEAD_WORD, ARENA_TAIL_WORD, FRAME_HEADER_BYTES, HEAD_WORD, LINK_FINISHED_WORD, RING_OFFSET, TAIL_WORD,
} from './layout.js';
import { arenaAddress, ringAddress, type ProducerMemory } from './memory.js';

/** There is no room now. */
export const FULL = -1;

export interface RingProducer {
  readonly memory: ProducerMemory;
  /** Most bytes of frames in the arena. */
  readonly overflowBytes: number;
  tail: number;
  arenaTail: number;
  /** Stale is safe: it can only make the ring look fuller than it is. */
  headSeen: number;
  /** Position of the link frame of the open run. */
  link: number | undefined;
  /** Arena position at which the last run began. */
  runStart: number;
  /** The claim: where it ends, whether in the arena, and the position of its first frame. */
  claimEnd: number;
  isClaimInArena: boolean;
  claimPosition: number;
}

export function createRingProducer(memory: ProducerMemory, overflowBytes: number): RingProducer {
  const tail = Atomics.load(memory.control, TAIL_WORD);
  const arenaTail = Atomics.load(memory.control, ARENA_TAIL_WORD);
  return {
    memory, overflowBytes, tail, arenaTail,
    headSeen: Atomics.load(memory.control, HEAD_WORD),
    link: undefined, runStart: arenaTail, claimEnd: tail, isClaimInArena: false, claimPosition: tail,
  };
}

/** Largest block that goes into the ring; larger ones go to the arena. */
export function ringBlockMax(producer: RingProducer): number {
  return producer.memory.layout.ringBytes / 4;
}

/**
 * Claims a contiguous block for frames of `bytes` in all. Returns its address, or FULL. `mayUseRing` is false while an
 * outer item is being packed behind the tail: then the block goes to the arena.
 */
export function tryClaim(producer: RingProducer, bytes: number, mayUseRing: boolean): number {
  const isRunOpen = mayUseRing ? !tryFinishRun(producer) : producer.link !== undefined;
  if (!isRunOpen) {
    if (mayUseRing && bytes <= ringBlockMax(producer)) {
      const address = tryClaimInRing(producer, bytes);
      if (address !== FULL) return address;
    }
    openRun(producer);
  }
  return tryClaimInArena(producer, bytes);
}

function tryClaimInRing(producer: RingProducer, bytes: number): number {
  const { memory, tail } = producer;
  const toEnd = memory.layout.ringBytes - (tail & (memory.layout.ringBytes - 1));
  const padding = bytes > toEnd ? toEnd : 0;
  if (freeInRing(producer, padding + bytes) < padding + bytes) return FULL;
  if (padding > 0) writePadding(memory, ringAddress(memory, tail), tail, padding);
  return claim(producer, tail + padding, bytes, false);
}

/** Free bytes of the ring, without the room kept for a link. The head is read again only when `wanted` does not fit. */
export function freeInRing(producer: RingProducer, wanted: number): number {
  const { ringBytes } = producer.memory.layout;
  const free = ringBytes - ((producer.tail - producer.headSeen) | 0) - FRAME_HEADER_BYTES;
  if (free >= wanted) return free;
  producer.headSeen = Atomics.load(producer.memory.control, HEAD_WORD);
  return ringBytes - ((producer.tail - producer.headSeen) | 0) - FRAME_HEADER_BYTES;
}

function tryClaimInArena(producer: RingProducer, bytes: number): number {
  const { memory, overflowBytes } = producer;
  const { arenaBytes } = memory.layout;
  const toEnd = arenaBytes - (producer.arenaTail & (arenaBytes - 1));
  const padding = bytes > toEnd ? toEnd : 0;
  const used = arenaUsed(producer);
  // The largest item has its header beside it; padding counts against the memory, not against what the host allowed.
  if (used + bytes > overflowBytes + FRAME_HEADER_BYTES * 2 || used + padding + bytes > arenaBytes) return FULL;
  if (padding > 0) writePadding(memory, arenaAddress(memory, producer.arenaTail), producer.arenaTail, padding);
  return claim(producer, producer.arenaTail + padding, bytes, true);
}

function claim(producer: RingProducer, position: number, bytes: number, isInArena: boolean): number {
  producer.claimPosition = position | 0;
  producer.claimEnd = (position + bytes) | 0;
  producer.isClaimInArena = isInArena;
  return isInArena ? arenaAddress(producer.memory, position) : ringAddress(producer.memory, position);
}

/** Claims the block at the tail whose payload was packed in place: the caller has looked that it is free. */
export function claimAtTail(producer: RingProducer, bytes: number): void {
  assert(producer.link === undefined, 'no run is open');
  claim(producer, producer.tail, bytes, false);
}

/** Publishes the claim: the store of the tail is the last act, whoever sees it sees every byte below it. */
export function publish(producer: RingProducer): void {
  if (producer.isClaimInArena) {
    producer.arenaTail = producer.claimEnd;
    Atomics.store(producer.memory.control, ARENA_TAIL_WORD, producer.claimEnd);
  } else {
    producer.tail = producer.claimEnd;
    Atomics.store(producer.memory.control, TAIL_WORD, producer.claimEnd);
  }
}

/**
 * Puts the link into the room kept for it. The arena is empty then, so the run begins at the arena's beginning, that few
 * pages are touched: what lies between the arena's head and there is nobody's, and the writer passes it with the link.
 */
function openRun(producer: RingProducer): void {
  const { memory, tail } = producer;
  const { arenaBytes } = memory.layout;
  producer.runStart = (producer.arenaTail + (-producer.arenaTail & (arenaBytes - 1))) | 0;
  producer.arenaTail = producer.runStart;
  Atomics.store(memory.control, ARENA_TAIL_WORD, producer.runStart);
  writeLink(memory, ringAddress(memory, tail), tail, producer.runStart);
  producer.link = tail;
  producer.tail = (tail + FRAME_HEADER_BYTES) | 0;
  Atomics.store(memory.control, TAIL_WORD, producer.tail);
}

/** Ends the open run if ring and arena are drained. True when no run is open afterwards. */
export function tryFinishRun(producer: RingProducer): boolean {
  const { memory, link } = producer;
  if (link === undefined) return true;
  if (Atomics.load(memory.control, ARENA_HEAD_WORD) !== producer.arenaTail) return false;
  producer.headSeen = Atomics.load(memory.control, HEAD_WORD);
  if (producer.headSeen !== link) return false;
  Atomics.store(memory.words, (ringAddress(memory, link) >>> 2) + LINK_FINISHED_WORD, 1);
  producer.link = undefined;
  return true;
}

/** Bytes that wait in the ring. */
export function ringUsed(producer: RingProducer): number {
  return (producer.tail - Atomics.load(producer.memory.control, HEAD_WORD)) | 0;
}

/** Whether more than so many bytes wait in the ring, or any in the arena. Mostly by what is known here: called for every item. */
export function isFullerThan(producer: RingProducer, bytes: number): boolean {
  if (producer.link !== undefined && arenaUsed(producer) > 0) return true;
  if (((producer.tail - producer.headSeen) | 0) <= bytes) return false;
  producer.headSeen = Atomics.load(producer.memory.control, HEAD_WORD);
  return ((producer.tail - producer.headSeen) | 0) > bytes;
}

/** Bytes that wait in the arena: of this run, wherever the head still is. */
export function arenaUsed(producer: RingProducer): number {
  const head = Atomics.load(producer.memory.control, ARENA_HEAD_WORD);
  return Math.min((producer.arenaTail - head) | 0, (producer.arenaTail - producer.runStart) | 0);
}

/** Bytes from the ring's beginning to the tail. */
export function tailIndex(producer: RingProducer): number {
  return ringAddress(producer.memory, producer.tail) - RING_OFFSET;
}
