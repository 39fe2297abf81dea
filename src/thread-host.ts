import type { DrainedThread, ReleasedThread } from './control/protocol.js';
import type { WriterLink } from './control/writer-link.js';
import type { LastwordError } from './errors.js';
import type { Log } from './log.js';
import type { OpenThread } from './open-thread.js';
import type { ResolvedOptions } from './options.js';
import type { ItemProducer } from './producer/item-producer.js';
import type { Waiters } from './producer/waiters.js';
import type { SidecarMemory } from './ring/memory.js';
import type { ClosePlan, CloseSteps } from './lifecycle/thread-close.js';
import type { ThreadCloseReceipt } from './types.js';

/** What a thread's handle needs of the JavaScript thread it is in. */
export interface HandleHost {
  readonly options: Pick<ResolvedOptions, 'redact' | 'durability' | 'closeTimeoutMs'>;
  readonly memory: SidecarMemory;
  /** 0: the thread of the sidecar itself. */
  readonly producerNumber: number;
  readonly producer: ItemProducer;
  readonly waiters: Waiters;
  readonly log: Log;
  /** How a thread is closed from here. */
  closeSteps(thread: OpenThread): CloseSteps;
  /** A flush took that long, µs. */
  recordFlush(microseconds: number): void;
  /** Items came after the seal. */
  cameLate(thread: OpenThread, items: number): void;
}

/** What opens and closes threads needs of the sidecar. */
export interface ThreadHost extends HandleHost {
  readonly options: ResolvedOptions;
  readonly writer: WriterLink;
  /** No writer can be had, and main cannot write either. */
  readonly writerLost: LastwordError | undefined;
  /** @throws LASTWORD_NOT_OPEN, and what ended the writer */
  assertOpen(): void;
  /** Where nobody can write: salvages the thread and lets go of its lease. @throws LASTWORD_WRITE_FAILED */
  abandonLost(thread: OpenThread): DrainedThread & ReleasedThread;
  /** The thread leaves the registry. */
  threadReleased(thread: OpenThread, receipt: ThreadCloseReceipt): void;
  /** Begins to close the threads below it, those under way too. */
  closeChildren(thread: OpenThread, plan: ClosePlan): Promise<unknown>[];
}
