import { checkItem, itemInvalid, redacted, redactedMeta } from './item-check.js';
import { leftUntil } from './lifecycle/deadline.js';
import { Deliveries, type Listener } from './lifecycle/deliveries.js';
import { HeldWork } from './lifecycle/held-work.js';
import { assertRollback, metaMarker, patchedMeta, rollbackMarker } from './lifecycle/markers.js';
import type { Opened } from './lifecycle/opened.js';
import { checkFlush, invalidOption } from './options.js';
import { OpenThread, type OpeningName } from './open-thread.js';
import { printAs } from './printing.js';
import { SEALED_COUNT } from './producer/item-producer.js';
import { setHeld } from './ring/slots.js';
import type { HandleHost } from './thread-host.js';
import { LATE, type PublishOptions, type RolloutItem, type Thread, type ThreadCloseReceipt } from './types.js';

/** The handle of one opening of a thread, in the JavaScript thread that appends to it. */
export class RolloutThread extends OpenThread implements Thread {
  readonly #host: HandleHost;
  readonly #held: HeldWork;
  readonly #deliveries: Deliveries;
  #controller: AbortController | undefined;

  constructor(host: HandleHost, name: OpeningName, opened: Opened) {
    super(host, name, opened);
    this.#host = host;
    this.#held = new HeldWork(() => { this.#sayHeld(false); });
    this.#deliveries = new Deliveries(
      (isReached) => host.waiters.forAWhile(isReached, host.options.closeTimeoutMs),
      (error, ordinal) => { host.log.error({ threadId: name.id, ordinal, error }, 'a subscriber threw'); },
    );
  }

  get producer(): number {
    return this.#host.producerNumber;
  }

  append(item: RolloutItem): number {
    if (this.progress.isSealed) return this.#countLate(1);
    const { options } = this.#host;
    return this.#take(checkItem(redacted(item, this.id, options.redact), this.id));
  }

  appendAll(items: readonly RolloutItem[]): number {
    if (!Array.isArray(items)) throw itemInvalid(this.id, 'list is not an array');
    if (this.progress.isSealed) return this.#countLate(items.length);
    const { options, producer } = this.#host;
    const checked = Array.from(items, (item: RolloutItem) => checkItem(redacted(item, this.id, options.redact), this.id));
    try {
      const count = producer.appendAll(this.slot, this.incarnation, checked);
      return count === SEALED_COUNT ? this.#countLate(items.length) : this.progress.base + count;
    } catch (error) {
      throw this.named(error);
    }
  }

  async publish(item: RolloutItem, options: PublishOptions = {}): Promise<number> {
    const { options: defaults, waiters } = this.#host;
    const { durability, timeoutMs, signal } = checkFlush(options, defaults);
    const { progress } = this;
    const stored = redacted(item, this.id, defaults.redact);
    const checked = checkItem(stored, this.id);
    signal?.throwIfAborted();
    const ordinal = progress.isSealed ? this.#countLate(1) : this.#take(checked);
    const count = ordinal === LATE ? 0 : ordinal - progress.base + 1;
    progress.want(count, durability, true);
    const delivered = this.#deliveries.add({ item: stored, ordinal, isReached: () => ordinal === LATE || this.trouble !== undefined || this.isReached(count, durability) });
    await waiters.settled(delivered, { what: `the delivery of ordinal ${ordinal} of thread ${this.id}`, timeoutMs, signal, context: { threadId: this.id } });
    return ordinal;
  }

  subscribe(listener: Listener): () => void {
    if (typeof listener !== 'function') throw invalidOption('listener', listener, 'a function');
    return this.#deliveries.subscribe(listener);
  }

  rollback(from: number): number {
    if (this.progress.isSealed) return this.#countLate(1);
    assertRollback(from, this.accepted);
    return this.#take(rollbackMarker(from));
  }

  setMeta(patch: Record<string, unknown>): number {
    const ordinal = this.changeMeta(patch);
    return ordinal === LATE ? this.#countLate(1) : ordinal;
  }

  changeMeta(patch: Record<string, unknown>): number {
    if (this.progress.isSealed) return LATE;
    const change = redactedMeta(patch, this.id, this.#host.options.redact, 'patch');
    const ordinal = this.#put(metaMarker(this.id, this.opened.meta, change));
    if (ordinal !== LATE) this.opened = { ...this.opened, meta: patchedMeta(this.opened.meta, change) };
    return ordinal;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  track<P extends PromiseLike<unknown>>(work: P): P {
    if (this.progress.isSealed) return work;
    this.#sayHeld(true);
    return this.#held.track(work);
  }

  hold(label: string): Disposable {
    if (typeof label !== 'string') throw invalidOption('label', label, 'a string');
    this.#sayHeld(true);
    return this.#held.hold(label);
  }

  /** For a close in another JavaScript thread. The slot of a thread that was closed is not its own. */
  #sayHeld(isHeld: boolean): void {
    if (this.producer !== 0 && this.progress.receipt === undefined) setHeld(this.#host.memory, this.slot, isHeld);
  }

  abort(): void {
    this.#controller ??= new AbortController();
    this.#controller.abort();
  }

  workSettled(until: number, mayWait: boolean): Promise<void> | undefined {
    return mayWait && this.heldBy.length > 0 ? this.#workSettled(until) : undefined;
  }

  async #workSettled(until: number): Promise<void> {
    // Again: other work may have begun in the same tick as the last one ended.
    while (this.heldBy.length > 0 && leftUntil(until) > 0) await this.#held.settled(leftUntil(until));
  }

  get heldBy(): string[] {
    return this.#held.labels;
  }

  /** Nobody is blocked in the thread that runs this. */
  wakeProducer(): void {
    return undefined;
  }

  /** What has its receipt looks at no slot. */
  letGo(): undefined {
    return undefined;
  }

  /** What is published is delivered before. */
  override entomb(receipt: ThreadCloseReceipt): void {
    super.entomb(receipt);
    this.#deliveries.deliver();
  }

  /** The item is checked; its producer may still refuse it. */
  #take(checked: object): number {
    const ordinal = this.#put(checked);
    return ordinal === LATE ? this.#countLate(1) : ordinal;
  }

  /** LATE is not counted. */
  #put(checked: object): number {
    try {
      const count = this.#host.producer.append(this.slot, this.incarnation, checked);
      return count === SEALED_COUNT ? LATE : this.progress.base + count;
    } catch (error) {
      throw this.named(error);
    }
  }

  #countLate(items: number): typeof LATE {
    this.progress.countLate(items);
    this.#host.cameLate(this, items);
    return LATE;
  }
}

printAs(RolloutThread, 'Thread', ({ id, parentId, path, origin, state, accepted, written, synced }) => ({ id, parentId, path, origin, state, accepted, written, synced }));
