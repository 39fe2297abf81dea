import { frameBytes, stampOf } from './frame.js';
import {
  ARENA_HEAD_WORD, ARENA_TAIL_WORD, DEFINITIONS_INDEX_BYTES, DEFINITIONS_OFFSET, FRAME_BYTES_WORD, FRAME_STAMP_WORD, HEAD_WORD, MARK_WORD, PARKING_HEAD_WORD,
  PARKING_TAIL_WORD, TAIL_WORD,
} from './layout.js';
import { arenaAddress, ringAddress, type ProducerMemory } from './memory.js';

/** Behind a producer that has ended, once the writer has let go of its memory: the next one defines its own records. Positions go on. */
export function recycleProducerMemory(memory: ProducerMemory): void {
  const { bytes, control } = memory;
  eraseStamps(memory, Atomics.load(control, TAIL_WORD), ringAddress);
  eraseStamps(memory, Atomics.load(control, ARENA_TAIL_WORD), arenaAddress);
  bytes.fill(0, DEFINITIONS_OFFSET, DEFINITIONS_OFFSET + DEFINITIONS_INDEX_BYTES);
  for (const [head, tail] of [[HEAD_WORD, TAIL_WORD], [ARENA_HEAD_WORD, ARENA_TAIL_WORD], [PARKING_HEAD_WORD, PARKING_TAIL_WORD]] as const) {
    Atomics.store(control, head, Atomics.load(control, tail));
  }
  Atomics.store(control, MARK_WORD, 0);
}

/** What the last producer has not published is no frame any more: the next one fills its place, under the same stamps. */
function eraseStamps(memory: ProducerMemory, tail: number, addressOf: typeof ringAddress): void {
  const { words } = memory;
  for (let position = tail; ;) {
    const word = addressOf(memory, position) >>> 2;
    if (Atomics.load(words, word + FRAME_STAMP_WORD) !== stampOf(position)) return;
    Atomics.store(words, word + FRAME_STAMP_WORD, 0);
    position = (position + frameBytes(words[word + FRAME_BYTES_WORD] ?? 0)) | 0;
  }
}
