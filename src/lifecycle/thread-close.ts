import { isLastwordError, LastwordError } from '../errors.js';
import { checkClose, type ResolvedOptions } from '../options.js';
import { wakeWriter } from '../ring/doorbell.js';
import { moveState, seal } from '../ring/slots.js';
import type { RolloutThread } from '../thread.js';
import type { ThreadHost } from '../thread-host.js';
import type { CloseOptions, Durability, ThreadCloseReceipt } from '../types.js';
import { failuresOf, incompleteClose } from './close-threads.js';
import { leftUntil } from './deadline.js';

/** The most of the deadline that held work gets. */
const HELD_SHARE = 0.5;

/** What a close was asked for: the same for a thread and its descendants. Moments are performance.now()'s. */
export interface ClosePlan {
  readonly durability: Durability;
  readonly waitForTracked: boolean;
  /** Until when held work is waited for. */
  readonly heldUntil: number;
  readonly deadline: number;
}

/** @throws LASTWORD_INVALID_OPTION */
export function planClose(options: CloseOptions, defaults: ResolvedOptions): ClosePlan {
  const { durability, timeoutMs, waitForTracked } = checkClose(options, defaults);
  const now = performance.now();
  return { durability, waitForTracked, heldUntil: now + timeoutMs * HELD_SHARE, deadline: now + timeoutMs };
}

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

  async run(plan: ClosePlan): Promise<ThreadCloseReceipt> {
    try {
      return await this.#run(plan);
    } catch (error) {
      const { code, context } = isLastwordError(error) ? error : { code: undefined, context: { unwritten: undefined } };
      // Of a thread that failed all has been said.
      if (this.#thread.state !== 'failed') this.#host.log.error({ threadId: this.#thread.id, code, unwritten: context.unwritten }, 'close could not finish');
      throw error;
    }
  }

  async #run(plan: ClosePlan): Promise<ThreadCloseReceipt> {
    const { memory, log } = this.#host;
    const thread = this.#thread;
    thread.assertNotFailed();
    moveState(memory, thread.slot, 'closing');
    thread.abort();
    const children = this.#host.closeChildren(thread, plan);
    const failures = children.length > 0 ? await failuresOf(children) : [];
    const mayWait = plan.waitForTracked && this.#heldBy === undefined;
    // Again: other work may have begun in the same tick as the last one ended.
    while (mayWait && thread.held.labels.length > 0 && leftUntil(plan.heldUntil) > 0) await thread.held.settled(leftUntil(plan.heldUntil));
    const heldBy = this.#seal();
    if (!this.#isDrained) await this.#drain(plan.deadline);
    this.#isDrained = true;
    if (failures.length > 0) throw incompleteClose(failures);
    const { durability } = plan;
    await this.#release(durability === 'synced', plan.deadline);
    moveState(memory, thread.slot, 'closed');
    const receipt = {
      threadId: thread.id, durability: durability === 'synced' ? durability : 'written', nextOrdinal: thread.accepted,
      items: thread.accepted - thread.base, late: thread.late, forced: heldBy.length > 0, heldBy, salvage: undefined,
    } satisfies ThreadCloseReceipt;
    const { id: threadId } = thread;
    if (receipt.forced) log.warn({ threadId, heldBy, nextOrdinal: receipt.nextOrdinal }, 'close forced: sealed while work was still held');
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
      const reply = await writer.call('drainThread', leftUntil(deadline), (control) => control.drainThread({ slot, incarnation }));
      acknowledged = base + reply.written;
    } catch (error) {
      if (!isLastwordError(error)) throw error;
      if (error.code !== 'LASTWORD_TIMEOUT') throw this.#thread.withUnwritten(error);
      throw this.#incomplete(this.#thread.written, this.#thread.trouble ?? error);
    }
    if (acknowledged !== this.#thread.accepted) throw this.#incomplete(acknowledged, this.#thread.trouble);
  }

  /** Phase 2: synced as asked, the file closed, the lease released. */
  async #release(sync: boolean, deadline: number): Promise<void> {
    const { slot, incarnation, id: threadId } = this.#thread;
    const command = { slot, incarnation, threadId, sync };
    await this.#host.writer.call('releaseThread', leftUntil(deadline), (control) => control.releaseThread(command));
  }

  /** `acknowledged`: below it everything is on disk, as far as is known. */
  #incomplete(acknowledged: number, cause: LastwordError | undefined): LastwordError {
    const { id: threadId, accepted } = this.#thread;
    const unwritten = acknowledged < accepted ? [{ threadId, from: acknowledged, to: accepted - 1 }] : [];
    const what = unwritten.length > 0 ? `${accepted - acknowledged} items were not acknowledged` : 'the writer did not answer';
    return new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `thread ${threadId}: ${what}`, { threadId, unwritten }, cause === undefined ? undefined : { cause });
  }
}
