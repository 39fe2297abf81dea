/**
 * The memory of one producer, a shared WebAssembly.Memory of fixed size, and the buffer that a sidecar shares with all
 * of them. Only this file knows where things lie.
 *
 *   producer memory
 *   0         64 K      68 K       96 K      256 K         1280 K    + output   + ring   + header  + parking
 *   +---------+---------+----------+---------+-------------+---------+----------+--------+---------+----------+
 *   | statics | control | producer | writer  | definitions | output  | ring     | header | parking | arena    |
 *   | wasm    | words   | scratch  | scratch | producer    | writer  | producer | writer | writer  | producer |
 *   +---------+---------+----------+---------+-------------+---------+----------+--------+---------+----------+
 *
 * The second line names the only side that stores there (the control words name theirs one by one). Pages that nobody
 * touches cost nothing; pages once touched stay resident.
 */
import { assert } from '../assert.js';

export const KIB = 1024;
export const MIB = 1024 * KIB;
const WASM_PAGE_BYTES = 64 * KIB;
const CACHE_LINE_BYTES = 64;
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/** Data segments of the wasm module; the same constants in every instance. */
export const STATICS_BYTES = 64 * KIB;
export const CONTROL_OFFSET = STATICS_BYTES;
/** Scratch of the wasm instance on the producer's side (it measures the depth of an item). */
export const PRODUCER_SCRATCH_OFFSET = CONTROL_OFFSET + 4 * KIB;
export const PRODUCER_SCRATCH_BYTES = 28 * KIB;
/** Scratch of the wasm instance on the writer's side: its stack, definitions local to an item, digits. */
export const WRITER_SCRATCH_OFFSET = PRODUCER_SCRATCH_OFFSET + PRODUCER_SCRATCH_BYTES;
export const WRITER_SCRATCH_BYTES = 160 * KIB;
/** Record definitions: an index by id, then the entries. Append-only. */
export const DEFINITIONS_OFFSET = WRITER_SCRATCH_OFFSET + WRITER_SCRATCH_BYTES;
export const DEFINITIONS_BYTES = MIB;
/** One word for each id that msgpackr can share. */
export const DEFINITIONS_INDEX_BYTES = 8192 * WORD_BYTES;
/** JSON lines of one thread and pass, on their way to write(). */
export const OUTPUT_OFFSET = DEFINITIONS_OFFSET + DEFINITIONS_BYTES;
export const OUTPUT_BYTES = 4 * MIB;
/** Vector stores may run this far past the end of the output. */
export const OUTPUT_SLACK_BYTES = 64 * KIB;
export const RING_OFFSET = OUTPUT_OFFSET + OUTPUT_BYTES + OUTPUT_SLACK_BYTES;
/** A header on its way to its file, copied there by the writer. */
export const HEADER_BYTES = 16 * MIB;

assert(RING_OFFSET % WASM_PAGE_BYTES === 0, 'the ring starts on a page');
assert(DEFINITIONS_OFFSET % 16 === 0, 'definitions are copied by 16 bytes');

/** Index of a control word within the control words: each has a cache line to itself. */
const line = (index: number): number => (index * CACHE_LINE_BYTES) / WORD_BYTES;
/** Stored by the producer: position after the last published frame of the ring. */
export const TAIL_WORD = line(0);
/** Stored by the writer: position after the last frame let go of. */
export const HEAD_WORD = line(1);
/** Stored by the producer: position after the last published frame of the arena. */
export const ARENA_TAIL_WORD = line(2);
/** Stored by the writer: position after the last frame of the arena let go of. */
export const ARENA_HEAD_WORD = line(3);
/** Bumped by whoever may wake the producer: the producer sleeps on it. */
export const PRODUCER_GENERATION_WORD = line(4);
/** Stored by the writer before each transcode: the frame it is in, and how often it was begun. 0: none. */
export const MARK_WORD = line(5);
/** Stored by the writer: positions of the parking area, behind the last frame let go of and behind the last one parked. */
export const PARKING_HEAD_WORD = line(6);
export const PARKING_TAIL_WORD = line(7);
/** Added to by the producer: items that came after the receipt of their thread. Taken by main. */
export const LATE_AFTER_WORD = line(8);
const CONTROL_WORDS = line(9);
assert(CONTROL_OFFSET + CONTROL_WORDS * WORD_BYTES <= PRODUCER_SCRATCH_OFFSET, 'control words fit their place');

/** What must be known to find everything in a producer's memory. */
export interface MemoryLayout {
  readonly ringBytes: number;
  readonly headerOffset: number;
  /** Frames of threads that cannot be written just now. As large as the arena, so that every item fits. */
  readonly parkingOffset: number;
  readonly arenaOffset: number;
  /** Power of two, at least the overflow allowed: positions wrap at 2^32 and are masked. */
  readonly arenaBytes: number;
  readonly pages: number;
}

/** Places the areas for the given sizes. `ringBytes` is a power of two. */
export function layOut(ringBytes: number, overflowBytes: number): MemoryLayout {
  assert(Number.isInteger(Math.log2(ringBytes)), 'ringBytes is a power of two');
  // One frame's header above the overflow allowed, so that the largest item fits.
  const arenaBytes = 2 ** Math.ceil(Math.log2(overflowBytes + WASM_PAGE_BYTES));
  const headerOffset = RING_OFFSET + ringBytes;
  const parkingOffset = headerOffset + HEADER_BYTES;
  const arenaOffset = parkingOffset + arenaBytes;
  const pages = Math.ceil((arenaOffset + arenaBytes) / WASM_PAGE_BYTES);
  return { ringBytes, headerOffset, parkingOffset, arenaOffset, arenaBytes, pages };
}

// ------------------------------------------------------------------------------------------------- sidecar words

/** Bumped by whoever may wake the writer: the writer sleeps on it. */
export const WRITER_GENERATION_WORD = line(0);
/** 1 while the writer sleeps or is about to. Stored by the writer, or exchanged to 0 by a producer before it bumps. */
export const WRITER_PARKED_WORD = line(1);
/** Stored by the writer: grows with every step. */
export const HEARTBEAT_WORD = line(2);
/** Stored by the writer as its last act, or by main when it saw the writer's exit. */
export const WRITER_EXITED_WORD = line(3);
/** Bumped by flush() after it raised wanted-synced words, so that the writer looks for them. */
export const SYNC_REQUESTS_WORD = line(4);
/** Stored by the writer: how often it has parked. */
export const PARKS_WORD = line(5);
/** Stored by the writer: the system call it is in (index into the names in `worker/fs-ops.ts`, 0: none). */
export const BUSY_CALL_WORD = line(6);
/** Stored by the writer: the clock in milliseconds, modulo 2^32, when that call began. */
export const BUSY_SINCE_WORD = line(7);
/** Bumped by main when the process ends: what is left to write is all there will be, or nearly. */
export const EXIT_REQUESTS_WORD = line(8);
/** Stored by the writer: the request after which it wrote everything and released its leases. */
export const EXIT_ANSWERS_WORD = line(9);
/** Bumped by main when the process ends: what cannot be written is to be salvaged. */
export const SALVAGE_REQUESTS_WORD = line(10);
/** Stored by the writer: the request after which everything was written or salvaged, or cannot be. */
export const SALVAGE_ANSWERS_WORD = line(11);
const SIDECAR_CONTROL_WORDS = line(12);

/** Counters of the writer, 64 bits each, for stats(): bytes written, unsynced, files open, opened, evicted. */
export const FIGURES = ['bytesWritten', 'bytesUnsynced', 'filesOpen', 'filesOpened', 'filesEvicted'] as const;
export type Figure = (typeof FIGURES)[number];
export const FIGURES_OFFSET = SIDECAR_CONTROL_WORDS * WORD_BYTES;
const FIGURES_BYTES = FIGURES.length * BigInt64Array.BYTES_PER_ELEMENT;

/** Histograms of the writer: see `histogram.ts`. */
export const HISTOGRAM_BUCKETS = 128;
export const HISTOGRAM_WORDS = HISTOGRAM_BUCKETS + 1;
export const WRITE_HISTOGRAM_WORD = Math.ceil((FIGURES_OFFSET + FIGURES_BYTES) / CACHE_LINE_BYTES) * (CACHE_LINE_BYTES / WORD_BYTES);
export const SYNC_HISTOGRAM_WORD = WRITE_HISTOGRAM_WORD + HISTOGRAM_WORDS;

/** First word of the thread slots. */
export const SLOTS_WORD = Math.ceil((SYNC_HISTOGRAM_WORD + HISTOGRAM_WORDS) / line(1)) * line(1);
/** Threads that can be open at once. Slots never used are never touched. */
export const SLOTS_MAX = 2 ** 17;
/** One cache line for whoever appends, which the writer does not store to while it writes, and one for the writer. */
export const SLOT_WORDS = line(2);

/** Words of a slot. Counts are of this opening: the ordinal is base + count. */
export const SEAL_WORD = 0;
/** Stored when the slot is taken: low and high half of the ordinal of the opening's first item. */
export const BASE_LOW_WORD = 1;
export const BASE_HIGH_WORD = 2;
/** Only raised: the count a flush waits for. */
export const WANTED_WRITTEN_WORD = 3;
export const WANTED_SYNCED_WORD = 4;
/** Index into SLOT_STATES. */
export const STATE_WORD = 5;
/** Grows each time the slot is taken; a frame or handle of an older one is stale. */
export const INCARNATION_WORD = 6;
/** Added to by handles: items that came after the seal. */
export const LATE_WORD = 7;
/** Stored by the thread that appends: 1 while work may be held that a close waits for. */
export const HELD_WORD = 8;
/** Stored by the writer: items of this opening that write() took. */
export const WRITTEN_WORD = line(1);
/** Stored by the writer: items of this opening that a data sync covered; -1 before the first. */
export const SYNCED_WORD = line(1) + 1;

export const SIDECAR_BYTES = (SLOTS_WORD + SLOTS_MAX * SLOT_WORDS) * WORD_BYTES;

/** The seal bit; the rest of the word is the accepted count. */
export const SEALED = 0x8000_0000 | 0;
/** Largest accepted count of one opening of a thread. */
export const COUNT_MAX = 0x7fff_ffff;

// ------------------------------------------------------------------------------------------------- frames

/**
 * A frame, aligned to its header's size, so that any rest at the end of an area can hold a padding frame:
 *
 *   0        4       8       12            16           24       28      32
 *   +--------+-------+-------+-------------+------------+--------+-------+---------------+---------+
 *   | bytes  | kind  | slot  | incarnation | timestamp  | count  | stamp | payload       | to 32   |
 *   +--------+-------+-------+-------------+------------+--------+-------+---------------+---------+
 *
 * `bytes`: of the payload. `timestamp`: milliseconds since the epoch, a double. `count`: which item of this opening.
 * `stamp`: the frame's own position plus 1 (never 0), stored atomically and last: from then on only the kind may change, until
 * the frame is let go of.
 */
export const FRAME_HEADER_BYTES = 32;
export const FRAME_ALIGN_BYTES = FRAME_HEADER_BYTES;
export const FRAME_BYTES_WORD = 0;
export const FRAME_KIND_WORD = 1;
export const FRAME_SLOT_WORD = 2;
export const FRAME_INCARNATION_WORD = 3;
/** Index of a double. */
export const FRAME_TIMESTAMP_DOUBLE = 2;
export const FRAME_COUNT_WORD = 6;
export const FRAME_STAMP_WORD = 7;
/** In a link frame, in place of the slot: 1 once the producer has ended the run. */
export const LINK_FINISHED_WORD = FRAME_SLOT_WORD;
/** In a link frame, in place of the incarnation: the arena position at which the run begins. */
export const LINK_START_WORD = FRAME_INCARNATION_WORD;
assert(RING_OFFSET % FRAME_ALIGN_BYTES === 0, 'the ring starts on a frame border');
assert(FRAME_STAMP_WORD === FRAME_HEADER_BYTES / WORD_BYTES - 1, 'the stamp ends the header');

/** Kind of a frame. */
export const FRAME_ITEM = 1;
/** Only fills the space up to the end of the ring or arena. */
export const FRAME_PADDING = 2;
/** The frames that follow are in the arena, until the run is finished. */
export const FRAME_LINK = 3;
