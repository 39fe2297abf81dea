/** Views over the memory that producers and the writer share. Plain objects: both sides, and the explorer, build them. */
import {
  ARENA_HEAD_WORD, ARENA_TAIL_WORD, CONTROL_OFFSET, DEFINITIONS_INDEX_BYTES, DEFINITIONS_OFFSET, FIGURES, FIGURES_OFFSET, HEAD_WORD, MARK_WORD, PARKING_HEAD_WORD,
  PARKING_TAIL_WORD, RING_OFFSET, SIDECAR_BYTES, TAIL_WORD, layOut, type MemoryLayout,
} from './layout.js';

/** One producer's memory. */
export interface ProducerMemory {
  readonly buffer: SharedArrayBuffer;
  readonly layout: MemoryLayout;
  /** The control words. */
  readonly control: Int32Array;
  /** The whole memory, by what lies there. */
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly bytes: Uint8Array;
}

/** What every producer of a sidecar and its writer share: words, figures, thread slots. */
export interface SidecarMemory {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly figures: BigInt64Array;
}

/** Reserves a producer's memory: a shared WebAssembly memory, so that the transcoder reads the ring where it lies. */
export function createProducerWasmMemory(ringBytes: number, overflowBytes: number): WebAssembly.Memory {
  const { pages } = layOut(ringBytes, overflowBytes);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

export function viewProducerMemory(buffer: SharedArrayBuffer, ringBytes: number, overflowBytes: number): ProducerMemory {
  return {
    buffer,
    layout: layOut(ringBytes, overflowBytes),
    control: new Int32Array(buffer, CONTROL_OFFSET),
    words: new Int32Array(buffer),
    doubles: new Float64Array(buffer),
    bytes: new Uint8Array(buffer),
  };
}

export function createSidecarMemory(): SidecarMemory {
  return viewSidecarMemory(new SharedArrayBuffer(SIDECAR_BYTES));
}

export function viewSidecarMemory(buffer: SharedArrayBuffer): SidecarMemory {
  return {
    buffer,
    words: new Int32Array(buffer),
    figures: new BigInt64Array(buffer, FIGURES_OFFSET, FIGURES.length),
  };
}

/** Address of a ring position in the producer's memory. */
export function ringAddress(memory: ProducerMemory, position: number): number {
  return RING_OFFSET + (position & (memory.layout.ringBytes - 1));
}

/** Address of an arena position in the producer's memory. */
export function arenaAddress(memory: ProducerMemory, position: number): number {
  return memory.layout.arenaOffset + (position & (memory.layout.arenaBytes - 1));
}

/** Address of a parking position in the producer's memory. */
export function parkingAddress(memory: ProducerMemory, position: number): number {
  return memory.layout.parkingOffset + (position & (memory.layout.arenaBytes - 1));
}

/** Behind a producer that has ended, once the writer has let go of its memory: the next one defines its own records. Positions go on. */
export function recycleProducerMemory({ bytes, control }: ProducerMemory): void {
  bytes.fill(0, DEFINITIONS_OFFSET, DEFINITIONS_OFFSET + DEFINITIONS_INDEX_BYTES);
  for (const [head, tail] of [[HEAD_WORD, TAIL_WORD], [ARENA_HEAD_WORD, ARENA_TAIL_WORD], [PARKING_HEAD_WORD, PARKING_TAIL_WORD]] as const) {
    Atomics.store(control, head, Atomics.load(control, tail));
  }
  Atomics.store(control, MARK_WORD, 0);
}
