import { answer } from '../control/answer.js';
import { ProducerLink } from '../control/producer-link.js';
import type { OpenedThread, ProducerEvent, SharedOptions, Welcome, WireCreation } from '../control/producer-protocol.js';
import type { ProducerControl } from '../control/producer-protocol.js';
import type { Reply, SlotRef } from '../control/protocol.js';
import { threadIdOf } from '../create-thread.js';
import { fromWireError, LastwordError } from '../errors.js';
import { redactedMeta } from '../item-check.js';
import { flushAll } from '../lifecycle/flush.js';
import { abortable } from '../lifecycle/abortable.js';
import { LateNotices } from '../lifecycle/late-notices.js';
import type { CloseSteps } from '../lifecycle/thread-close.js';
import type { Log } from '../log.js';
import type { OpenThread } from '../open-thread.js';
import { assertThreadId, checkFlush, checkFork, checkResume } from '../options.js';
import { printAs } from '../printing.js';
import { depthOver } from '../producer/depth.js';
import { Encoder } from '../producer/encode.js';
import { ItemProducer } from '../producer/item-producer.js';
import { Waiters } from '../producer/waiters.js';
import { addLateAfter, recordLatency } from '../ring/figures.js';
import { HISTOGRAM_WORDS } from '../ring/layout.js';
import { viewProducerMemory, viewSidecarMemory, type ProducerMemory, type SidecarMemory } from '../ring/memory.js';
import { readStats, type Totals } from '../stats.js';
import { RolloutThread } from '../thread.js';
import type { HandleHost } from '../thread-host.js';
import { LATE } from '../types.js';
import type {
  CreateThreadOptions, FlushOptions, ForkThreadOptions, Producer, Receipt, Redact, ResumeThreadOptions, RolloutItem, SidecarStats, Thread, ThreadCloseReceipt, ThreadId,
} from '../types.js';
import { packMeta, unpackMeta } from './packed-meta.js';
import { RemoteClose } from './remote-close.js';

/** A command may wait for others of its thread, each within its own bound. */
const TIMES_TO_WAIT = 3;

/** The sidecar in another JavaScript thread than its own: appends by itself, and asks for everything else. */
export class AttachedProducer implements Producer, HandleHost {
  readonly options: SharedOptions & { readonly redact: Redact | undefined };
  readonly memory: SidecarMemory;
  readonly producerNumber: number;
  readonly producer: ItemProducer;
  readonly waiters: Waiters;
  readonly log: Log;
  readonly #ring: ProducerMemory;
  readonly #link: ProducerLink;
  readonly #ringBytes: number;
  readonly #threads = new Map<ThreadId, RolloutThread>();
  readonly #bySlot = new Map<number, RolloutThread>();
  readonly #flushes = new Int32Array(HISTOGRAM_WORDS);
  readonly #closedTotals: Totals = { threads: 0, items: 0, written: 0, late: 0 };
  readonly #lateNotices: LateNotices;
  readonly #onClosed: () => void;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #calls = 0;

  constructor({ control, options, ring, sidecar, transcoder }: Welcome, redact: Redact | undefined, onClosed: () => void) {
    const { memory, ringBytes, overflowBytes, producer } = ring;
    const view = viewProducerMemory(memory.buffer, ringBytes, overflowBytes);
    const encoder = new Encoder({ itemBytesMax: options.itemBytesMax, memory: view.buffer });
    this.#ring = view;
    this.options = { ...options, redact };
    this.memory = viewSidecarMemory(sidecar);
    this.producerNumber = producer;
    this.producer = new ItemProducer(view, this.memory, encoder, { ...options, overflowBytes, depth: depthOver(transcoder, memory) });
    this.#ringBytes = ringBytes;
    this.#onClosed = onClosed;
    this.#link = new ProducerLink(control, { onEvent: (event) => { this.#heard(event); }, onClosed: () => { this.#ended(); } });
    this.waiters = new Waiters(view, () => this.#link.hold());
    // What is routine is told by counts; the logger is the sidecar's.
    const quiet = (): void => undefined;
    this.log = { debug: quiet, info: quiet, warn: quiet, error: (members, message) => { this.#link.tell((sidecarControl) => { sidecarControl.logError(members, message); }); } };
    this.#lateNotices = new LateNotices((threadId, items) => { this.#tellLate(threadId, items); });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async createThread<I extends { type: string } = RolloutItem>(options: CreateThreadOptions = {}): Promise<Thread<I>> {
    this.#assertOpen();
    const creation = this.#creationOf(options);
    return this.#handle<I>(await this.#ask('createThread', (control) => control.createThread(creation)));
  }

  async forkThread<I extends { type: string } = RolloutItem>(id: ThreadId, options: ForkThreadOptions = {}): Promise<Thread<I>> {
    this.#assertOpen();
    assertThreadId(id);
    const { through, ...create } = checkFork(options);
    const live = this.#threads.get(id);
    const last = through ?? (live === undefined ? undefined : live.accepted - 1);
    const creation = this.#creationOf(create);
    return this.#handle<I>(await this.#ask('forkThread', (control) => control.forkThread(id, last, creation)));
  }

  async resumeThread<I extends { type: string } = RolloutItem>(id: ThreadId, options: ResumeThreadOptions = {}): Promise<Thread<I>> {
    const { ifMissing, create, signal } = checkResume(options);
    this.#assertOpen();
    assertThreadId(id);
    const creation = ifMissing === 'create' ? this.#creationOf(create) : undefined;
    for (;;) {
      signal?.throwIfAborted();
      const opened = await this.#resume(id, creation, signal);
      const live = this.#liveOf(opened);
      if (live === undefined) return this.#handle<I>(opened);
      // Its last owner has let go of it meanwhile: then behind its close.
      if (live.closing === undefined) return live.claim() as unknown as Thread<I>;
      await abortable(live.closing.catch(() => undefined), signal);
    }
  }

  async #resume(id: ThreadId, create: WireCreation | undefined, signal: AbortSignal | undefined): Promise<OpenedThread> {
    this.#calls += 1;
    const call = this.#calls;
    const onAbort = (): void => { this.#link.tell((control) => { control.abort(call); }); };
    signal?.addEventListener('abort', onAbort);
    try {
      return await this.#ask('resumeThread', (control) => control.resumeThread({ id, create, call }));
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  liveThread(id: ThreadId): Thread | undefined {
    return this.#threads.get(id);
  }

  async flush(options: FlushOptions = {}): Promise<Receipt[]> {
    return flushAll([...this.#threads.values()], this, checkFlush(options, this.options));
  }

  get needsDrain(): boolean {
    return !this.#isClosed && this.producer.needsDrain;
  }

  async drained(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkFlush(options, this.options);
    await this.waiters.until(() => this.#isClosed || this.producer.isDrained, {
      what: 'room in ring and overflow', timeoutMs: this.options.closeTimeoutMs, signal: options.signal,
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.producer.settle();
    await this.#ask('detach', (control) => control.detach());
    this.#lateNotices.flush();
    this.#link.close();
    this.#ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  stats(): SidecarStats {
    return readStats({
      memory: this.memory, producer: this.producer, ringBytes: this.#ringBytes, threads: [...this.#threads.values()], closed: this.#closedTotals,
      flushes: this.#flushes, writer: undefined,
    });
  }

  closeSteps(thread: OpenThread): CloseSteps {
    return new RemoteClose(thread, this.producer, this.#link);
  }

  recordFlush = (microseconds: number): void => {
    recordLatency(this.#flushes, 0, microseconds);
  };

  cameLate({ id, receipt }: OpenThread, items: number): void {
    if (receipt !== undefined) {
      this.#closedTotals.late += items;
      if (!this.#isClosed) addLateAfter(this.#ring, items);
    }
    this.#lateNotices.add(id, items);
  }

  #tellLate(threadId: ThreadId, items: number): void {
    if (!this.#isClosed) this.#link.tell((control) => { control.cameLate(threadId, items); });
  }

  #ask<T>(what: string, send: (control: ProducerControl) => Promise<Reply<T>>): Promise<T> {
    return this.#link.call(what, this.options.closeTimeoutMs * TIMES_TO_WAIT, send);
  }

  #assertOpen(): void {
    if (this.#isClosed || this.#closing !== undefined) throw new LastwordError('LASTWORD_NOT_OPEN', `producer ${this.producerNumber} is closed`);
  }

  /** @throws LASTWORD_INVALID_OPTION, LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE */
  #creationOf(options: CreateThreadOptions): WireCreation {
    const id = threadIdOf(options);
    const { parentId, meta } = options;
    if (parentId !== undefined) assertThreadId(parentId, 'parentId');
    const payload = redactedMeta(meta === undefined ? {} : meta, id, this.options.redact);
    return { id, isNewId: options.id === undefined, parentId, meta: packMeta(this.producer, payload) };
  }

  #liveOf({ slot, incarnation }: OpenedThread): RolloutThread | undefined {
    const thread = this.#bySlot.get(slot);
    return thread?.incarnation === incarnation ? thread : undefined;
  }

  /** The item's type is the caller's word for what it appends. */
  #handle<I extends { type: string }>({ opened, ...name }: OpenedThread): Thread<I> {
    const thread = new RolloutThread(this, name, opened);
    thread.setOpened(opened);
    this.#threads.set(thread.id, thread);
    this.#bySlot.set(thread.slot, thread);
    // Its close began before it was known here.
    if (thread.state !== 'open') thread.abort();
    return thread as unknown as Thread<I>;
  }

  #heard(event: ProducerEvent): void {
    const { slot, incarnation } = event;
    const known = this.#bySlot.get(slot);
    const thread = known?.incarnation === incarnation ? known : undefined;
    if (event.event === 'closed') {
      if (thread !== undefined) this.#closed(thread, event.receipt);
      this.#link.tell((control) => { control.letGo({ slot, incarnation }); });
    } else if (event.event === 'changeMeta') {
      void this.#changeMeta(thread, event);
    } else if (event.event === 'work') {
      void this.#sayHeld(thread, event);
    } else if (thread !== undefined) {
      if (event.event === 'abort') thread.abort();
      else if (event.event === 'moved') thread.moved(event.path);
      else if (event.event === 'failed') thread.fail(fromWireError(event.error));
      else thread.trouble = event.error && fromWireError(event.error);
    }
    this.waiters.recheck();
  }

  async #sayHeld(thread: RolloutThread | undefined, { slot, incarnation, waitMs }: { slot: number; incarnation: number; waitMs: number }): Promise<void> {
    await thread?.workSettled(performance.now() + waitMs, waitMs > 0);
    this.#link.tell((control) => { control.heldBy({ slot, incarnation }, thread?.heldBy ?? []); });
  }

  /** One that is not known here was closed. */
  async #changeMeta(thread: RolloutThread | undefined, { slot, incarnation, call, patch }: SlotRef & { call: number; patch: Uint8Array }): Promise<void> {
    const reply = await answer('LASTWORD_ITEM_INVALID', () => thread?.changeMeta(unpackMeta(patch)) ?? LATE);
    this.#link.tell((control) => { control.metaChanged({ slot, incarnation }, call, reply); });
  }

  #closed(thread: RolloutThread, receipt: ThreadCloseReceipt): void {
    thread.entomb(receipt);
    this.#threads.delete(thread.id);
    this.#bySlot.delete(thread.slot);
    this.#closedTotals.threads += 1;
    this.#closedTotals.items += receipt.items;
    this.#closedTotals.written += receipt.nextOrdinal - thread.base;
    this.#closedTotals.late += receipt.late;
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.waiters.recheck();
    this.#onClosed();
  }
}

printAs(AttachedProducer, 'Producer', ({ producerNumber, isClosed }) => ({ producer: producerNumber, isClosed }));
