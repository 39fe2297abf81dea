import { CALLS } from './control/protocol.js';
import type { ItemProducer } from './producer/item-producer.js';
import { parks } from './ring/doorbell.js';
import { busyCall, figureOf, readHistogram, SYNC_HISTOGRAM, WRITE_HISTOGRAM } from './ring/figures.js';
import type { SidecarMemory } from './ring/memory.js';
import type { OpenThread } from './open-thread.js';
import type { SidecarStats } from './types.js';

/** Of threads that have been closed. */
export interface Totals { threads: number; items: number; written: number; late: number }

export interface StatsSources {
  readonly memory: SidecarMemory;
  readonly producer: ItemProducer;
  readonly ringBytes: number;
  readonly threads: readonly OpenThread[];
  readonly closed: Totals;
  readonly flushes: Int32Array;
  readonly writer: { readonly commands: number; readonly restarts: number } | undefined;
}

/** Reads shared words only. */
export function readStats({ memory, producer, ringBytes, threads, closed, flushes, writer }: StatsSources): SidecarStats {
  const { ring, overflow } = producer.used;
  const busy = busyCall(memory, Date.now());
  const countOf = (state: string): number => threads.filter((thread) => thread.state === state).length;
  const sum = (value: (thread: OpenThread) => number): number => threads.reduce((total, thread) => total + value(thread), 0);
  return {
    threads: { open: countOf('open'), closing: countOf('closing'), closed: closed.threads },
    items: {
      accepted: closed.items + sum((thread) => thread.accepted - thread.base),
      written: closed.written + sum((thread) => thread.written - thread.base),
      late: closed.late + sum((thread) => thread.late),
    },
    bytes: {
      written: figureOf(memory, 'bytesWritten'), unsynced: figureOf(memory, 'bytesUnsynced'),
      ringUsed: ring, ringCapacity: ringBytes, overflow,
    },
    files: { open: figureOf(memory, 'filesOpen'), opened: figureOf(memory, 'filesOpened'), evicted: figureOf(memory, 'filesEvicted') },
    latency: {
      write: readHistogram(memory.words, WRITE_HISTOGRAM),
      sync: readHistogram(memory.words, SYNC_HISTOGRAM),
      flush: readHistogram(flushes, 0),
    },
    busy: busy === undefined ? undefined : { call: CALLS[busy.call] ?? 'unknown', ms: busy.ms },
    writerRestarts: writer?.restarts ?? 0,
    signals: { commands: writer?.commands ?? 0, notifies: producer.notifies, parks: parks(memory) },
  };
}
