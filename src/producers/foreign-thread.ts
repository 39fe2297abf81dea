import { setImmediate as turn } from 'node:timers/promises';
import { PendingCalls } from '../control/pending-calls.js';
import type { ProducerEvent } from '../control/producer-protocol.js';
import type { Reply, SlotRef } from '../control/protocol.js';
import { fromWireError, toWireError, type LastwordError } from '../errors.js';
import { redactedMeta } from '../item-check.js';
import { leftUntil } from '../lifecycle/deadline.js';
import type { Opened } from '../lifecycle/opened.js';
import { OpenThread, type OpeningName } from '../open-thread.js';
import { printAs } from '../printing.js';
import { isHeld, lateOf } from '../ring/slots.js';
import type { HandleHost } from '../thread-host.js';
import { LATE, type ThreadCloseReceipt } from '../types.js';
import { packMeta } from './packed-meta.js';

/** How a receipt names a producer that ended, or did not say in time what it held. */
const SILENT = 'producer';
/** Nobody appends to it any more. */
const NOT_CHANGED: Reply<number> = { ok: true, value: LATE };
/** Of the time that held work gets: the answer has to come in time, too. */
const ANSWER_SHARE = 0.9;

/** Whoever appends, as the sidecar's own thread knows it. */
export interface ThreadProducer {
  readonly producer: number;
  readonly hasEnded: boolean;
  tell(event: ProducerEvent): void;
  /** It is blocked, or asleep: it looks again. */
  wake(): void;
  /** Nobody knows the thread any more. */
  released(thread: ForeignThread): void;
  /** Items came after the receipt had been made out. */
  lateAfterReceipt(items: number): void;
}

/** A thread that is appended to in another JavaScript thread: everything but its items is here. */
export class ForeignThread extends OpenThread {
  readonly #host: HandleHost;
  readonly #appender: ThreadProducer;
  #heldBy: string[] = [SILENT];
  /** Somebody waits for the producer's answer. */
  #onAnswer: (() => void) | undefined;
  #onLetGo: (() => void) | undefined;
  /** Changes of metadata are asked for one after the other: an answer to an earlier one comes too late. */
  #lastCall = 0;
  #onMetaChanged: ((ordinal: Reply<number>) => void) | undefined;

  constructor(host: HandleHost, appender: ThreadProducer, name: OpeningName, opened: Opened) {
    super(host, name, opened);
    this.#host = host;
    this.#appender = appender;
  }

  get producer(): number {
    return this.#appender.producer;
  }

  get #ref(): SlotRef {
    return { slot: this.slot, incarnation: this.incarnation };
  }

  abort(): void {
    this.#appender.tell({ event: 'abort', ...this.#ref });
  }

  workSettled(until: number, mayWait: boolean): Promise<void> | undefined {
    if (this.#appender.hasEnded) return undefined;
    if (!isHeld(this.#host.memory, this.slot)) {
      this.#heldBy = [];
      return undefined;
    }
    this.#appender.tell({ event: 'work', waitMs: mayWait ? leftUntil(until) * ANSWER_SHARE : 0, ...this.#ref });
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, leftUntil(until));
      this.#onAnswer = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Its producer appends it, through its own `redact`. @throws LASTWORD_TIMEOUT too: the producer is blocked, and may still do it */
  async changeMeta(patch: Record<string, unknown>): Promise<number> {
    const packed = this.#packed(patch);
    // What opened the thread has been answered by then: its producer knows it.
    await turn();
    if (this.receipt !== undefined || this.#appender.hasEnded) return LATE;
    this.#lastCall += 1;
    const changed = new Promise<Reply<number>>((resolve) => { this.#onMetaChanged = resolve; });
    this.#appender.tell({ event: 'changeMeta', call: this.#lastCall, patch: packed, ...this.#ref });
    const reply = await new PendingCalls('the producer').track(changed, this.#host.options.closeTimeoutMs, 'a change of metadata');
    if (reply.ok) return reply.value;
    throw fromWireError(reply.error);
  }

  #packed(patch: Record<string, unknown>): Uint8Array {
    const given = Object.entries(redactedMeta(patch, this.id, undefined, 'patch'));
    try {
      // A member that is undefined would not arrive, and null removes it as well.
      return packMeta(this.#host.producer, Object.fromEntries(given.map(([member, value]) => [member, value ?? null])));
    } catch (error) {
      throw this.named(error);
    }
  }

  metaChanged(call: number, ordinal: Reply<number>): void {
    if (call === this.#lastCall) this.#onMetaChanged?.(ordinal);
  }

  /** The producer says what it holds. */
  answered(labels: string[]): void {
    this.#heldBy = labels;
    this.#onAnswer?.();
  }

  get heldBy(): string[] {
    return this.#heldBy;
  }

  /** Nobody appends any more. */
  ended(): void {
    this.#heldBy = [SILENT];
    this.#onMetaChanged?.(NOT_CHANGED);
    this.#onAnswer?.();
    this.#onLetGo?.();
  }

  wakeProducer(): void {
    this.#appender.wake();
  }

  override entomb(receipt: ThreadCloseReceipt): void {
    super.entomb(receipt);
    this.#appender.tell({ event: 'closed', receipt, ...this.#ref });
  }

  letGo(): Promise<void> | undefined {
    if (!this.isOpened || this.#appender.hasEnded) {
      this.#appender.released(this);
      return undefined;
    }
    return new Promise((resolve) => {
      this.#onLetGo = () => {
        const items = lateOf(this.#host.memory, this.slot) - this.late;
        if (items > 0) this.#appender.lateAfterReceipt(items);
        this.#appender.released(this);
        resolve();
      };
    });
  }

  /** The producer has its receipt. */
  hasLetGo(): void {
    this.#onLetGo?.();
  }

  override fail(error: LastwordError): void {
    super.fail(error);
    this.#appender.tell({ event: 'failed', error: toWireError(error, error.code), ...this.#ref });
    this.#appender.wake();
  }

  override get trouble(): LastwordError | undefined {
    return super.trouble;
  }

  override set trouble(trouble: LastwordError | undefined) {
    super.trouble = trouble;
    this.#appender.tell({ event: 'trouble', error: trouble && toWireError(trouble, trouble.code), ...this.#ref });
  }

  override moved(path: string): void {
    super.moved(path);
    this.#appender.tell({ event: 'moved', path, ...this.#ref });
  }
}

printAs(ForeignThread, 'LiveThread', ({ id, parentId, path, state, accepted, written, synced }) => ({ id, parentId, path, state, accepted, written, synced }));
