import type { DrainedThread, ReleasedThread } from './control/protocol.js';
import type { WriterLink } from './control/writer-link.js';
import type { LastwordError } from './errors.js';
import type { Log } from './log.js';
import type { ResolvedOptions } from './options.js';
import type { ItemProducer } from './producer/item-producer.js';
import type { Waiters } from './producer/waiters.js';
import type { SidecarMemory } from './ring/memory.js';
import type { ClosePlan } from './lifecycle/thread-close.js';
import type { RolloutThread } from './thread.js';
import type { ThreadCloseReceipt } from './types.js';

/** What a thread's handle needs of the sidecar it belongs to. */
export interface ThreadHost {
  readonly options: ResolvedOptions;
  readonly memory: SidecarMemory;
  readonly producer: ItemProducer;
  readonly waiters: Waiters;
  readonly writer: WriterLink;
  readonly log: Log;
  /** No writer can be had, and main cannot write either. */
  readonly writerLost: LastwordError | undefined;
  /** @throws LASTWORD_NOT_OPEN, and what ended the writer */
  assertOpen(): void;
  /** A flush took that long, µs. */
  recordFlush(microseconds: number): void;
  /** Where nobody can write: salvages the thread and lets go of its lease. @throws LASTWORD_WRITE_FAILED */
  abandonLost(thread: RolloutThread): DrainedThread & ReleasedThread;
  /** The thread leaves the registry; its slot may be used again. */
  threadReleased(thread: RolloutThread, receipt: ThreadCloseReceipt): void;
  /** Begins to close the threads below it, those under way too. */
  closeChildren(thread: RolloutThread, plan: ClosePlan): Promise<unknown>[];
  /** Items came after the seal. */
  cameLate(thread: RolloutThread, items: number): void;
}
