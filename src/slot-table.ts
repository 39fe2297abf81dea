import { LastwordError } from './errors.js';
import { SLOTS_MAX } from './ring/layout.js';
import type { SidecarMemory } from './ring/memory.js';
import { moveState, takeSlot } from './ring/slots.js';

/** Which slots are free. Main's alone: every opening goes through it. */
export class SlotTable {
  readonly #memory: SidecarMemory;
  readonly #free: number[] = [];
  #used = 0;

  constructor(memory: SidecarMemory) {
    this.#memory = memory;
  }

  /** A slot for a new opening. @throws LASTWORD_NOT_OPEN when all are in use */
  take(): { slot: number; incarnation: number } {
    const slot = this.#free.pop() ?? this.#used;
    if (slot === SLOTS_MAX) throw new LastwordError('LASTWORD_NOT_OPEN', `at most ${SLOTS_MAX} threads are open at once`);
    if (slot === this.#used) this.#used += 1;
    return { slot, incarnation: takeSlot(this.#memory, slot) };
  }

  /** Of a closed thread. */
  giveBack(slot: number): void {
    moveState(this.#memory, slot, 'free');
    this.#free.push(slot);
  }
}
