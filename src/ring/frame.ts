import {
  FRAME_ALIGN_BYTES, FRAME_BYTES_WORD, FRAME_COUNT_WORD, FRAME_HEADER_BYTES, FRAME_INCARNATION_WORD, FRAME_ITEM,
  FRAME_KIND_WORD, FRAME_LINK, FRAME_PADDING, FRAME_SLOT_WORD, FRAME_STAMP_WORD, FRAME_TIMESTAMP_DOUBLE, LINK_FINISHED_WORD,
  LINK_START_WORD,
} from './layout.js';
import type { ProducerMemory } from './memory.js';

/** Bytes a frame takes in its area: header, payload, and what aligns the next. */
export function frameBytes(payloadBytes: number): number {
  return (FRAME_HEADER_BYTES + payloadBytes + FRAME_ALIGN_BYTES - 1) & -FRAME_ALIGN_BYTES;
}

/** Writes the header of an item whose payload already lies behind it. The stamp is stored last: it makes the frame whole. */
export function writeItemHeader(
  memory: ProducerMemory, address: number, position: number,
  payloadBytes: number, slot: number, incarnation: number, timestampMs: number, count: number,
): void {
  const words = memory.words;
  const word = address >>> 2;
  words[word + FRAME_BYTES_WORD] = payloadBytes;
  words[word + FRAME_KIND_WORD] = FRAME_ITEM;
  words[word + FRAME_SLOT_WORD] = slot;
  words[word + FRAME_INCARNATION_WORD] = incarnation;
  memory.doubles[(address >>> 3) + FRAME_TIMESTAMP_DOUBLE] = timestampMs;
  words[word + FRAME_COUNT_WORD] = count;
  Atomics.store(words, word + FRAME_STAMP_WORD, stampOf(position));
}

/** Writes a frame that only fills `bytes`, header included. */
export function writePadding(memory: ProducerMemory, address: number, position: number, bytes: number): void {
  const word = address >>> 2;
  memory.words[word + FRAME_BYTES_WORD] = bytes - FRAME_HEADER_BYTES;
  memory.words[word + FRAME_KIND_WORD] = FRAME_PADDING;
  Atomics.store(memory.words, word + FRAME_STAMP_WORD, stampOf(position));
}

/** Writes the frame that opens a run, which begins at the arena position `start`. */
export function writeLink(memory: ProducerMemory, address: number, position: number, start: number): void {
  const word = address >>> 2;
  memory.words[word + FRAME_BYTES_WORD] = 0;
  memory.words[word + FRAME_KIND_WORD] = FRAME_LINK;
  memory.words[word + LINK_START_WORD] = start;
  Atomics.store(memory.words, word + LINK_FINISHED_WORD, 0);
  Atomics.store(memory.words, word + FRAME_STAMP_WORD, stampOf(position));
}

/** Takes back a frame that was written and not accepted: it only fills its place, and is published as such. Whoever looks at what is whole may see it before or after. */
export function makePadding(memory: ProducerMemory, address: number): void {
  Atomics.store(memory.words, (address >>> 2) + FRAME_KIND_WORD, FRAME_PADDING);
}

/** A frame's position plus 1: never 0, since positions are multiples of the alignment. */
export function stampOf(position: number): number {
  return (position + 1) | 0;
}
