import { isLastwordError, LastwordError } from './errors.js';
import { beginFlush, endFlushes, type Flush } from './lifecycle/flush.js';
import type { Opened } from './lifecycle/opened.js';
import { Progress } from './lifecycle/progress.js';
import { SharedPromise } from './lifecycle/shared-promise.js';
import { planClose, type CloseSteps, type ClosePlan } from './lifecycle/thread-close.js';
import { checkFlush } from './options.js';
import type { HandleHost } from './thread-host.js';
import type {
  CloseOptions, Durability, FlushOptions, LiveThread, Receipt, Thread, ThreadCloseReceipt, ThreadId, ThreadState,
} from './types.js';

/** Names one opening of a thread. */
export interface OpeningName { readonly id: ThreadId; readonly origin: Thread['origin']; readonly slot: number; readonly incarnation: number }

/** One opening of a thread, whoever appends to it. */
export abstract class OpenThread implements LiveThread {
  readonly id: ThreadId;
  readonly origin: Thread['origin'];
  readonly slot: number;
  readonly incarnation: number;
  /** Who appends. 0: the thread of the sidecar itself. */
  abstract readonly producer: number;
  protected readonly progress: Progress;
  protected opened: Opened;
  readonly #host: HandleHost;
  readonly #steps: CloseSteps;
  readonly #closing = new SharedPromise<ThreadCloseReceipt>();
  #isOpened = false;
  /** Owners that have not let go of the handle. */
  #claims = 1;
  /** The permanent error. */
  #failure: LastwordError | undefined;
  /** What keeps items from being written just now, and is tried again. */
  #trouble: LastwordError | undefined;

  constructor(host: HandleHost, { id, origin, slot, incarnation }: OpeningName, opened: Opened) {
    this.#host = host;
    this.id = id;
    this.origin = origin;
    this.slot = slot;
    this.incarnation = incarnation;
    this.opened = opened;
    this.progress = new Progress(host.memory, id, slot);
    this.progress.base = opened.base;
    this.#steps = host.closeSteps(this);
  }

  /** The close begins: whoever listens to the signal stops. */
  abstract abort(): void;
  /** As setMeta() of a handle, by whoever appends. LATE: its close comes first, or its producer's end; that counts nothing. @throws as setMeta(), LASTWORD_TIMEOUT */
  abstract changeMeta(patch: Record<string, unknown>): number | Promise<number>;
  /** Resolves when no work is held any more, or at the moment; undefined when there is nothing to wait for. Where `mayWait` is false work is not waited for. */
  abstract workSettled(until: number, mayWait: boolean): Promise<void> | undefined;
  /** What held it when it was last looked at. */
  abstract get heldBy(): string[];
  /** The thread was sealed: whoever waits for room to append to it looks again. */
  abstract wakeProducer(): void;
  /** Behind its close: resolves when no handle looks at its slot any more; undefined when none does now. */
  abstract letGo(): Promise<void> | undefined;

  get path(): string {
    return this.opened.path;
  }

  /** Somebody else has given the rollout another name. */
  moved(path: string): void {
    this.opened = { ...this.opened, path };
  }

  get recovery(): Thread['recovery'] {
    return this.opened.recovery;
  }

  get parentId(): ThreadId | undefined {
    return this.opened.parentId;
  }

  /** What was said of it when it was opened, and since. */
  get description(): Opened {
    return this.opened;
  }

  /** The writer has its rollout open, and the handle may be given out. */
  get isOpened(): boolean {
    return this.#isOpened;
  }

  /** Ordinal of the first item of this opening. */
  get base(): number {
    return this.progress.base;
  }

  get state(): ThreadState {
    return this.progress.state;
  }

  get accepted(): number {
    return this.progress.accepted;
  }

  get written(): number {
    return this.progress.written;
  }

  get synced(): number {
    return this.progress.synced;
  }

  /** Items that came after the seal, so far. */
  get late(): number {
    return this.progress.late;
  }

  /** The range that is accepted and not on disk. */
  get unwritten(): { threadId: ThreadId; from: number; to: number }[] | undefined {
    return this.progress.unwritten;
  }

  /** Of the close, once it is over. */
  get receipt(): ThreadCloseReceipt | undefined {
    return this.progress.receipt;
  }

  get failure(): LastwordError | undefined {
    return this.#failure;
  }

  get trouble(): LastwordError | undefined {
    return this.#trouble;
  }

  set trouble(trouble: LastwordError | undefined) {
    this.#trouble = trouble;
  }

  async flush(options: FlushOptions = {}): Promise<Receipt> {
    const { options: defaults, producer } = this.#host;
    const checked = checkFlush(options, defaults);
    const closed = this.progress.receipt;
    if (closed !== undefined) return closed;
    producer.settle();
    const flush = this.beginFlush(checked.durability, true);
    await endFlushes([flush], this.#host, checked);
    return flush.receipt();
  }

  /** `wakes`: false where whoever begins many wakes the writer once, itself. */
  beginFlush(durability: Durability, wakes: boolean): Flush {
    return beginFlush(this.progress, durability, wakes, () => { this.assertNotFailed(); });
  }

  close(options: CloseOptions = {}): Promise<ThreadCloseReceipt> {
    return this.#closing.get(async () => this.#steps.run(planClose(options, this.#host.options)));
  }

  /** As close(), for whoever closes more than this thread. */
  closeBy(plan: ClosePlan): Promise<ThreadCloseReceipt> {
    return this.#closing.get(() => this.#steps.run(plan));
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
    this.opened = opened;
    this.progress.base = opened.base;
    this.#isOpened = true;
  }

  /** The slot is about to be another's: from here on the handle answers by itself. */
  entomb(receipt: ThreadCloseReceipt): void {
    this.progress.entomb(receipt);
  }

  /** The writer can write nothing more of this thread. */
  fail(error: LastwordError): void {
    this.#failure ??= error;
  }

  assertNotFailed(): void {
    if (this.#failure !== undefined) throw this.withUnwritten(this.#failure);
  }

  /** Whether the watermark is there. @throws the failure that keeps it from ever getting there */
  protected isReached(count: number, durability: Durability): boolean {
    const isReached = this.progress.isReached(count, durability);
    if (!isReached) this.assertNotFailed();
    return isReached;
  }

  /** Adds the thread to what a producer, which knows slots only, throws. */
  protected named(error: unknown): unknown {
    if (isLastwordError(error)) error.context.threadId ??= this.id;
    return error;
  }

  /** The failure with the range that is not on disk. */
  withUnwritten(failure: LastwordError): LastwordError {
    const unwritten = failure.context.unwritten ?? this.unwritten;
    const context = { ...failure.context, threadId: this.id, ...(unwritten === undefined ? {} : { unwritten }) };
    return new LastwordError(failure.code, failure.message.slice(0, -` [${failure.code}]`.length), context, { cause: failure.cause });
  }
}
