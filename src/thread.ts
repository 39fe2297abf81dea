import { isLastwordError, LastwordError } from './errors.js';
import { checkItem, itemInvalid } from './item-check.js';
import { HeldWork } from './lifecycle/held-work.js';
import { SharedPromise } from './lifecycle/shared-promise.js';
import { planClose, ThreadClose, type ClosePlan } from './lifecycle/thread-close.js';
import { checkFlush, invalidOption } from './options.js';
import { SEALED_COUNT } from './producer/item-producer.js';
import { requestSync, wakeWriter } from './ring/doorbell.js';
import {
  acceptedIn, countLate, lateOf, sealWordOf, stateOf, syncedOf, wantSynced, wantWritten, writtenOf,
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

/** What the writer says of a rollout that it has opened. */
export interface Opened {
  readonly path: string;
  /** Ordinal of the first item of this opening. */
  readonly base: number;
  readonly recovery: Thread['recovery'];
  readonly parentId: ThreadId | undefined;
}

/** The handle of one opening of a thread. */
export class RolloutThread implements Thread {
  readonly id: ThreadId;
  readonly origin: Thread['origin'];
  readonly slot: number;
  readonly incarnation: number;
  /** What the close waits for. */
  readonly held = new HeldWork();
  readonly #host: ThreadHost;
  readonly #close: ThreadClose;
  readonly #closing = new SharedPromise<ThreadCloseReceipt>();
  #opened: Opened;
  #isOpened = false;
  /** Of `#opened`: append() needs it each time. */
  #base = 0;
  /** Owners that have not let go of the handle. */
  #claims = 1;
  #controller: AbortController | undefined;
  #failure: LastwordError | undefined;
  #tombstone: Tombstone | undefined;

  constructor(host: ThreadHost, thread: { id: ThreadId; origin: Thread['origin']; slot: number; incarnation: number }, opened: Opened) {
    this.#host = host;
    this.id = thread.id;
    this.origin = thread.origin;
    this.slot = thread.slot;
    this.incarnation = thread.incarnation;
    this.#close = new ThreadClose(this, host);
    this.#opened = opened;
    this.#base = opened.base;
  }

  get path(): string {
    return this.#opened.path;
  }

  get recovery(): Thread['recovery'] {
    return this.#opened.recovery;
  }

  get parentId(): ThreadId | undefined {
    return this.#opened.parentId;
  }

  /** The writer has its rollout open, and the handle may be given out. */
  get isOpened(): boolean {
    return this.#isOpened;
  }

  /** Ordinal of the first item of this opening. */
  get base(): number {
    return this.#base;
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

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  track<P extends PromiseLike<unknown>>(work: P): P {
    return this.#isSealed ? work : this.held.track(work);
  }

  hold(label: string): Disposable {
    if (typeof label !== 'string') throw invalidOption('label', label, 'a string');
    return this.held.hold(label);
  }

  flush(options: FlushOptions = {}): Promise<Receipt> {
    return this.beginFlush(options, true);
  }

  /** As flush(); the sidecar's own flush of all threads wakes the writer once, itself. */
  async beginFlush(options: FlushOptions, wakes: boolean): Promise<Receipt> {
    const { memory, options: defaults, producer, waiters, recordFlush } = this.#host;
    const { durability, timeoutMs, signal } = checkFlush(options, defaults);
    if (this.#tombstone !== undefined) return this.#tombstone.receipt;
    producer.settle();
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
    return this.#closing.get(async () => this.#close.run(planClose(options, this.#host.options)));
  }

  /** As close(), for whoever closes more than this thread. */
  closeBy(plan: ClosePlan): Promise<ThreadCloseReceipt> {
    return this.#closing.get(() => this.#close.run(plan));
  }

  /** Lets go of one claim; the last one closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#claims -= 1;
    if (this.#claims <= 0) await this.close();
  }

  /** Another owner. */
  claim(): this {
    this.#claims += 1;
    return this;
  }

  /** The close under way or done; undefined before, and behind one that rejected. */
  get closing(): Promise<ThreadCloseReceipt> | undefined {
    return this.#closing.current;
  }

  /** The writer has found the rollout: it says where this opening begins. */
  setOpened(opened: Opened): void {
    this.#opened = opened;
    this.#base = opened.base;
    this.#isOpened = true;
  }

  /** The close begins: whoever listens to the signal stops. */
  abort(): void {
    this.#controller ??= new AbortController();
    this.#controller.abort();
  }

  /** The slot is about to be another's: from here on the handle answers by itself. */
  entomb(receipt: ThreadCloseReceipt): void {
    const { accepted, written } = this;
    this.#tombstone = { accepted, written, synced: this.#syncedOrdinal, late: receipt.late, receipt };
  }

  /** The writer can write nothing more of this thread. */
  fail(error: LastwordError): void {
    this.#failure ??= error;
  }

  assertNotFailed(): void {
    if (this.#failure !== undefined) throw this.withUnwritten(this.#failure);
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
    else this.#tombstone.late += items;
    this.#host.cameLate(this, items);
    return LATE;
  }

  /** The receipt of the close where that came first and asked for less. */
  #flushReceipt(count: number, durability: Durability): Receipt {
    const nextOrdinal = this.#base + count;
    if (this.#tombstone !== undefined && durability === 'synced' && this.#tombstone.synced < nextOrdinal) return this.#tombstone.receipt;
    return { threadId: this.id, durability, nextOrdinal };
  }

  /** Whether the watermark is there. @throws the failure that keeps it from ever getting there */
  #isReached(count: number, durability: Durability): boolean {
    const { memory } = this.#host;
    // Closed meanwhile: no sync follows that could be waited for.
    const reached = this.#tombstone !== undefined
      || (durability === 'synced' ? syncedOf(memory, this.slot) : writtenOf(memory, this.slot)) >= count;
    if (!reached) this.assertNotFailed();
    return reached;
  }

  /** The failure with the range that is not on disk. */
  withUnwritten(failure: LastwordError): LastwordError {
    const unwritten = failure.context.unwritten ?? this.unwritten;
    const context = { ...failure.context, threadId: this.id, ...(unwritten === undefined ? {} : { unwritten }) };
    return new LastwordError(failure.code, failure.message.slice(0, -` [${failure.code}]`.length), context, { cause: failure.cause });
  }

  /** The range that is accepted and not on disk. */
  get unwritten(): { threadId: ThreadId; from: number; to: number }[] | undefined {
    const { accepted, written } = this;
    return accepted > written ? [{ threadId: this.id, from: written, to: accepted - 1 }] : undefined;
  }
}
