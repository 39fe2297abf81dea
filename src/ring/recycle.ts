import {
  ARENA_HEAD_WORD, ARENA_TAIL_WORD, DEFINITIONS_INDEX_BYTES, DEFINITIONS_OFFSET, HEAD_WORD, MARK_WORD, PARKING_HEAD_WORD, PARKING_TAIL_WORD, TAIL_WORD,
} from './layout.js';
import type { ProducerMemory } from './memory.js';

/** Behind a producer that has ended, once the writer has let go of its memory: the next one defines its own records. Positions go on. */
export function recycleProducerMemory({ bytes, control }: ProducerMemory): void {
  bytes.fill(0, DEFINITIONS_OFFSET, DEFINITIONS_OFFSET + DEFINITIONS_INDEX_BYTES);
  for (const [head, tail] of [[HEAD_WORD, TAIL_WORD], [ARENA_HEAD_WORD, ARENA_TAIL_WORD], [PARKING_HEAD_WORD, PARKING_TAIL_WORD]] as const) {
    Atomics.store(control, head, Atomics.load(control, tail));
  }
  Atomics.store(control, MARK_WORD, 0);
}
