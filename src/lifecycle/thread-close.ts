import { isLastwordError, LastwordError } from '../errors.js';
import { checkClose } from '../options.js';
import { wakeWriter } from '../ring/doorbell.js';
import { moveState, seal } from '../ring/slots.js';
import type { RolloutThread } from '../thread.js';
import type { ThreadHost } from '../thread-host.js';
import type { CloseOptions, ThreadCloseReceipt } from '../types.js';

/** The most of the deadline that held work gets. */
const HELD_SHARE = 0.5;

/** How far the close of one opening has come. Called again after a rejection, it goes on from there. */
export class ThreadClose {
  readonly #thread: RolloutThread;
  readonly #host: ThreadHost;
  /** Labels of what was still held at the seal; undefined before it. */
  #heldBy: string[] | undefined;
  /** Phase 1 is done: the writer may have let go of the file since, so it is not asked again. */
  #isDrained = false;

  constructor(thread: RolloutThread, host: ThreadHost) {
    this.#thread = thread;
    this.#host = host;
  }

  async run(options: CloseOptions): Promise<ThreadCloseReceipt> {
    const { memory, options: defaults, log } = this.#host;
    const thread = this.#thread;
    const { durability, timeoutMs, waitForTracked } = checkClose(options, defaults);
    const deadline = performance.now() + timeoutMs;
    thread.assertNotFailed();
    moveState(memory, thread.slot, 'closing');
    thread.abort();
    const mayWait = waitForTracked && this.#heldBy === undefined;
    if (mayWait && thread.held.labels.length > 0) await thread.held.settled(timeoutMs * HELD_SHARE);
    const heldBy = this.#seal();
    if (!this.#isDrained) await this.#drain(deadline);
    this.#isDrained = true;
    await this.#release(durability === 'synced', deadline);
    moveState(memory, thread.slot, 'closed');
    const receipt = {
      threadId: thread.id, durability: durability === 'synced' ? durability : 'written', nextOrdinal: thread.accepted,
      items: thread.accepted - thread.base, late: thread.late, forced: heldBy.length > 0, heldBy, salvage: undefined,
    } satisfies ThreadCloseReceipt;
    const { id: threadId } = thread;
    if (receipt.forced) log.warn({ threadId, heldBy }, 'close forced: sealed while work was still held');
    log.debug({ threadId, items: receipt.items, late: receipt.late }, 'thread closed');
    thread.entomb(receipt);
    this.#host.threadReleased(thread, receipt);
    return receipt;
  }

  #seal(): string[] {
    const { memory } = this.#host;
    this.#heldBy ??= this.#thread.held.labels;
    seal(memory, this.#thread.slot);
    wakeWriter(memory);
    return this.#heldBy;
  }

  /** Phase 1: the writer acknowledges the count that write() took, and it is what was accepted. */
  async #drain(deadline: number): Promise<void> {
    const { writer, producer } = this.#host;
    const { slot, incarnation, base } = this.#thread;
    producer.settle();
    let acknowledged: number;
    try {
      const reply = await writer.call('drainThread', left(deadline), (control) => control.drainThread({ slot, incarnation }));
      acknowledged = base + reply.written;
    } catch (error) {
      if (!isLastwordError(error)) throw error;
      if (error.code !== 'LASTWORD_TIMEOUT') throw this.#thread.withUnwritten(error);
      throw this.#incomplete(this.#thread.written, error);
    }
    if (acknowledged !== this.#thread.accepted) throw this.#incomplete(acknowledged, undefined);
  }

  /** Phase 2: synced as asked, the file closed, the lease released. */
  async #release(sync: boolean, deadline: number): Promise<void> {
    const { slot, incarnation, id: threadId } = this.#thread;
    const command = { slot, incarnation, threadId, sync };
    await this.#host.writer.call('releaseThread', left(deadline), (control) => control.releaseThread(command));
  }

  #incomplete(written: number, cause: LastwordError | undefined): LastwordError {
    const { id: threadId, accepted } = this.#thread;
    const unwritten = [{ threadId, from: written, to: accepted - 1 }];
    return new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `thread ${threadId}: ${accepted - written} items were not acknowledged`,
      { threadId, unwritten }, cause === undefined ? undefined : { cause });
  }
}

function left(deadline: number): number {
  return Math.max(0, deadline - performance.now());
}
