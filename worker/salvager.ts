import type { DrainedThread, ReleasedThread, SalvageReport } from '../src/control/protocol.js';
import { toWireError } from '../src/errors.js';
import type { Leases } from './lease/leases.js';
import type { RolloutFile } from './rollout-file.js';
import { salvageUnwritten, type SalvagerParts } from './salvage-frames.js';
import type { Writer } from './writer.js';

/** When nobody waits for a disk any longer: what it refuses once more goes to salvage files. */
export class Salvager {
  readonly #writer: Writer;
  readonly #parts: SalvagerParts;

  constructor(writer: Writer, parts: SalvagerParts) {
    this.#writer = writer;
    this.#parts = parts;
  }

  /** The thread's close gives up: nothing more is written of it. @throws LASTWORD_WRITE_FAILED when no place takes the file */
  abandon(file: RolloutFile): DrainedThread {
    this.#tryNow(file);
    const salvage = this.#writer.isWritten(file) ? undefined : salvageUnwritten(this.#parts, this.#writer.rings, file);
    file.isAbandoned = !this.#writer.isWritten(file);
    return { written: file.written, salvage };
  }

  /**
   * The process ends: copies of all that is not written, which stays where it is: the host may survive. `isSettled`: nothing
   * is gained by asking again, when disks that may recover are tried again (`isAgain`: as soon as they are due).
   */
  settle(isAgain: boolean): { reports: SalvageReport[]; isSettled: boolean } {
    const reports: SalvageReport[] = [];
    let isSettled = true;
    for (const file of this.#writer.openRollouts) {
      if (isAgain && this.#writer.troubles.isWaiting(file)) {
        isSettled = false;
        continue;
      }
      this.#tryNow(file);
      if (this.#writer.isWritten(file)) continue;
      try {
        const salvage = salvageUnwritten(this.#parts, this.#writer.rings, file);
        const { threadId, slot, incarnation } = file;
        if (salvage !== undefined) reports.push({ threadId, slot, incarnation, ...salvage });
      } catch {
        // No place takes it. Whoever asked names the items.
        if (file.takesRecords) isSettled = false;
      }
    }
    return { reports, isSettled };
  }

  #tryNow(file: RolloutFile): void {
    if (!this.#writer.isWritten(file)) this.#writer.tryNow(file);
  }
}

/** Of a thread that is let go of whatever its disk says: a lease that stays is this process's, and ends with it. */
export function letGoOfLease(leases: Leases, threadId: string): ReleasedThread {
  try {
    leases.release(threadId);
    return { leaseError: undefined };
  } catch (error) {
    return { leaseError: toWireError(error, 'LASTWORD_WRITE_FAILED') };
  }
}
