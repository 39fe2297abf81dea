import { EventEmitter } from 'node:events';
import { WriterHandle } from './control/writer-handle.js';
import type { WriterEvent } from './control/protocol.js';
import { fromWireError, isLastwordError, LastwordError } from './errors.js';
import { createLog, type Log } from './log.js';
import { checkFlush, DIRECTORY_ALLOWED, invalidOption, resolveOptions, type ResolvedOptions, type SidecarOptions } from './options.js';
import { compileTranscoder, depthOver } from './producer/depth.js';
import { Encoder } from './producer/encode.js';
import { ItemProducer } from './producer/item-producer.js';
import { Waiters } from './producer/waiters.js';
import { markWriterExited, requestSync, wakeProducer, wakeWriter } from './ring/doorbell.js';
import { HISTOGRAM_WORDS } from './ring/layout.js';
import { createProducerWasmMemory, createSidecarMemory, viewProducerMemory, type ProducerMemory, type SidecarMemory } from './ring/memory.js';
import { moveState, seal } from './ring/slots.js';
import { recordLatency } from './ring/figures.js';
import { readStats, type Totals } from './stats.js';
import { createCommand, threadIdOf } from './create-thread.js';
import { RolloutThread } from './thread.js';
import type { ThreadHost } from './thread-host.js';
import { SlotTable } from './slot-table.js';
import type {
  CloseOptions, CreateThreadOptions, FlushOptions, LiveThread, Receipt, RolloutItem, Sidecar, SidecarCloseReceipt, SidecarEvents,
  SidecarState, SidecarStats, Thread, ThreadId,
} from './types.js';

type EventMap = { [E in keyof SidecarEvents]: [SidecarEvents[E]] };

/**
 * Starts the writer and resolves when it is ready; creates the directory (0700).
 * @throws LASTWORD_INVALID_OPTION, LASTWORD_WRITER_EXITED, LASTWORD_TIMEOUT (the writer did not start)
 */
export async function openSidecar(options: SidecarOptions): Promise<Sidecar> {
  const resolved = resolveOptions(options);
  const { ringBytes, overflowBytes, openFilesMax, syncIntervalMs, unsyncedBytes, writerUrl } = resolved;
  const transcoder = await compileTranscoder();
  const memory = createSidecarMemory();
  const wasmMemory = createProducerWasmMemory(ringBytes, overflowBytes);
  const ring = viewProducerMemory(wasmMemory.buffer, ringBytes, overflowBytes);
  const encoder = new Encoder({ itemBytesMax: resolved.itemBytesMax, memory: ring.buffer });
  const producer = new ItemProducer(ring, memory, encoder, { ...resolved, depth: depthOver(transcoder, wasmMemory) });
  const sidecar = new OpenSidecar(resolved, memory, ring, producer);
  const data = {
    sidecar: memory.buffer, ring: { memory: wasmMemory, ringBytes, overflowBytes }, transcoder, openFilesMax, syncIntervalMs, unsyncedBytes,
  };
  await sidecar.start(writerUrl ?? new URL('../worker/main.js', import.meta.url), data);
  return sidecar;
}

/** Owns writer, ring and threads. */
class OpenSidecar extends EventEmitter<EventMap> implements Sidecar, ThreadHost {
  readonly options: ResolvedOptions;
  readonly memory: SidecarMemory;
  readonly producer: ItemProducer;
  readonly waiters: Waiters;
  readonly log: Log;
  readonly #ring: ProducerMemory;
  readonly #slots: SlotTable;
  readonly #threads = new Map<ThreadId, RolloutThread>();
  /** By slot: whom an event of the writer is about. */
  readonly #threadOfSlot: (RolloutThread | undefined)[] = [];
  /** Creations under way: close() waits for them. Nobody gets a handle before the writer takes the slot's frames. */
  readonly #creating = new Map<ThreadId, Promise<unknown>>();
  readonly #closed: Totals = { threads: 0, items: 0, late: 0 };
  readonly #flushes = new Int32Array(HISTOGRAM_WORDS);
  readonly #openedMs = performance.now();
  #writer: WriterHandle | undefined;
  #state: SidecarState = 'open';
  #closing: Promise<SidecarCloseReceipt> | undefined;
  #writerDeath: LastwordError | undefined;
  #isDrainAwaited = false;

  constructor(options: ResolvedOptions, memory: SidecarMemory, ring: ProducerMemory, producer: ItemProducer) {
    super();
    this.options = options;
    this.memory = memory;
    this.producer = producer;
    this.#ring = ring;
    this.log = createLog(options.logger);
    this.#slots = new SlotTable(memory);
    this.waiters = new Waiters(ring, () => this.writer.hold());
  }

  async start(url: URL, data: Parameters<typeof WriterHandle.start>[1]): Promise<void> {
    this.#writer = await WriterHandle.start(url, data, {
      onEvent: (event) => { this.#onWriterEvent(event); },
      onDeath: (error) => { this.#onWriterDeath(error); },
    });
    const { directory, closeTimeoutMs } = this.options;
    try {
      await this.writer.call('openDirectory', closeTimeoutMs, (control) => control.openDirectory(directory));
    } catch (error) {
      await this.writer.terminate();
      const isRefused = isLastwordError(error) && error.code === 'LASTWORD_INVALID_OPTION';
      throw isRefused ? invalidOption('directory', directory, DIRECTORY_ALLOWED, error.cause) : error;
    }
  }

  get state(): SidecarState {
    return this.#state;
  }

  get directory(): string {
    return this.options.directory;
  }

  get writer(): WriterHandle {
    if (this.#writer === undefined) throw new LastwordError('LASTWORD_NOT_OPEN', 'the sidecar has no writer');
    return this.#writer;
  }

  get writerDeath(): LastwordError | undefined {
    return this.#writerDeath;
  }

  async createThread<I extends { type: string } = RolloutItem>(options: CreateThreadOptions = {}): Promise<Thread<I>> {
    this.#assertOpen();
    const id = threadIdOf(options);
    if (this.#threads.has(id) || this.#creating.has(id)) throw new LastwordError('LASTWORD_THREAD_EXISTS', `thread ${id} is open`, { threadId: id });
    const creating = this.#create(id, options);
    this.#creating.set(id, creating);
    try {
      // The item's type is the caller's word for what it appends; the handle takes any.
      return await creating;
    } finally {
      this.#creating.delete(id);
    }
  }

  async #create(id: ThreadId, options: CreateThreadOptions): Promise<RolloutThread> {
    const timestampMs = Date.now();
    const command = createCommand(this.options, id, options.meta === undefined ? {} : options.meta, timestampMs, (item) => this.producer.encode(item));
    const place = this.#slots.take(command.base);
    const thread = new RolloutThread(this, { id, path: command.path, ...place });
    this.#threadOfSlot[place.slot] = thread;
    try {
      await this.writer.call('createThread', this.options.closeTimeoutMs, (control) => control.createThread({ ...command, ...place }));
    } catch (error) {
      if (isLastwordError(error) && error.code === 'LASTWORD_TIMEOUT') this.#undoCreate(thread);
      else this.#forget(thread);
      throw error;
    }
    this.#threads.set(id, thread);
    return thread;
  }

  /** The writer may still make the rollout: the slot is nobody's until it has said that it let go of it. */
  #undoCreate(thread: RolloutThread): void {
    const { slot, incarnation, id: threadId } = thread;
    const release = { slot, incarnation, threadId, sync: false };
    this.writer.call('releaseThread', this.options.closeTimeoutMs, (control) => control.releaseThread(release)).then(
      () => { this.#forget(thread); },
      () => { this.log.debug({ threadId }, 'a slot stays taken: its creation was not undone'); },
    );
  }

  liveThread(id: ThreadId): Thread | undefined {
    return this.#threads.get(id);
  }

  liveThreads(): Iterable<LiveThread> {
    return [...this.#threads.values()];
  }

  async flush(options: FlushOptions = {}): Promise<Receipt[]> {
    const isSynced = checkFlush(options, this.options).durability === 'synced';
    const flushes = [...this.#threads.values()].map((thread) => thread.beginFlush(options, false));
    if (isSynced) requestSync(this.memory);
    wakeWriter(this.memory);
    return Promise.all(flushes);
  }

  get needsDrain(): boolean {
    const needs = this.producer.needsDrain;
    if (needs && !this.#isDrainAwaited) this.#awaitDrain();
    return needs;
  }

  async drained(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const what = 'room in ring and overflow';
    checkFlush(options, this.options);
    await this.waiters.until(() => this.#isDrained(), { what, timeoutMs: this.options.closeTimeoutMs, signal: options.signal });
  }

  close(options: CloseOptions = {}): Promise<SidecarCloseReceipt> {
    this.#closing ??= this.#close(options).catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  stats(): SidecarStats {
    return readStats({
      memory: this.memory, producer: this.producer, ringBytes: this.options.ringBytes,
      threads: [...this.#threads.values()], closed: this.#closed, flushes: this.#flushes, commands: this.#writer?.commands ?? 0,
    });
  }

  recordFlush = (microseconds: number): void => {
    recordLatency(this.#flushes, 0, microseconds);
  };

  threadReleased(thread: RolloutThread): void {
    this.#closed.threads += 1;
    this.#closed.items += thread.accepted - thread.base;
    this.#closed.late += thread.late;
    this.#forget(thread);
  }

  lateAfterClose(items: number): void {
    this.#closed.late += items;
  }

  #forget(thread: RolloutThread): void {
    this.#threads.delete(thread.id);
    this.#threadOfSlot[thread.slot] = undefined;
    this.#slots.giveBack(thread.slot);
  }

  async #close(options: CloseOptions): Promise<SidecarCloseReceipt> {
    const { timeoutMs } = checkFlush(options, this.options);
    const deadline = performance.now() + timeoutMs;
    if (this.#writerDeath !== undefined) throw this.#writerDeath;
    this.#state = 'closing';
    await Promise.allSettled(this.#creating.values());
    const closings = await Promise.allSettled([...this.#threads.values()].map((thread) => thread.close({ ...options, timeoutMs })));
    const failures = closings.flatMap((closing) => (closing.status === 'rejected' ? [closing.reason as unknown] : []));
    if (failures.length > 0) throw incompleteClose(failures);
    await this.writer.end(Math.max(1, deadline - performance.now()));
    this.#state = 'closed';
    this.waiters.recheck();
    const { items, bytes } = this.stats();
    return {
      threads: this.#closed.threads, items: this.#closed.items, bytes: bytes.written, late: items.late, forced: 0,
      durationMs: performance.now() - this.#openedMs,
    };
  }

  #assertOpen(): void {
    if (this.#writerDeath !== undefined) throw this.#writerDeath;
    if (this.#state !== 'open') throw new LastwordError('LASTWORD_NOT_OPEN', `the sidecar is ${this.#state}`, { directory: this.directory });
  }

  #isDrained(): boolean {
    if (this.#writerDeath !== undefined) throw this.#writerDeath;
    return this.producer.isDrained || this.#state === 'closed';
  }

  #awaitDrain(): void {
    this.#isDrainAwaited = true;
    this.drained().then(() => {
      this.#isDrainAwaited = false;
      this.emit('drain', undefined);
    }, (error: unknown) => {
      // A ring that does not drain in time is seen by the append that then finds it full; the next look waits again.
      this.#isDrainAwaited = false;
      this.log.debug({ code: isLastwordError(error) ? error.code : undefined }, 'no drain event: the wait for room ended');
    });
  }

  #onWriterEvent(event: WriterEvent): void {
    if (event.event !== 'threadFailed') return;
    const error = fromWireError(event.error);
    const thread = this.#threadOfSlot[event.slot];
    const { threadId, errno } = error.context;
    this.log.error({ threadId, errno, code: error.code }, 'thread failed: nothing more of it is written');
    if (thread?.incarnation !== event.incarnation) return;
    thread.fail(error);
    this.waiters.recheck();
  }

  #onWriterDeath(error: LastwordError): void {
    this.#writerDeath = error;
    this.#state = 'failed';
    markWriterExited(this.memory);
    this.log.error({ code: error.code, exitCode: error.context['exitCode'], threads: this.#threads.size }, 'the writer ended: nothing more is written');
    for (const thread of this.#threads.values()) {
      seal(this.memory, thread.slot);
      moveState(this.memory, thread.slot, 'failed');
      thread.fail(error);
    }
    wakeProducer(this.#ring);
    this.waiters.recheck();
  }
}

/** One error for all threads whose drain was not acknowledged, each named; any other failure as it is. */
function incompleteClose(failures: readonly unknown[]): unknown {
  const errors = failures.filter((failure) => isLastwordError(failure));
  const unwritten = errors.flatMap((error) => error.context.unwritten ?? []);
  if (errors.length < failures.length || unwritten.length === 0) return failures[0];
  return new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `${unwritten.length} threads have items that were not acknowledged`, { unwritten },
    { cause: errors[0] });
}
