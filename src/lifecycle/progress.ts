import { requestSync, wakeWriter } from '../ring/doorbell.js';
import type { SidecarMemory } from '../ring/memory.js';
import {
  acceptedIn, countLate, lateOf, sealWordOf, stateOf, syncedOf, wantSynced, wantWritten, writtenOf,
} from '../ring/slots.js';
import type { Durability, ThreadCloseReceipt, ThreadId, ThreadState } from '../types.js';

/** What is left of a closed opening: its slot is another's. */
interface Tombstone {
  readonly accepted: number;
  readonly written: number;
  readonly synced: number;
  late: number;
  readonly receipt: ThreadCloseReceipt;
}

/** How far one opening of a thread has come: its shared words, and after the close what they were. */
export class Progress {
  readonly threadId: ThreadId;
  readonly slot: number;
  /** Ordinal of the first item; counts begin there. */
  base = 0;
  readonly #memory: SidecarMemory;
  #tombstone: Tombstone | undefined;

  constructor(memory: SidecarMemory, threadId: ThreadId, slot: number) {
    this.#memory = memory;
    this.threadId = threadId;
    this.slot = slot;
  }

  /** The receipt of the close, once it is over. */
  get receipt(): ThreadCloseReceipt | undefined {
    return this.#tombstone?.receipt;
  }

  get state(): ThreadState {
    if (this.#tombstone !== undefined) return 'closed';
    const state = stateOf(this.#memory, this.slot);
    return state === 'free' ? 'closed' : state;
  }

  get isSealed(): boolean {
    return this.#tombstone !== undefined || sealWordOf(this.#memory, this.slot) < 0;
  }

  get acceptedCount(): number {
    return acceptedIn(sealWordOf(this.#memory, this.slot));
  }

  get accepted(): number {
    return this.#tombstone?.accepted ?? this.base + this.acceptedCount;
  }

  get written(): number {
    return this.#tombstone?.written ?? this.base + writtenOf(this.#memory, this.slot);
  }

  get synced(): number {
    if (this.#tombstone !== undefined) return this.#tombstone.synced;
    const count = syncedOf(this.#memory, this.slot);
    return count < 0 ? 0 : this.base + count;
  }

  /** Items that came after the seal, so far. */
  get late(): number {
    return this.#tombstone?.late ?? lateOf(this.#memory, this.slot);
  }

  /** The range that is accepted and not on disk. */
  get unwritten(): { threadId: ThreadId; from: number; to: number }[] | undefined {
    const { accepted, threadId, written } = this;
    return accepted > written ? [{ threadId, from: written, to: accepted - 1 }] : undefined;
  }

  countLate(items: number): void {
    if (this.#tombstone === undefined) countLate(this.#memory, this.slot, items);
    else this.#tombstone.late += items;
  }

  /** Raises what is wanted of the writer; waking it may be left to whoever wants more than this. */
  want(count: number, durability: Durability, wakes: boolean): void {
    if (durability === 'accepted' || this.#tombstone !== undefined) return;
    if (durability === 'synced') wantSynced(this.#memory, this.slot, count);
    else wantWritten(this.#memory, this.slot, count);
    if (!wakes) return;
    if (durability === 'synced') requestSync(this.#memory);
    wakeWriter(this.#memory);
  }

  /** Closed meanwhile counts as reached: no sync follows that could be waited for. */
  isReached(count: number, durability: Durability): boolean {
    if (this.#tombstone !== undefined || durability === 'accepted') return true;
    return (durability === 'synced' ? syncedOf(this.#memory, this.slot) : writtenOf(this.#memory, this.slot)) >= count;
  }

  /** The slot is about to be another's. */
  entomb(receipt: ThreadCloseReceipt): void {
    const { accepted, written, synced } = this;
    this.#tombstone = { accepted, written, synced, late: receipt.late, receipt };
  }
}
