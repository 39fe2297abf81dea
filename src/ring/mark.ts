/**
 * Which frame is being transcoded, and for the how manieth time it is begun: one word, stored before each, so that the
 * successor of a writer that dies of a frame knows it.
 */
import { FRAME_ALIGN_BYTES, FRAME_COUNT_WORD, FRAME_INCARNATION_WORD, FRAME_SLOT_WORD, MARK_WORD } from './layout.js';
import type { ProducerMemory } from './memory.js';

const ADDRESS_BITS = 27;
const ADDRESS_MASK = 2 ** ADDRESS_BITS - 1;
const TIMES_MAX = 2 ** (32 - ADDRESS_BITS) - 1;

/** The frame that a dead writer was in. Its place is another's later: the item tells. */
export interface MarkedFrame {
  readonly address: number;
  readonly times: number;
  readonly item: string;
}

/** By the writer. A plain store: whoever reads it does so when the writer has ended. */
export function markFrame({ control }: ProducerMemory, address: number, times: number): void {
  control[MARK_WORD] = (address / FRAME_ALIGN_BYTES) | (Math.min(times, TIMES_MAX) << ADDRESS_BITS);
}

/** What happens between two frames, and in a write(), is no frame's fault. */
export function clearMark({ control }: ProducerMemory): void {
  control[MARK_WORD] = 0;
}

/** By a writer that comes after another. */
export function markedFrame(memory: ProducerMemory): MarkedFrame | undefined {
  const word = Atomics.load(memory.control, MARK_WORD);
  if (word === 0) return undefined;
  const address = (word & ADDRESS_MASK) * FRAME_ALIGN_BYTES;
  return { address, times: word >>> ADDRESS_BITS, item: itemAt(memory, address) };
}

/** How often the frame at the address was begun by writers that died of it. */
export function timesBegun(memory: ProducerMemory, address: number, marked: MarkedFrame | undefined): number {
  return marked?.address === address && marked.item === itemAt(memory, address) ? marked.times : 0;
}

function itemAt({ words }: ProducerMemory, address: number): string {
  const word = address >>> 2;
  return [FRAME_SLOT_WORD, FRAME_INCARNATION_WORD, FRAME_COUNT_WORD].map((member) => words[word + member]).join();
}
