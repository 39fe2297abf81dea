/** The memory that a process of the simulation shares with its writer. Reserved once, and made empty for each process. */
import {
  CONTROL_OFFSET, DEFINITIONS_OFFSET, RING_OFFSET, SLOTS_WORD, SLOT_WORDS, type MemoryLayout,
} from '../../src/ring/layout.js';
import type { ProducerMemory, SidecarMemory } from '../../src/ring/memory.js';
import type { System } from './system.js';

/** Of the definitions; what stands behind is found through it. */
const INDEX_BYTES = 64 << 10;
/** More than one process of the simulation opens. */
const SLOTS = 128;

export const RING_SIZES = [4 << 10, 16 << 10, 64 << 10] as const;
export const OVERFLOW_BYTES = 48 << 10;

export class SharedMemory {
  readonly wasm: WebAssembly.Memory;
  readonly ring: ProducerMemory;
  readonly sidecar: SidecarMemory;
  readonly #areas: readonly Uint8Array[];

  constructor({ memory }: System, ringBytes: number) {
    this.wasm = memory.createProducerWasmMemory(ringBytes, OVERFLOW_BYTES);
    this.ring = memory.viewProducerMemory(this.wasm.buffer as unknown as SharedArrayBuffer, ringBytes, OVERFLOW_BYTES);
    this.sidecar = memory.createSidecarMemory();
    const { layout, bytes } = this.ring;
    const { arenaOffset, arenaBytes, parkingOffset }: MemoryLayout = layout;
    this.#areas = [
      bytes.subarray(CONTROL_OFFSET, DEFINITIONS_OFFSET + INDEX_BYTES), bytes.subarray(RING_OFFSET, RING_OFFSET + ringBytes),
      bytes.subarray(parkingOffset, parkingOffset + arenaBytes), bytes.subarray(arenaOffset, arenaOffset + arenaBytes),
      new Uint8Array(this.sidecar.buffer, 0, (SLOTS_WORD + SLOTS * SLOT_WORDS) * 4),
    ];
  }

  clear(): void {
    for (const area of this.#areas) area.fill(0);
  }

  /** What is there now; put back by the function returned. */
  keep(): () => void {
    const kept = this.#areas.map((area) => area.slice());
    return () => { for (const [index, area] of this.#areas.entries()) area.set(kept[index] ?? []); };
  }
}
