/** One run: the model beside the sidecar, the operations under way, and what was found to be wrong. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Thread, ThreadCloseReceipt, ThreadId } from 'lastword';
import { within } from '../support/steps.js';
import type { Bench } from './bench.js';
import { Opening, wordOf, type Place, type Seal, type ThreadModel } from './model.js';
import { below, fatesOf, isGone, Operation, phasesOf, PLACES, widen, type Known, type OperationTarget } from './operations.js';

/** The library is not as the model says. */
export class Disagreement extends Error {
  override readonly name = 'Disagreement';
}

export class Run implements Known {
  readonly bench: Bench;
  readonly threads = new Map<ThreadId, ThreadModel>();
  readonly all: ThreadModel[] = [];
  readonly openings: Opening[] = [];
  readonly pending = new Set<Operation>();
  readonly complaints: string[] = [];
  /** Threads that fell back to a fresh one. */
  fallbacks = 0;
  /** Records of setThreadMeta(). */
  changes = 0;
  /** Held work that is to end later. */
  readonly work: { readonly opening: Opening; readonly end: (next?: () => void) => void }[] = [];
  readonly #underWay = new Set<Promise<void>>();
  /** Receipts of openings that nobody had a handle of yet, or ever. */
  readonly #unclaimed = new Map<ThreadId, ThreadCloseReceipt[]>();
  #operations = 0;
  #words = 0;

  constructor(bench: Bench) {
    this.bench = bench;
    bench.onClosed = (receipt) => { this.#closed(receipt); };
  }

  /** A number that no other item of the run has. */
  get word(): number {
    return (this.#words += 1);
  }

  expect = (what: string, found: unknown, expected: unknown): void => {
    const [foundText, expectedText] = [JSON.stringify(found), JSON.stringify(expected)];
    if (foundText !== expectedText) this.complaints.push(`${what}: ${foundText}, and should be ${expectedText}`.slice(0, 1_000));
  };

  assertRight(): void {
    if (this.complaints.length > 0) throw new Disagreement(`\n  ${this.complaints.join('\n  ')}`);
  }

  /** Calls an operation. `word` says what it answered; `take` is what follows from it. */
  operate<T>(target: OperationTarget, call: () => Promise<T>, take: (value: T, operation: Operation) => void | Promise<void>, word: (value: T) => string = () => 'done'): Promise<void> {
    const isAlone = [...this.pending].every((other) => other.target.name === 'read');
    const operation = new Operation(this.#operations += 1, target, isAlone);
    if (target.name !== 'read') for (const other of this.pending) other.isAlone = false;
    operation.fates = operation.isPlacing ? fatesOf(this, operation) : operation.fates;
    this.pending.add(operation);
    this.#widen();
    return this.await(`${target.name} ${target.id ?? ''}`, call().then(async (value) => {
      const answer = word(value);
      this.#answered(operation, answer);
      await take(value, operation);
      this.#settled(operation, answer);
    }, (error: unknown) => {
      const answer = (error as { code?: string }).code ?? String(error);
      this.#answered(operation, answer);
      this.#settled(operation, answer);
    }));
  }

  /** Whatever is under way is awaited before the run ends. */
  await(what: string, promise: Promise<unknown>): Promise<void> {
    const settled = within(promise, what).then(() => undefined, (error: unknown) => { this.complaints.push(`${what}: ${String(error)}`); })
      .then(() => { this.#underWay.delete(settled); });
    this.#underWay.add(settled);
    return settled;
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Nothing is under way. */
  get isIdle(): boolean {
    return this.#underWay.size === 0;
  }

  /** What is under way may wait for held work, which only a later command ends. */
  get isBlocked(): boolean {
    return this.openings.some(({ closing, receipt, held, thread }) =>
      receipt === undefined && held.size > 0 && (closing === undefined ? this.mayClose(thread) : !closing.isForced || closing.isLater));
  }

  /** The opening that the handle stands for: a new one, or one more claim. */
  async adopt(handle: Thread, operation: Operation, make: () => ThreadModel): Promise<Opening> {
    const known = this.openings.find((opening) => opening.handle === handle);
    if (known !== undefined) {
      known.claims += 1;
      return known;
    }
    const thread = make();
    this.threads.set(thread.id, thread);
    if (!this.all.includes(thread)) this.all.push(thread);
    if (thread.live !== undefined) this.complaints.push(`thread ${thread.id} has two handles at once`);
    const opening = new Opening(thread, handle);
    this.openings.push(opening);
    handle.subscribe((item, ordinal) => { opening.delivered.push({ word: wordOf(item), ordinal }); });
    thread.put('stored', operation.number);
    if (handle.state !== 'open' && !operation.mayMeetClose) this.complaints.push(`thread ${thread.id} is ${handle.state} when it is given out`);
    if (handle.state === 'closed') {
      opening.receipt = await handle.close();
      this.#unclaimed.set(thread.id, (this.#unclaimed.get(thread.id) ?? []).filter((receipt) => receipt !== opening.receipt));
      thread.endedAt = Math.max(thread.endedAt, opening.receipt.nextOrdinal);
      return opening;
    }
    thread.live = opening;
    if (handle.state === 'closing') opening.close(false, [], true);
    return opening;
  }

  /** close() is about to be called: everything below closes too. */
  beginClose(opening: Opening, isForced: boolean): void {
    if (opening.closing !== undefined || opening.receipt !== undefined) return;
    const { id } = opening.thread;
    const isSure = !this.mayClose(opening.thread);
    const children = this.#liveChildren(id);
    for (const child of children) this.beginClose(child, isForced);
    let isSpawning = false;
    for (const operation of this.pending) {
      operation.isAlone = false;
      const { parentId, id: target } = operation.target;
      operation.isOvertaken ||= target === id;
      if (parentId !== id && (target === undefined || this.threads.get(target)?.parentId !== id)) continue;
      operation.mayMeetClose = true;
      isSpawning = true;
    }
    opening.close(isForced, children, isSpawning);
    if (!isSure) opening.mayHaveClosed();
    this.#widen();
  }

  sealOf(opening: Opening): Seal {
    return opening.seal === 'no' && opening.closing === undefined && this.mayClose(opening.thread) ? 'maybe' : opening.seal;
  }

  /** An operation may have the last claim of it, or of a thread above. */
  mayClose({ id, live, parentId }: ThreadModel): boolean {
    if (live === undefined) return false;
    if (live.claims <= 0 && [...this.pending].some((operation) => operation.isOpening && operation.target.id === id)) return true;
    const parent = parentId === undefined ? undefined : this.threads.get(parentId);
    return parent !== undefined && this.mayClose(parent);
  }

  /** Nothing is under way that could change what the thread is like. */
  isQuiet(thread: ThreadModel): boolean {
    return !this.mayClose(thread) && ![...this.pending].some((operation) =>
      operation.target.id === thread.id || operation.below.has(thread) || (operation.isPlacing && below(this, operation.target.id ?? '').includes(thread)));
  }

  #liveChildren(id: ThreadId): Opening[] {
    return [...this.threads.values()].flatMap(({ parentId, live }) => (parentId === id && live !== undefined ? [live] : []));
  }

  #widen(): void {
    for (const operation of this.pending) {
      widen(this, operation);
      const { parentId = this.threads.get(operation.target.id ?? '')?.parentId } = operation.target;
      if (parentId === undefined) continue;
      const phases = phasesOf(this, parentId);
      if (phases.size > 1 || !phases.has('open')) operation.mayMeetClose = true;
    }
  }

  #answered(operation: Operation, answer: string): void {
    widen(this, operation);
    const { target: { name, id }, legal } = operation;
    if (!legal.has(answer)) this.complaints.push(`${name} ${id ?? ''} answered ${answer}, and should answer ${[...legal].join(' or ')}`);
  }

  #settled(operation: Operation, answer: string): void {
    const { name, id = '' } = operation.target;
    this.pending.delete(operation);
    if (operation.isPlacing) {
      const place = PLACES[name as keyof typeof PLACES];
      if (answer === 'done') this.threads.get(id)?.put(place, operation.number);
      // A fork that came meanwhile keeps the root when those that go before it are gone.
      if (answer === 'done' || (answer === 'LASTWORD_THREAD_REFERENCED' && !operation.isAlone)) this.#settleBelow(operation, place);
    }
    for (const thread of this.threads.values()) if (this.isQuiet(thread)) this.#look(thread);
    this.#widen();
  }

  /** A descendant that could not be done is told of, and only that one. */
  #settleBelow(operation: Operation, place: Place): void {
    const { target: { id }, isAlone, fates } = operation;
    const told = new Map(this.bench.lines.filter(({ message, members }) => message === 'a descendant was left as it is' && members['rootId'] === id)
      .map(({ members }) => [members['threadId'] as ThreadId, members['code']]));
    this.bench.lines = this.bench.lines.filter(({ message, members }) => message !== 'a descendant was left as it is' || members['rootId'] !== id);
    for (const thread of operation.below) {
      const fate = fates.get(thread);
      if (isAlone) this.expect(`what was told of ${thread.id} below ${id}`, told.get(thread.id) ?? 'done', fate);
      if (isAlone && fate === 'done') thread.put(place, operation.number);
      else if (!told.has(thread.id)) thread.places.add(place);
      told.delete(thread.id);
    }
    this.expect(`what was told of others than those below ${id}`, [...told.keys()], []);
  }

  /** Where its rollout is must be one of the places where it may be. */
  #look(thread: ThreadModel): void {
    const { id, live, path, places } = thread;
    const stored = existsSync(path);
    const archived = existsSync(join(this.bench.sidecar.directory, 'archived_sessions', basename(path)));
    const place = stored ? 'stored' : archived ? 'archived' : 'absent';
    if (stored && archived) this.complaints.push(`thread ${id} is in both places`);
    if (live === undefined ? places.has(place) : place === 'stored') thread.places = new Set([place]);
    else this.complaints.push(`thread ${id} is ${place}, and should be ${live === undefined ? [...places].join(' or ') : 'live'}`);
    this.expect(`liveThread ${id}`, this.bench.sidecar.liveThread(id) === live?.handle, true);
    if (live !== undefined) this.expect(`state of thread ${id}`, live.handle.state, live.closing === undefined ? 'open' : 'closing');
  }

  /** Within the event: the thread has just left the registry. */
  #closed(receipt: ThreadCloseReceipt): void {
    const { threadId: id, nextOrdinal, items } = receipt;
    const thread = this.threads.get(id);
    this.expect(`liveThread ${id} in its event`, this.bench.sidecar.liveThread(id), undefined);
    this.expect(`lease of thread ${id} in its event`, this.bench.isLeased(id), false);
    if (thread !== undefined && !isGone(thread)) {
      this.expect(`items of thread ${id}`, items, nextOrdinal - thread.endedAt);
      thread.endedAt = nextOrdinal;
    }
    const opening = thread?.live;
    if (thread === undefined || opening === undefined) {
      this.#unclaimed.set(id, [...this.#unclaimed.get(id) ?? [], receipt]);
      return;
    }
    this.#checkReceipt(opening, receipt);
    opening.receipt = receipt;
    thread.live = undefined;
    for (const { live } of this.threads.values()) live?.progress();
    this.#widen();
  }

  #checkReceipt(opening: Opening, receipt: ThreadCloseReceipt): void {
    const { thread, closing, late, handle, waitedFor } = opening;
    const what = `receipt of thread ${thread.id}`;
    if (closing === undefined && !this.mayClose(thread)) this.complaints.push(`thread ${thread.id} closed, and nobody asked for it`);
    this.expect(`${what}, state`, handle.state, 'closed');
    this.expect(`${what}, children that are live`, this.#liveChildren(thread.id).map(({ thread: { id } }) => id), []);
    this.expect(`${what}, late`, receipt.late, late);
    if (this.isQuiet(thread)) this.expect(`${what}, nextOrdinal`, receipt.nextOrdinal, thread.next);
    if (closing?.isForced !== true) {
      this.expect(what, [receipt.forced, receipt.heldBy], [false, []]);
      this.expect(`${what}, work that it did not wait for`, waitedFor.size, 0);
      return;
    }
    this.expect(what, receipt.forced, receipt.heldBy.length > 0);
    const [always, once] = [[...closing.heldAlways.values()], [...closing.heldOnce.values()]];
    this.expect(`${what}, holders that are missing`, without(always, receipt.heldBy), []);
    this.expect(`${what}, holders that are none`, without(receipt.heldBy, once), []);
    if (!receipt.forced) return;
    const forced = this.bench.lines.findIndex(({ level, members, message }) => level === 'warn' && message.startsWith('close forced') && members['threadId'] === thread.id);
    this.expect(`${what}, its warning`, forced < 0 ? undefined : this.bench.lines.splice(forced, 1)[0]?.members['heldBy'], receipt.heldBy);
  }

  /** Receipts that no handle is known for: openings of the library's own. */
  get unclaimed(): ThreadCloseReceipt[] {
    return [...this.#unclaimed.values()].flat();
  }
}

/** The first list without the members of the second, each as often as it is there. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return list.filter((member) => {
    const index = left.indexOf(member);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}
