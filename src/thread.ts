import { isLastwordError, LastwordError } from './errors.js';
import { checkItem, itemInvalid, redacted, redactedMeta } from './item-check.js';
import { Deliveries, type Listener } from './lifecycle/deliveries.js';
import { beginFlush, endFlushes, type Flush } from './lifecycle/flush.js';
import { HeldWork } from './lifecycle/held-work.js';
import { assertRollback, metaMarker, patchedMeta, rollbackMarker } from './lifecycle/markers.js';
import { Progress } from './lifecycle/progress.js';
import { SharedPromise } from './lifecycle/shared-promise.js';
import type { Opened } from './lifecycle/opened.js';
import { planClose, ThreadClose, type ClosePlan } from './lifecycle/thread-close.js';
import { checkFlush, invalidOption } from './options.js';
import { printAs } from './printing.js';
import { SEALED_COUNT } from './producer/item-producer.js';
import type { ThreadHost } from './thread-host.js';
import {
  LATE, type CloseOptions, type Durability, type FlushOptions, type PublishOptions, type Receipt, type RolloutItem, type Thread, type ThreadCloseReceipt,
  type ThreadId, type ThreadState,
} from './types.js';

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
  readonly #progress: Progress;
  readonly #deliveries: Deliveries;
  /** Owners that have not let go of the handle. */
  #claims = 1;
  #controller: AbortController | undefined;
  /** The permanent error. */
  failure: LastwordError | undefined;
  /** What keeps items from being written just now, and is tried again. */
  trouble: LastwordError | undefined;

  constructor(host: ThreadHost, thread: { id: ThreadId; origin: Thread['origin']; slot: number; incarnation: number }, opened: Opened) {
    this.#host = host;
    this.id = thread.id;
    this.origin = thread.origin;
    this.slot = thread.slot;
    this.incarnation = thread.incarnation;
    this.#close = new ThreadClose(this, host);
    this.#opened = opened;
    this.#progress = new Progress(host.memory, thread.id, thread.slot);
    this.#progress.base = opened.base;
    this.#deliveries = new Deliveries(
      (isReached) => host.waiters.forAWhile(isReached, host.options.closeTimeoutMs),
      (error, ordinal) => { host.log.error({ threadId: thread.id, ordinal, error }, 'a subscriber threw'); },
    );
  }

  get path(): string {
    return this.#opened.path;
  }

  /** Somebody else has given the rollout another name. */
  moved(path: string): void {
    this.#opened = { ...this.#opened, path };
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
    return this.#progress.base;
  }

  get state(): ThreadState {
    return this.#progress.state;
  }

  get accepted(): number {
    return this.#progress.accepted;
  }

  get written(): number {
    return this.#progress.written;
  }

  get synced(): number {
    return this.#progress.synced;
  }

  /** Items that came after the seal, so far. */
  get late(): number {
    return this.#progress.late;
  }

  /** The range that is accepted and not on disk. */
  get unwritten(): { threadId: ThreadId; from: number; to: number }[] | undefined {
    return this.#progress.unwritten;
  }

  append(item: RolloutItem): number {
    if (this.#progress.isSealed) return this.#countLate(1);
    const { options } = this.#host;
    return this.#take(checkItem(redacted(item, this.id, options.redact), this.id));
  }

  appendAll(items: readonly RolloutItem[]): number {
    if (!Array.isArray(items)) throw itemInvalid(this.id, 'list is not an array');
    if (this.#progress.isSealed) return this.#countLate(items.length);
    const { options, producer } = this.#host;
    const checked = Array.from(items, (item: RolloutItem) => checkItem(redacted(item, this.id, options.redact), this.id));
    try {
      const count = producer.appendAll(this.slot, this.incarnation, checked);
      return count === SEALED_COUNT ? this.#countLate(items.length) : this.#progress.base + count;
    } catch (error) {
      throw this.#named(error);
    }
  }

  async publish(item: RolloutItem, options: PublishOptions = {}): Promise<number> {
    const { options: defaults, waiters } = this.#host;
    const { durability, timeoutMs, signal } = checkFlush(options, defaults);
    const progress = this.#progress;
    const stored = redacted(item, this.id, defaults.redact);
    const checked = checkItem(stored, this.id);
    signal?.throwIfAborted();
    const ordinal = progress.isSealed ? this.#countLate(1) : this.#take(checked);
    const count = ordinal === LATE ? 0 : ordinal - progress.base + 1;
    progress.want(count, durability, true);
    const delivered = this.#deliveries.add({ item: stored, ordinal, isReached: () => ordinal === LATE || this.trouble !== undefined || this.#isReached(count, durability) });
    await waiters.settled(delivered, { what: `the delivery of ordinal ${ordinal} of thread ${this.id}`, timeoutMs, signal, context: { threadId: this.id } });
    return ordinal;
  }

  subscribe(listener: Listener): () => void {
    if (typeof listener !== 'function') throw invalidOption('listener', listener, 'a function');
    return this.#deliveries.subscribe(listener);
  }

  rollback(from: number): number {
    if (this.#progress.isSealed) return this.#countLate(1);
    assertRollback(from, this.accepted);
    return this.#take(rollbackMarker(from));
  }

  setMeta(patch: Record<string, unknown>): number {
    if (this.#progress.isSealed) return this.#countLate(1);
    const change = redactedMeta(patch, this.id, this.#host.options.redact, 'patch');
    const ordinal = this.#take(metaMarker(this.id, this.#opened.meta, change));
    if (ordinal !== LATE) this.#opened = { ...this.#opened, meta: patchedMeta(this.#opened.meta, change) };
    return ordinal;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  track<P extends PromiseLike<unknown>>(work: P): P {
    return this.#progress.isSealed ? work : this.held.track(work);
  }

  hold(label: string): Disposable {
    if (typeof label !== 'string') throw invalidOption('label', label, 'a string');
    return this.held.hold(label);
  }

  async flush(options: FlushOptions = {}): Promise<Receipt> {
    const { options: defaults, producer } = this.#host;
    const checked = checkFlush(options, defaults);
    const closed = this.#progress.receipt;
    if (closed !== undefined) return closed;
    producer.settle();
    const flush = this.beginFlush(checked.durability, true);
    await endFlushes([flush], this.#host, checked);
    return flush.receipt();
  }

  /** `wakes`: false where whoever begins many wakes the writer once, itself. */
  beginFlush(durability: Durability, wakes: boolean): Flush {
    return beginFlush(this.#progress, durability, wakes, () => { this.assertNotFailed(); });
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
    this.#progress.base = opened.base;
    this.#isOpened = true;
  }

  /** The close begins: whoever listens to the signal stops. */
  abort(): void {
    this.#controller ??= new AbortController();
    this.#controller.abort();
  }

  /** The slot is about to be another's: from here on the handle answers by itself. What is published is delivered before. */
  entomb(receipt: ThreadCloseReceipt): void {
    this.#progress.entomb(receipt);
    this.#deliveries.deliver();
  }

  /** The writer can write nothing more of this thread. */
  fail(error: LastwordError): void {
    this.failure ??= error;
  }

  assertNotFailed(): void {
    if (this.failure !== undefined) throw this.withUnwritten(this.failure);
  }

  /** The item is checked; its producer may still refuse it. */
  #take(checked: object): number {
    try {
      const count = this.#host.producer.append(this.slot, this.incarnation, checked);
      return count === SEALED_COUNT ? this.#countLate(1) : this.#progress.base + count;
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** Adds the thread to what the producer, which knows slots only, throws. */
  #named(error: unknown): unknown {
    if (isLastwordError(error)) error.context.threadId ??= this.id;
    return error;
  }

  #countLate(items: number): typeof LATE {
    this.#progress.countLate(items);
    this.#host.cameLate(this, items);
    return LATE;
  }

  /** Whether the watermark is there. @throws the failure that keeps it from ever getting there */
  #isReached(count: number, durability: Durability): boolean {
    const isReached = this.#progress.isReached(count, durability);
    if (!isReached) this.assertNotFailed();
    return isReached;
  }

  /** The failure with the range that is not on disk. */
  withUnwritten(failure: LastwordError): LastwordError {
    const unwritten = failure.context.unwritten ?? this.unwritten;
    const context = { ...failure.context, threadId: this.id, ...(unwritten === undefined ? {} : { unwritten }) };
    return new LastwordError(failure.code, failure.message.slice(0, -` [${failure.code}]`.length), context, { cause: failure.cause });
  }
}

printAs(RolloutThread, 'Thread', ({ id, parentId, path, origin, state, accepted, written, synced }) => ({ id, parentId, path, origin, state, accepted, written, synced }));
