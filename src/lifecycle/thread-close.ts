import type { DrainedThread, ReleasedThread } from '../control/protocol.js';
import { isLastwordError, LastwordError } from '../errors.js';
import { checkClose, type ResolvedOptions } from '../options.js';
import { wakeWriter } from '../ring/doorbell.js';
import { moveState, seal } from '../ring/slots.js';
import type { OpenThread } from '../open-thread.js';
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
  /** What cannot be written goes to a salvage file. */
  readonly abandon: boolean;
  /** Until when held work is waited for. */
  readonly heldUntil: number;
  readonly deadline: number;
}

/** @throws LASTWORD_INVALID_OPTION */
export function planClose(options: CloseOptions, defaults: Pick<ResolvedOptions, 'durability' | 'closeTimeoutMs'>): ClosePlan {
  const { durability, timeoutMs, waitForTracked, abandon } = checkClose(options, defaults);
  const now = performance.now();
  return { durability, waitForTracked, abandon, heldUntil: now + timeoutMs * HELD_SHARE, deadline: now + timeoutMs };
}

/** Brings a close to its end, or as far as it gets. */
export interface CloseSteps {
  run(plan: ClosePlan): Promise<ThreadCloseReceipt>;
}

/** How far the close of one opening has come. Called again after a rejection, it goes on from there. */
export class ThreadClose implements CloseSteps {
  readonly #thread: OpenThread;
  readonly #host: ThreadHost;
  /** Labels of what was still held at the seal; undefined before it. */
  #heldBy: string[] | undefined;
  /** Phase 1 is done: the writer may have let go of the file since, so it is not asked again. */
  #isDrained = false;
  /** Where the items are that were given up. */
  #salvage: string | undefined;

  constructor(thread: OpenThread, host: ThreadHost) {
    this.#thread = thread;
    this.#host = host;
  }

  async run(plan: ClosePlan): Promise<ThreadCloseReceipt> {
    try {
      return await this.#run(plan);
    } catch (error) {
      const { code, context } = isLastwordError(error) ? error : { code: undefined, context: { unwritten: undefined } };
      // Of a thread that failed all has been said.
      if (this.#thread.state !== 'failed' || plan.abandon) this.#host.log.error({ threadId: this.#thread.id, code, unwritten: context.unwritten }, 'close could not finish');
      throw error;
    }
  }

  async #run(plan: ClosePlan): Promise<ThreadCloseReceipt> {
    const { memory, log } = this.#host;
    const thread = this.#thread;
    if (!plan.abandon) thread.assertNotFailed();
    moveState(memory, thread.slot, 'closing');
    thread.abort();
    const children = this.#host.closeChildren(thread, plan);
    const failures = children.length > 0 ? await failuresOf(children) : [];
    const work = this.#heldBy === undefined ? thread.workSettled(plan.heldUntil, plan.waitForTracked) : undefined;
    if (work !== undefined) await work;
    const heldBy = this.#seal();
    const isLost = plan.abandon && this.#host.writerLost !== undefined;
    if (!this.#isDrained && !isLost) await this.#drain(plan);
    this.#isDrained ||= !isLost;
    if (failures.length > 0) throw incompleteClose(failures);
    const { durability } = plan;
    if (isLost) this.#abandonLost();
    else await this.#release(plan);
    moveState(memory, thread.slot, 'closed');
    const isSynced = durability === 'synced' && thread.synced >= thread.written;
    const receipt = {
      threadId: thread.id, durability: isSynced ? 'synced' : 'written', nextOrdinal: thread.written,
      items: thread.accepted - thread.base, late: thread.late, forced: heldBy.length > 0, heldBy, salvage: this.#salvage,
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
    this.#heldBy ??= this.#thread.heldBy;
    seal(memory, this.#thread.slot);
    this.#thread.wakeProducer();
    wakeWriter(memory);
    return this.#heldBy;
  }

  /** Phase 1: the writer acknowledges the count that write() took, and it is what was accepted. */
  async #drain({ deadline, abandon }: ClosePlan): Promise<void> {
    const { writer, producer } = this.#host;
    const { slot, incarnation, base } = this.#thread;
    producer.settle();
    let acknowledged: number;
    try {
      const command = { slot, incarnation, abandon };
      const { written, salvage } = await writer.call('drainThread', leftUntil(deadline), (control) => control.drainThread(command));
      acknowledged = base + written;
      if (abandon) {
        this.#abandoned(acknowledged, salvage);
        return;
      }
    } catch (error) {
      if (!isLastwordError(error)) throw error;
      if (error.code !== 'LASTWORD_TIMEOUT') throw this.#thread.withUnwritten(error);
      throw this.#incomplete(this.#thread.written, this.#thread.trouble ?? error);
    }
    if (acknowledged !== this.#thread.accepted) throw this.#incomplete(acknowledged, this.#thread.trouble);
  }

  /** Phase 2: synced as asked, the file closed, the lease released. */
  async #release({ durability, deadline, abandon }: ClosePlan): Promise<void> {
    const { slot, incarnation, id: threadId } = this.#thread;
    const command = { slot, incarnation, threadId, sync: durability === 'synced', abandon };
    const { leaseError } = await this.#host.writer.call('releaseThread', leftUntil(deadline), (control) => control.releaseThread(command));
    this.#warnOf(leaseError);
  }

  /** Nobody can write: this thread salvages. */
  #abandonLost(): void {
    this.#host.producer.settle();
    const { written, salvage, leaseError } = this.#host.abandonLost(this.#thread);
    this.#abandoned(this.#thread.base + written, salvage);
    this.#warnOf(leaseError);
  }

  #warnOf(leaseError: ReleasedThread['leaseError']): void {
    if (leaseError === undefined) return;
    const { code, context: { errno } } = leaseError;
    this.#host.log.warn({ threadId: this.#thread.id, code, errno }, 'an abandoned thread keeps its lease until this process ends');
  }

  /** The close gave up on what is not written. */
  #abandoned(acknowledged: number, salvage: DrainedThread['salvage']): void {
    const { id: threadId, accepted } = this.#thread;
    if (acknowledged >= accepted) return;
    this.#salvage = salvage?.path;
    const unwritten = [{ threadId, from: acknowledged, to: accepted - 1 }];
    this.#host.log.error({ threadId, unwritten, salvage: salvage?.path, records: salvage?.records }, 'close gave up on items that are not written');
  }

  /** `acknowledged`: below it everything is on disk, as far as is known. */
  #incomplete(acknowledged: number, cause: LastwordError | undefined): LastwordError {
    const { id: threadId, accepted } = this.#thread;
    const unwritten = acknowledged < accepted ? [{ threadId, from: acknowledged, to: accepted - 1 }] : [];
    const what = unwritten.length > 0 ? `${accepted - acknowledged} items were not acknowledged` : 'the writer did not answer';
    return new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `thread ${threadId}: ${what}`, { threadId, unwritten }, cause === undefined ? undefined : { cause });
  }
}
