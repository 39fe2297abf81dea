/** The memory that a process of the simulation shares with its writer. Reserved once, and made empty for each process. */
import { CONTROL_OFFSET, DEFINITIONS_OFFSET, PARKING_HEAD_WORD, PARKING_TAIL_WORD, PRODUCER_SCRATCH_OFFSET } from '../../src/ring/layout.js';
import type { ProducerMemory, SidecarMemory } from '../../src/ring/memory.js';
import type { System } from './system.js';

/** Of the definitions: what stands behind is found through it. */
const INDEX_BYTES = 32 << 10;

export const RING_SIZES = [4 << 10, 16 << 10, 64 << 10] as const;
export const OVERFLOW_BYTES = 48 << 10;

export class SharedMemory {
  readonly wasm: WebAssembly.Memory;
  readonly ring: ProducerMemory;
  readonly sidecar: SidecarMemory;
  /** Through which everything else is found. */
  readonly #control: readonly Uint8Array[];
  /** What a writer stores to beside it, and a successor reads. */
  readonly #parking: Uint8Array;

  constructor({ memory }: System, ringBytes: number) {
    this.wasm = memory.createProducerWasmMemory(ringBytes, OVERFLOW_BYTES);
    this.ring = memory.viewProducerMemory(this.wasm.buffer, ringBytes, OVERFLOW_BYTES);
    this.sidecar = memory.createSidecarMemory();
    const { layout: { arenaBytes, parkingOffset }, bytes } = this.ring;
    this.#control = [
      bytes.subarray(CONTROL_OFFSET, PRODUCER_SCRATCH_OFFSET), bytes.subarray(DEFINITIONS_OFFSET, DEFINITIONS_OFFSET + INDEX_BYTES),
      new Uint8Array(this.sidecar.buffer),
    ];
    this.#parking = bytes.subarray(parkingOffset, parkingOffset + arenaBytes);
  }

  clear(): void {
    for (const area of this.#control) area.fill(0);
  }

  /** What is there now; put back by the function returned. */
  keep(): () => void {
    const { control } = this.ring;
    const isParked = control[PARKING_HEAD_WORD] !== control[PARKING_TAIL_WORD];
    const areas = isParked ? [...this.#control, this.#parking] : this.#control;
    const kept = areas.map((area) => area.slice());
    return () => { for (const [index, area] of areas.entries()) area.set(kept[index] ?? []); };
  }
}
