import { isLastwordError } from '../errors.js';
import { readRollout } from '../reader/read.js';
import type { Sidecar, Thread } from '../types.js';
import { jobCorrupt } from './errors.js';
import { JobState, type ItemState } from './job-state.js';
import { jobRecordOf, type JobRecord, type JobRecords } from './records.js';

interface Waiting {
  readonly ordinal: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The log of one job: what is appended, when it is written, and the rows read back. */
export class JobLog {
  readonly thread: Thread;
  readonly #sidecar: Sidecar;
  #waiting: Waiting[] = [];
  #isFlushing = false;

  constructor(sidecar: Sidecar, thread: Thread) {
    this.#sidecar = sidecar;
    this.thread = thread;
  }

  /** The first ordinal, or LATE. @throws as Thread.appendAll() */
  append(records: readonly JobRecord[]): number {
    return this.thread.appendAll(records);
  }

  /** The same, once there is room: a disk in trouble is waited for, until the log is sealed. */
  async appendInTurn(records: readonly JobRecord[]): Promise<number> {
    for (;;) {
      try {
        while (this.#sidecar.needsDrain && this.thread.state === 'open') await this.#tried(this.#sidecar.drained());
        return this.append(records);
      } catch (error) {
        if (!isLastwordError(error) || error.code !== 'LASTWORD_RING_FULL') throw error;
        await this.#tried(this.#sidecar.drained());
      }
    }
  }

  /** Resolves once the record is written; everybody who waits meanwhile shares a flush. @throws LASTWORD_WRITE_FAILED, and what else keeps it from ever being written */
  written(ordinal: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ordinal, resolve, reject });
      if (!this.#isFlushing) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    // Whoever comes in the same turn is in the same flush.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      try {
        await this.#tried(this.thread.flush({ durability: 'written' }));
      } catch (error) {
        for (const { reject } of this.#waiting.splice(0)) reject(error);
        break;
      }
      const { written } = this.thread;
      const reached = this.#waiting.filter(({ ordinal }) => ordinal < written);
      if (reached.length > 0) this.#waiting = this.#waiting.filter(({ ordinal }) => ordinal >= written);
      for (const { resolve } of reached) resolve();
    }
    this.#isFlushing = false;
  }

  /** A bound that passed is no failure: whoever waits looks again. */
  async #tried(waiting: Promise<unknown>): Promise<void> {
    try {
      await waiting;
    } catch (error) {
      if (!isLastwordError(error) || error.code !== 'LASTWORD_TIMEOUT') throw error;
    }
  }

  /** Rows in their order, read as they are asked for. @throws LASTWORD_ROLLOUT_CORRUPT */
  async *rows(state: JobState): AsyncGenerator<{ item: ItemState; row: object }, void, undefined> {
    const { items, begins } = state;
    if (items.length === 0) return;
    let next = 0;
    for await (const record of readRollout(this.thread.path, { from: begins + 1, limit: items.length })) {
      const { index, row } = record.payload as JobRecords['item_added'];
      const item = items[next];
      if (record.type !== 'item_added' || index !== next || item === undefined) break;
      next += 1;
      yield { item, row };
    }
    if (next < items.length) throw jobCorrupt(`has no whole row ${next}`, { path: this.thread.path, index: next });
  }
}

/** What the log says. @throws LASTWORD_ROLLOUT_CORRUPT */
export async function readJob(path: string): Promise<JobState> {
  const state = new JobState();
  // A torn end has been cut by whoever opened it.
  const onDamage = ({ kind, offset }: { kind: string; offset: number }): void => {
    if (kind !== 'torn') throw jobCorrupt(`is damaged at byte ${offset}: ${kind}`, { path, offset });
  };
  for await (const item of readRollout(path, { onDamage })) {
    const record = jobRecordOf(item);
    if (record !== undefined) state.apply(record, item.ordinal, Date.parse(item.timestamp));
  }
  return state;
}
