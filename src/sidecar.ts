import type { EngineData } from '../worker/engine.js';
import { Standby } from '../worker/standby.js';
import type { Opening } from './control/protocol.js';
import { ProducerServer } from './control/producer-server.js';
import { WriterLink } from './control/writer-link.js';
import { isLastwordError, LastwordError, toWireError } from './errors.js';
import { bounded, failuresOf, incompleteClose } from './lifecycle/close-threads.js';
import { leftUntil } from './lifecycle/deadline.js';
import { flushAll } from './lifecycle/flush.js';
import { LateNotices } from './lifecycle/late-notices.js';
import { RegistryListHost } from './lifecycle/list-host.js';
import { Registry } from './lifecycle/registry.js';
import { SharedPromise } from './lifecycle/shared-promise.js';
import { planClose, ThreadClose, type ClosePlan, type CloseSteps } from './lifecycle/thread-close.js';
import { ExitDrain } from './exit/exit-drain.js';
import { hearOfEnd } from './exit/process-end.js';
import { hearOfSignals } from './exit/signals.js';
import { ThreadLists } from './reader/lists/thread-lists.js';
import { FilePool } from './pool/file-pool.js';
import { StoredThreads } from './lifecycle/stored-threads.js';
import { WriterEvents } from './lifecycle/writer-events.js';
import { createLog, type Log } from './log.js';
import { checkFlush, DIRECTORY_ALLOWED, invalidOption, type ResolvedOptions } from './options.js';
import { printAs } from './printing.js';
import { type ItemProducer } from './producer/item-producer.js';
import { Waiters } from './producer/waiters.js';
import { wakeProducer } from './ring/doorbell.js';
import { HISTOGRAM_WORDS } from './ring/layout.js';
import type { ProducerMemory, SidecarMemory } from './ring/memory.js';
import { recordLatency } from './ring/figures.js';
import { readStats, type Totals } from './stats.js';
import type { OpenThread } from './open-thread.js';
import { RolloutThread } from './thread.js';
import type { ThreadHost } from './thread-host.js';
import { ThreadOperations } from './thread-operations.js';
import type {
  CloseOptions, FlushOptions, ProducerPort, Receipt, Sidecar, SidecarCloseReceipt, SidecarState, SidecarStats, ThreadCloseReceipt,
} from './types.js';
import { tasksFolder } from './worker-files.js';

/** Owns writer, ring and threads. */
export class OpenSidecar extends ThreadOperations implements Sidecar, ThreadHost {
  readonly options: ResolvedOptions;
  readonly memory: SidecarMemory;
  readonly producer: ItemProducer;
  readonly waiters: Waiters;
  readonly log: Log;
  readonly producerNumber = 0;
  abandonLost: ThreadHost['abandonLost'] = () => { throw new LastwordError('LASTWORD_NOT_OPEN', 'the sidecar has no writer'); };
  readonly #ring: ProducerMemory;
  readonly #data: EngineData;
  readonly #producers: ProducerServer;
  #stopHearing: (() => void)[] = [];
  protected readonly registry: Registry;
  protected readonly stored: StoredThreads;
  readonly #pool: FilePool;
  readonly #listed: RegistryListHost;
  protected readonly lists: ThreadLists;
  readonly #lateNotices = new LateNotices((threadId, count) => { this.tell('late', { threadId, count }); });
  readonly #closing = new SharedPromise<SidecarCloseReceipt>();
  readonly #closed: Totals & { forced: number } = { threads: 0, items: 0, written: 0, late: 0, forced: 0 };
  readonly #flushes = new Int32Array(HISTOGRAM_WORDS);
  readonly #openedMs = performance.now();
  #writer: WriterLink | undefined;
  #state: SidecarState = 'open';
  #writerLost: LastwordError | undefined;
  #isDrainAwaited = false;

  constructor(options: ResolvedOptions, memory: SidecarMemory, ring: ProducerMemory, producer: ItemProducer, data: EngineData) {
    super();
    this.options = options;
    this.memory = memory;
    this.producer = producer;
    this.#ring = ring;
    this.#data = data;
    this.#pool = new FilePool({ tasks: () => tasksFolder(options.writerUrl) });
    this.#producers = new ProducerServer({
      sidecar: this, registry: () => this.registry, stored: () => this.stored,
      cameLate: (threadId, count) => { this.tell('late', { threadId, count }); },
      lateAfterReceipt: (items) => { this.#closed.late += items; },
      resumeFailed: (failed) => { this.resumeFailed(failed); },
    }, options, { sidecar: memory.buffer, rings: data.rings, transcoder: data.transcoder, instance: data.owner.instance });
    this.log = createLog(options.logger);
    this.registry = new Registry(this, { producer: 0, redact: options.redact, newThread: (name, opened) => new RolloutThread(this, name, opened) });
    this.stored = new StoredThreads(this, this.registry);
    this.#listed = new RegistryListHost(this, this.registry, { pool: this.#pool, instance: data.owner.instance });
    this.lists = new ThreadLists(this.#listed);
    this.waiters = new Waiters(ring, () => this.writer.hold());
  }

  async start(url: URL): Promise<void> {
    const { log, memory, options: { directory, closeTimeoutMs }, producer, registry, waiters } = this;
    const events = new WriterEvents({
      memory, registry, waiters, log,
      standIn: () => { producer.onPublished = () => { this.writer.pass(); }; this.#producers.wakeAll(); },
      lose: (error) => { this.#lose(error); },
      tell: (event, members) => { this.tell(event, members); },
    });
    const standby = new Standby(this.#data, directory, (event) => { events.onEvent(event); });
    this.abandonLost = (thread) => standby.abandon(this.#openings, thread);
    const parts = { url, data: this.#data, directory, memory, ring: this.#ring, standby, openings: () => this.#openings };
    this.#writer = await WriterLink.start(parts, events);
    producer.onWriterGone = () => { this.writer.revive(); };
    try {
      await this.writer.call('openDirectory', closeTimeoutMs, (control) => control.openDirectory(directory));
    } catch (error) {
      await this.writer.terminate();
      const isRefused = isLastwordError(error) && error.code === 'LASTWORD_INVALID_OPTION';
      throw isRefused ? invalidOption('directory', directory, DIRECTORY_ALLOWED, error.cause) : error;
    }
    this.#hearOfEnd(standby);
  }

  /** What a writer would take over. */
  get #openings(): Opening[] {
    return this.registry.threads.map(({ id: threadId, slot, incarnation, base, path, trouble, failure }) => ({
      threadId, slot, incarnation, base, path, isDegraded: trouble !== undefined, failure: failure && toWireError(failure, failure.code),
    }));
  }

  /** Until it is closed. */
  #hearOfEnd(standby: Standby): void {
    const { log, memory, options, producer, writer } = this;
    const drain = new ExitDrain({
      options, memory, producer, log, standby, writer, ring: this.#ring, threads: () => this.registry.threads, openings: () => this.#openings,
    });
    this.#stopHearing = [
      ...(options.exitTimeoutMs > 0 ? [hearOfEnd(drain)] : []),
      hearOfSignals(options.signals, {
        close: () => this.close(),
      }),
    ];
  }

  get state(): SidecarState {
    return this.#state;
  }

  get directory(): string {
    return this.options.directory;
  }

  get writer(): WriterLink {
    if (this.#writer === undefined) throw new LastwordError('LASTWORD_NOT_OPEN', 'the sidecar has no writer');
    return this.#writer;
  }

  get writerLost(): LastwordError | undefined {
    return this.#writerLost;
  }

  async flush(options: FlushOptions = {}): Promise<Receipt[]> {
    return flushAll(this.registry.threads, this, checkFlush(options, this.options));
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
    return this.#closing.get(async () => {
      const plan = planClose(options, this.options);
      try {
        return await this.#close(plan);
      } catch (error) {
        const code = isLastwordError(error) ? error.code : undefined;
        if (this.#writerLost === undefined || plan.abandon) this.log.error({ code, threads: this.registry.threads.length }, 'close of the sidecar could not finish');
        throw error;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  createProducerPort(): ProducerPort {
    this.assertOpen();
    return { port: this.#producers.createPort() };
  }

  stats(): SidecarStats {
    this.#closed.late += this.#producers.takeLate();
    return readStats({
      memory: this.memory, producer: this.producer, ringBytes: this.options.ringBytes,
      threads: this.registry.threads, closed: this.#closed, flushes: this.#flushes, writer: this.#writer,
    });
  }

  recordFlush = (microseconds: number): void => {
    recordLatency(this.#flushes, 0, microseconds);
  };

  closeSteps(thread: OpenThread): CloseSteps {
    return new ThreadClose(thread, this);
  }

  threadReleased(thread: OpenThread, receipt: ThreadCloseReceipt): void {
    this.#closed.threads += 1;
    this.#closed.items += receipt.items;
    this.#closed.written += receipt.nextOrdinal - thread.base;
    this.#closed.late += receipt.late;
    this.#closed.forced += receipt.forced ? 1 : 0;
    this.registry.remove(thread);
    this.#listed.released(thread.path);
    this.waiters.recheck();
    this.tell('threadClosed', receipt);
  }

  closeChildren(thread: OpenThread, plan: ClosePlan): Promise<unknown>[] {
    return this.registry.closeChildren(thread, plan);
  }

  cameLate(thread: OpenThread, items: number): void {
    if (thread.state === 'closed') this.#closed.late += items;
    this.log.debug({ threadId: thread.id, items, late: thread.late }, 'late: appended after the seal');
    this.#lateNotices.add(thread.id, items);
  }

  async #close(plan: ClosePlan): Promise<SidecarCloseReceipt> {
    if (this.#writerLost === undefined) this.#state = 'closing';
    else if (!plan.abandon) throw this.#writerLost;
    await this.registry.settled(leftUntil(plan.deadline));
    const failures = await failuresOf(this.registry.threads.map((thread) => bounded(thread, thread.closeBy(plan), plan)));
    if (failures.length > 0) throw incompleteClose(failures);
    this.#producers.close();
    if (this.#writerLost === undefined) await this.#endWriter(plan);
    this.#state = 'closed';
    await this.#pool.close();
    for (const stop of this.#stopHearing.splice(0)) stop();
    this.waiters.recheck();
    this.#lateNotices.flush();
    const { items, bytes } = this.stats();
    return {
      threads: this.#closed.threads, items: this.#closed.items, bytes: bytes.written, late: items.late, forced: this.#closed.forced,
      durationMs: performance.now() - this.#openedMs,
    };
  }

  async #endWriter({ abandon, deadline }: ClosePlan): Promise<void> {
    try {
      await this.writer.end(Math.max(1, leftUntil(deadline)));
    } catch (error) {
      if (!abandon) throw error;
      const { code, context: { errno } } = isLastwordError(error) ? error : { code: undefined, context: { errno: undefined } };
      this.log.warn({ code, errno }, 'the writer was ended with its leases still there: they end with this process');
      await this.writer.terminate();
    }
  }

  /** @throws LASTWORD_NOT_OPEN, and what ended the writer */
  assertOpen(): void {
    if (this.#writerLost !== undefined && this.#state !== 'closed') throw this.#writerLost;
    if (this.#state !== 'open') throw new LastwordError('LASTWORD_NOT_OPEN', `the sidecar is ${this.#state}`, { directory: this.directory });
  }

  protected assertReadable(): void {
    if (this.#state === 'closed') this.assertOpen();
  }

  #isDrained(): boolean {
    if (this.#state === 'closed') return true;
    if (this.#writerLost !== undefined) throw this.#writerLost;
    return this.producer.isDrained;
  }

  #awaitDrain(): void {
    this.#isDrainAwaited = true;
    this.drained().then(() => {
      this.#isDrainAwaited = false;
      this.tell('drain', undefined);
    }, (error: unknown) => {
      // A ring that does not drain in time is seen by the append that then finds it full; the next look waits again.
      this.#isDrainAwaited = false;
      this.log.debug({ code: isLastwordError(error) ? error.code : undefined }, 'no drain event: the wait for room ended');
    });
  }

  #lose(error: LastwordError): void {
    this.#writerLost = error;
    this.#state = 'failed';
    wakeProducer(this.#ring);
    this.#producers.wakeAll();
  }
}

printAs(OpenSidecar, 'Sidecar', (sidecar) => ({ directory: sidecar.directory, state: sidecar.state, threads: [...sidecar.liveThreads()].length }));
