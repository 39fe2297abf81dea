import type { ProducerLink } from '../control/producer-link.js';
import { leftUntil } from '../lifecycle/deadline.js';
import type { ClosePlan, CloseSteps } from '../lifecycle/thread-close.js';
import type { OpenThread } from '../open-thread.js';
import type { ItemProducer } from '../producer/item-producer.js';
import type { ThreadCloseReceipt } from '../types.js';

/** The sidecar says what is missing when the deadline has passed; it says so a moment later. */
const GRACE_MS = 1_000;

/** The close of a thread that is appended to here: the sidecar's own thread brings it about. */
export class RemoteClose implements CloseSteps {
  readonly #thread: OpenThread;
  readonly #producer: ItemProducer;
  readonly #link: ProducerLink;

  constructor(thread: OpenThread, producer: ItemProducer, link: ProducerLink) {
    this.#thread = thread;
    this.#producer = producer;
    this.#link = link;
  }

  async run({ durability, deadline, waitForTracked, abandon }: ClosePlan): Promise<ThreadCloseReceipt> {
    const thread = this.#thread;
    if (thread.receipt !== undefined) return thread.receipt;
    const { slot, incarnation } = thread;
    thread.abort();
    this.#producer.settle();
    const timeoutMs = leftUntil(deadline);
    // What is told of the close came before its answer: the handle has its receipt then.
    return this.#link.call('closeThread', timeoutMs + GRACE_MS, (control) => control.closeThread({ slot, incarnation }, { durability, timeoutMs, waitForTracked, abandon }));
  }
}
