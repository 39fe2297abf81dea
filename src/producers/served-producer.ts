import { answer } from '../control/answer.js';
import type { OpenedThread, ProducerControl, ProducerEvent, WireClose, WireCreation, WireResume } from '../control/producer-protocol.js';
import type { Reply, RingData, SlotRef } from '../control/protocol.js';
import { LastwordError } from '../errors.js';
import { failuresOf, incompleteClose } from '../lifecycle/close-threads.js';
import type { Opened } from '../lifecycle/opened.js';
import type { Creation, Registry, ThreadOwner } from '../lifecycle/registry.js';
import type { StoredThreads } from '../lifecycle/stored-threads.js';
import { planClose } from '../lifecycle/thread-close.js';
import type { OpeningName, OpenThread } from '../open-thread.js';
import { wakeProducer } from '../ring/doorbell.js';
import { viewProducerMemory, type ProducerMemory } from '../ring/memory.js';
import type { ThreadHost } from '../thread-host.js';
import type { SidecarEvents, ThreadCloseReceipt } from '../types.js';
import { unpackMeta } from './packed-meta.js';
import { ForeignThread, type ThreadProducer } from './foreign-thread.js';

export interface ProducersHost {
  readonly sidecar: ThreadHost;
  readonly registry: () => Registry;
  readonly stored: () => StoredThreads;
  /** Is told. */
  cameLate(threadId: string, items: number): void;
  /** No receipt tells of them. */
  lateAfterReceipt(items: number): void;
  resumeFailed(failed: SidecarEvents['resumeFailed']): void;
}

/** Parts of the sidecar that a producer's end takes back. */
export interface ServedParts {
  readonly ring: RingData;
  /** Posts to the producer. */
  readonly tell: (event: ProducerEvent) => void;
  /** Nothing of it is left: neither threads nor operations. */
  readonly onOver: () => Promise<void>;
}

/** A producer in another JavaScript thread, as the sidecar's own thread serves it. Asked for a thread, it owns it. */
export class ServedProducer implements ProducerControl, ThreadOwner, ThreadProducer {
  readonly producer: number;
  /** It has redacted what it sends. */
  readonly redact = undefined;
  readonly memory: ProducerMemory;
  readonly #host: ProducersHost;
  readonly #parts: ServedParts;
  /** By slot. */
  readonly #threads = new Map<number, ForeignThread>();
  readonly #aborts = new Map<number, AbortController>();
  #operations = 0;
  #hasEnded = false;
  #isOver = false;

  constructor(host: ProducersHost, parts: ServedParts) {
    const { producer, memory, ringBytes, overflowBytes } = parts.ring;
    this.#host = host;
    this.#parts = parts;
    this.producer = producer;
    this.memory = viewProducerMemory(memory.buffer, ringBytes, overflowBytes);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  newThread(name: OpeningName, opened: Opened): OpenThread {
    return new ForeignThread(this.#host.sidecar, this, name, opened);
  }

  tell(event: ProducerEvent): void {
    if (!this.#hasEnded) this.#parts.tell(event);
  }

  wake(): void {
    wakeProducer(this.memory);
  }

  released(thread: ForeignThread): void {
    this.#threads.delete(thread.slot);
    this.#finish();
  }

  createThread(creation: WireCreation): Promise<Reply<OpenedThread>> {
    return this.#open(() => this.#host.registry().create(creationOf(creation), this));
  }

  forkThread(id: string, through: number | undefined, creation: WireCreation): Promise<Reply<OpenedThread>> {
    return this.#open(() => this.#host.stored().fork(id, { through, ...creationOf(creation) }, this));
  }

  resumeThread({ id, create, call }: WireResume): Promise<Reply<OpenedThread>> {
    const controller = new AbortController();
    this.#aborts.set(call, controller);
    return this.#open(async () => {
      const registry = this.#host.registry();
      if (create === undefined) return registry.resume(id, controller.signal, this);
      const { thread, missing } = await registry.resumeOrCreate(id, creationOf(create), controller.signal, this);
      if (missing !== undefined) this.#host.resumeFailed({ requestedId: id, threadId: thread.id, error: missing });
      return thread;
    }).finally(() => { this.#aborts.delete(call); });
  }

  abort(call: number): void {
    this.#aborts.get(call)?.abort();
  }

  async closeThread({ slot, incarnation }: SlotRef, close: WireClose): Promise<Reply<ThreadCloseReceipt>> {
    return answer('LASTWORD_NOT_OPEN', () => {
      const thread = this.#threadOf({ slot, incarnation });
      if (thread === undefined) throw new LastwordError('LASTWORD_NOT_OPEN', 'the thread was closed');
      return thread.close(close);
    });
  }

  heldBy(thread: SlotRef, labels: readonly string[]): void {
    this.#threadOf(thread)?.answered([...labels]);
  }

  metaChanged(thread: SlotRef, call: number, ordinal: Reply<number>): void {
    this.#threadOf(thread)?.metaChanged(call, ordinal);
  }

  letGo(thread: SlotRef): void {
    this.#threadOf(thread)?.hasLetGo();
  }

  cameLate(threadId: string, items: number): void {
    this.#host.cameLate(threadId, items);
  }

  lateAfterReceipt(items: number): void {
    this.#host.lateAfterReceipt(items);
  }

  logError(members: Record<string, unknown>, message: string): void {
    this.#host.sidecar.log.error({ producer: this.producer, ...members }, message);
  }

  async detach(): Promise<Reply<undefined>> {
    return answer('LASTWORD_NOT_OPEN', async () => {
      const plan = planClose({}, this.#host.sidecar.options);
      const failures = await failuresOf([...this.#threads.values()].map((thread) => thread.closeBy(plan)));
      if (failures.length > 0) throw incompleteClose(failures);
      return undefined;
    });
  }

  /** Its JavaScript thread has ended, or let go of it: what is accepted is in memory, published or not, and nothing more comes. */
  ended(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const thread of [...this.#threads.values()]) {
      thread.ended();
      this.#close(thread);
    }
    this.#finish();
  }

  async #open(act: () => Promise<OpenThread>): Promise<Reply<OpenedThread>> {
    this.#operations += 1;
    try {
      return await answer('LASTWORD_NOT_OPEN', async () => {
        const thread = await act() as ForeignThread;
        this.#threads.set(thread.slot, thread);
        if (this.#hasEnded) {
          thread.ended();
          this.#close(thread);
        }
        const { id, origin, slot, incarnation, description: opened } = thread;
        return { id, origin, slot, incarnation, opened };
      });
    } finally {
      this.#operations -= 1;
      this.#finish();
    }
  }

  /** Nobody awaits it: a close that could not finish has been logged, and may be called again. */
  #close(thread: ForeignThread): void {
    if (thread.state === 'closed') return;
    thread.close().catch(() => undefined);
  }

  #threadOf({ slot, incarnation }: SlotRef): ForeignThread | undefined {
    const thread = this.#threads.get(slot);
    return thread?.incarnation === incarnation ? thread : undefined;
  }

  /** Once everything it was asked for is over, and every thread of it was let go of. */
  #finish(): void {
    if (!this.#hasEnded || this.#isOver || this.#operations > 0 || this.#threads.size > 0) return;
    this.#isOver = true;
    void this.#parts.onOver();
  }
}

function creationOf({ meta, ...creation }: WireCreation): Creation {
  return { ...creation, ...(meta === undefined ? {} : { meta: unpackMeta(meta) }) };
}
