import { isLastwordError, LastwordError } from './errors.js';
import { checkItem, itemInvalid } from './item-check.js';
import { checkFlush } from './options.js';
import { SEALED_COUNT } from './producer/item-producer.js';
import { requestSync, wakeWriter } from './ring/doorbell.js';
import {
  acceptedIn, baseOf, countLate, lateOf, moveState, seal, sealWordOf, stateOf, syncedOf, wantSynced, wantWritten, writtenOf,
} from './ring/slots.js';
import type { ThreadHost } from './thread-host.js';
import {
  LATE, type CloseOptions, type Durability, type FlushOptions, type Receipt, type RolloutItem, type Thread, type ThreadCloseReceipt,
  type ThreadId, type ThreadState,
} from './types.js';

/** What is left of a closed thread: its slot is another's. */
interface Tombstone {
  readonly accepted: number;
  readonly written: number;
  readonly synced: number;
  late: number;
  readonly receipt: ThreadCloseReceipt;
}

/** The handle of one opening of a thread. */
export class RolloutThread implements Thread {
  readonly id: ThreadId;
  readonly path: string;
  readonly origin = 'created';
  readonly slot: number;
  readonly incarnation: number;
  readonly #host: ThreadHost;
  /** Ordinal of the first item of this opening. */
  readonly base: number;
  #closing: Promise<ThreadCloseReceipt> | undefined;
  /** Phase 1 is done: a close() that is called again must not ask for it again, the writer may have let go of the file. */
  #isDrained = false;
  #failure: LastwordError | undefined;
  #tombstone: Tombstone | undefined;

  constructor(host: ThreadHost, thread: { id: ThreadId; path: string; slot: number; incarnation: number }) {
    this.#host = host;
    this.id = thread.id;
    this.path = thread.path;
    this.slot = thread.slot;
    this.incarnation = thread.incarnation;
    this.base = baseOf(host.memory, thread.slot);
  }

  get state(): ThreadState {
    if (this.#tombstone !== undefined) return 'closed';
    const state = stateOf(this.#host.memory, this.slot);
    return state === 'free' ? 'closed' : state;
  }

  get accepted(): number {
    return this.#tombstone?.accepted ?? this.base + this.#acceptedCount;
  }

  get written(): number {
    return this.#tombstone?.written ?? this.base + writtenOf(this.#host.memory, this.slot);
  }

  get synced(): number {
    return this.#tombstone?.synced ?? this.#syncedOrdinal;
  }

  /** Items that came after the seal, so far. */
  get late(): number {
    return this.#tombstone?.late ?? lateOf(this.#host.memory, this.slot);
  }

  append(item: RolloutItem): number {
    if (this.#isSealed) return this.#countLate(1);
    const { options, producer } = this.#host;
    try {
      const count = producer.append(this.slot, this.incarnation, checkItem(item, this.id, options.redact));
      return count === SEALED_COUNT ? this.#countLate(1) : this.base + count;
    } catch (error) {
      throw this.#named(error);
    }
  }

  appendAll(items: readonly RolloutItem[]): number {
    if (!Array.isArray(items)) throw itemInvalid(this.id, 'list is not an array');
    if (this.#isSealed) return this.#countLate(items.length);
    const { options, producer } = this.#host;
    try {
      const checked = Array.from(items, (item: RolloutItem) => checkItem(item, this.id, options.redact));
      const count = producer.appendAll(this.slot, this.incarnation, checked);
      return count === SEALED_COUNT ? this.#countLate(items.length) : this.base + count;
    } catch (error) {
      throw this.#named(error);
    }
  }

  flush(options: FlushOptions = {}): Promise<Receipt> {
    return this.beginFlush(options, true);
  }

  /** As flush(); the sidecar's own flush of all threads wakes the writer once, itself. */
  async beginFlush(options: FlushOptions, wakes: boolean): Promise<Receipt> {
    const { memory, options: defaults, waiters, recordFlush } = this.#host;
    const { durability, timeoutMs, signal } = checkFlush(options, defaults);
    if (this.#tombstone !== undefined) return this.#tombstone.receipt;
    const count = this.#acceptedCount;
    if (durability !== 'accepted') {
      const startMs = performance.now();
      if (durability === 'synced') wantSynced(memory, this.slot, count);
      else wantWritten(memory, this.slot, count);
      if (wakes) {
        if (durability === 'synced') requestSync(memory);
        wakeWriter(memory);
      }
      await waiters.until(() => this.#isReached(count, durability), {
        what: `'${durability}' of thread ${this.id} below ordinal ${this.base + count}`, timeoutMs, signal, context: { threadId: this.id },
      });
      recordFlush((performance.now() - startMs) * 1000);
    }
    return this.#flushReceipt(count, durability);
  }

  close(options: CloseOptions = {}): Promise<ThreadCloseReceipt> {
    this.#closing ??= this.#close(options).catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The writer can write nothing more of this thread. */
  fail(error: LastwordError): void {
    this.#failure ??= error;
  }

  get #isSealed(): boolean {
    return this.#tombstone !== undefined || sealWordOf(this.#host.memory, this.slot) < 0;
  }

  get #acceptedCount(): number {
    return acceptedIn(sealWordOf(this.#host.memory, this.slot));
  }

  get #syncedOrdinal(): number {
    const count = syncedOf(this.#host.memory, this.slot);
    return count < 0 ? 0 : this.base + count;
  }

  /** Adds the thread to what the producer, which knows slots only, throws. */
  #named(error: unknown): unknown {
    if (isLastwordError(error)) error.context.threadId ??= this.id;
    return error;
  }

  #countLate(items: number): typeof LATE {
    if (this.#tombstone === undefined) countLate(this.#host.memory, this.slot, items);
    else {
      this.#tombstone.late += items;
      this.#host.lateAfterClose(items);
    }
    this.#host.log.debug({ threadId: this.id, items, late: this.late }, 'late: appended after the seal');
    return LATE;
  }

  /** The receipt of the close where that came first and asked for less. */
  #flushReceipt(count: number, durability: Durability): Receipt {
    const nextOrdinal = this.base + count;
    if (this.#tombstone !== undefined && durability === 'synced' && this.#tombstone.synced < nextOrdinal) return this.#tombstone.receipt;
    return { threadId: this.id, durability, nextOrdinal };
  }

  /** Whether the watermark is there. @throws the failure that keeps it from ever getting there */
  #isReached(count: number, durability: Durability): boolean {
    const { memory } = this.#host;
    // Closed meanwhile: no sync follows that could be waited for.
    const reached = this.#tombstone !== undefined
      || (durability === 'synced' ? syncedOf(memory, this.slot) : writtenOf(memory, this.slot)) >= count;
    if (!reached && this.#failure !== undefined) throw this.#failureFrom(this.#failure);
    return reached;
  }

  /** The failure with the range that is not on disk. */
  #failureFrom(failure: LastwordError): LastwordError {
    const unwritten = failure.context.unwritten ?? this.#unwritten();
    const context = { ...failure.context, threadId: this.id, ...(unwritten === undefined ? {} : { unwritten }) };
    return new LastwordError(failure.code, failure.message.slice(0, -` [${failure.code}]`.length), context, { cause: failure.cause });
  }

  #unwritten(): { threadId: ThreadId; from: number; to: number }[] | undefined {
    const { accepted, written } = this;
    return accepted > written ? [{ threadId: this.id, from: written, to: accepted - 1 }] : undefined;
  }

  async #close(options: CloseOptions): Promise<ThreadCloseReceipt> {
    const { memory, options: defaults, writer, log } = this.#host;
    const { durability, timeoutMs } = checkFlush(options, defaults);
    const deadline = performance.now() + timeoutMs;
    if (this.#failure !== undefined) throw this.#failureFrom(this.#failure);
    moveState(memory, this.slot, 'closing');
    seal(memory, this.slot);
    wakeWriter(memory);
    if (!this.#isDrained) await this.#drain(deadline);
    this.#isDrained = true;
    const thread = { slot: this.slot, incarnation: this.incarnation, threadId: this.id, sync: durability === 'synced' };
    await writer.call('releaseThread', left(deadline), (control) => control.releaseThread(thread));
    moveState(memory, this.slot, 'closed');
    const items = this.#acceptedCount;
    const receipt = {
      threadId: this.id, durability: durability === 'synced' ? durability : 'written', nextOrdinal: this.base + items,
      items, late: this.late, forced: false, heldBy: [], salvage: undefined,
    } satisfies ThreadCloseReceipt;
    this.#tombstone = { accepted: this.accepted, written: this.written, synced: this.#syncedOrdinal, late: receipt.late, receipt };
    this.#host.threadReleased(this);
    this.#host.waiters.recheck();
    log.debug({ threadId: this.id, items, late: receipt.late }, 'thread closed');
    return receipt;
  }

  /** Phase 1: the writer acknowledges the count that write() took, and it is what was accepted. */
  async #drain(deadline: number): Promise<void> {
    const { writer } = this.#host;
    const thread = { slot: this.slot, incarnation: this.incarnation };
    let acknowledged: number;
    try {
      const reply = await writer.call('drainThread', left(deadline), (control) => control.drainThread(thread));
      acknowledged = this.base + reply.written;
    } catch (error) {
      if (!isLastwordError(error)) throw error;
      if (error.code !== 'LASTWORD_TIMEOUT') throw this.#failureFrom(error);
      throw this.#incomplete(this.written, error);
    }
    if (acknowledged !== this.accepted) throw this.#incomplete(acknowledged, undefined);
  }

  #incomplete(written: number, cause: LastwordError | undefined): LastwordError {
    const unwritten = [{ threadId: this.id, from: written, to: this.accepted - 1 }];
    return new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `thread ${this.id}: ${this.accepted - written} items were not acknowledged`,
      { threadId: this.id, unwritten }, cause === undefined ? undefined : { cause });
  }
}

function left(deadline: number): number {
  return Math.max(0, deadline - performance.now());
}
