import type { OpenThread } from '../open-thread.js';
import type { checkFlush } from '../options.js';
import type { Waiters } from '../producer/waiters.js';
import { requestSync, wakeWriter } from '../ring/doorbell.js';
import type { HandleHost } from '../thread-host.js';
import type { Durability, Receipt, ThreadId } from '../types.js';
import type { Progress } from './progress.js';

/** What a flush of one thread waits for: all that was accepted when it began. */
export interface Flush {
  readonly threadId: ThreadId;
  readonly what: string;
  /** @throws the failure that keeps it from ever being so */
  isReached(): boolean;
  receipt(): Receipt;
}

/** `assertNotFailed`: throws the thread's permanent error. */
export function beginFlush(progress: Progress, durability: Durability, wakes: boolean, assertNotFailed: () => void): Flush {
  const { threadId } = progress;
  const count = progress.acceptedCount;
  const nextOrdinal = progress.base + count;
  progress.want(count, durability, wakes);
  return {
    threadId,
    what: `'${durability}' of thread ${threadId} below ordinal ${nextOrdinal}`,
    isReached: () => {
      const isReached = progress.isReached(count, durability);
      if (!isReached) assertNotFailed();
      return isReached;
    },
    receipt: () => {
      const { receipt, synced } = progress;
      // A close that came first and asked for less has its own receipt.
      return durability === 'synced' && receipt !== undefined && synced < nextOrdinal ? receipt : { threadId, durability, nextOrdinal };
    },
  };
}

interface FlushHost {
  readonly waiters: Waiters;
  recordFlush(microseconds: number): void;
}

/** Waits for all of them, with one wait; rejects with the first error. */
export async function endFlushes(flushes: readonly Flush[], { waiters, recordFlush }: FlushHost, { durability, timeoutMs, signal }: ReturnType<typeof checkFlush>): Promise<void> {
  if (durability === 'accepted') return;
  const startMs = performance.now();
  let left = flushes;
  const isReached = (): boolean => {
    left = left.filter((flush) => !flush.isReached());
    return left.length === 0;
  };
  await waiters.until(isReached, {
    get what() { return left[0]?.what ?? 'a flush'; },
    get context() { return { threadId: left[0]?.threadId }; },
    timeoutMs, signal,
  });
  recordFlush((performance.now() - startMs) * 1000);
}

/** Of all threads of one producer: the writer is woken once for them. */
export async function flushAll(threads: readonly OpenThread[], host: FlushHost & Pick<HandleHost, 'memory' | 'producer'>, checked: ReturnType<typeof checkFlush>): Promise<Receipt[]> {
  const { memory, producer } = host;
  producer.settle();
  const flushes = threads.map((thread) => thread.beginFlush(checked.durability, false));
  if (checked.durability === 'synced') requestSync(memory);
  wakeWriter(memory);
  await endFlushes(flushes, host, checked);
  return flushes.map((flush) => flush.receipt());
}
