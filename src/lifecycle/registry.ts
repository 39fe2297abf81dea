import { createCommand, threadIdOf, type ForkPoint } from '../create-thread.js';
import { isLastwordError, LastwordError } from '../errors.js';
import { assertThreadId, invalidOption } from '../options.js';
import { locateNearby, locateRollout } from '../reader/locate.js';
import { setBase } from '../ring/slots.js';
import { rolloutPath } from '../rollout/rollout-path.js';
import { isThreadId } from '../rollout/thread-id.js';
import { SlotTable } from '../slot-table.js';
import type { OpeningName, OpenThread } from '../open-thread.js';
import type { ThreadHost } from '../thread-host.js';
import { LATE, type CreateThreadOptions, type Redact, type ThreadId } from '../types.js';
import { abortable } from './abortable.js';
import { Family } from './family.js';
import type { Opened } from './opened.js';
import { Operations } from './operations.js';
import type { ClosePlan } from './thread-close.js';
import { busyBehindClose, busyOpen, isMissing, parentClosed, threadExists } from './thread-errors.js';

/** What a new thread is to be. */
export interface Creation extends CreateThreadOptions {
  /** Its id was made just now. */
  readonly isNewId?: boolean;
  /** Where its rollout is to stand. */
  readonly pathOf?: typeof rolloutPath;
}

/** Who asks for a thread, and appends to it then. */
export interface ThreadOwner {
  /** 0: the thread of the sidecar itself. */
  readonly producer: number;
  /** What metadata still has to pass through. */
  readonly redact: Redact | undefined;
  newThread(name: OpeningName, opened: Opened): OpenThread;
}

/** The threads that are open or closing, and the ways to become one. Operations on one id go in order. */
export class Registry {
  readonly #host: ThreadHost;
  /** This thread itself. */
  readonly #own: ThreadOwner;
  readonly #slots: SlotTable;
  readonly #operations = new Operations();
  readonly #byId = new Map<ThreadId, OpenThread>();
  /** By slot: whom an event of the writer is about. Nobody has a handle before the writer takes the slot's frames. */
  readonly #bySlot: (OpenThread | undefined)[] = [];
  readonly #family = new Family((id) => this.#byId.get(id));

  constructor(host: ThreadHost, own: ThreadOwner) {
    this.#host = host;
    this.#own = own;
    this.#slots = new SlotTable(host.memory);
  }

  get(id: ThreadId): OpenThread | undefined {
    return this.#byId.get(id);
  }

  get threads(): OpenThread[] {
    return [...this.#byId.values()];
  }

  /** The opening that has the slot now, if it is that one. */
  ofSlot(slot: number, incarnation: number): OpenThread | undefined {
    const thread = this.#bySlot[slot];
    return thread?.incarnation === incarnation ? thread : undefined;
  }

  /** Resolves when nobody is being opened, or after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void> {
    return this.#operations.settled(timeoutMs);
  }

  closeChildren(thread: OpenThread, plan: ClosePlan): Promise<unknown>[] {
    return this.#family.close(thread, plan);
  }

  remove(thread: OpenThread): void {
    if (thread.parentId !== undefined) this.#family.remove(thread.parentId, thread);
    this.#byId.delete(thread.id);
    this.#bySlot[thread.slot] = undefined;
    const letGo = thread.letGo();
    if (letGo === undefined) this.#slots.giveBack(thread.slot);
    else void letGo.then(() => { this.#slots.giveBack(thread.slot); });
  }

  /** One operation on a thread, behind those before it. */
  inOrder<T>(id: ThreadId, operation: () => Promise<T>): Promise<T> {
    return this.#operations.run([id], operation);
  }

  create(options: Creation, owner = this.#own): Promise<OpenThread> {
    const id = creatableId(options);
    return this.#operations.run([id], () => this.#create(id, options, undefined, owner));
  }

  /** A new thread that goes on from what `find` gives, when it is the source's turn too. */
  fork(sourceId: ThreadId, options: Creation, find: () => Promise<ForkPoint>, owner = this.#own): Promise<OpenThread> {
    const id = creatableId(options);
    return this.#operations.run([sourceId, id], async () => this.#create(id, options, await find(), owner));
  }

  async #create(id: ThreadId, options: Creation, fork: ForkPoint | undefined, owner: ThreadOwner): Promise<OpenThread> {
    this.#host.assertOpen();
    if (this.#byId.has(id)) throw threadExists(id, undefined);
    const { options: resolved, producer, writer } = this.#host;
    const { parentId } = options;
    if (parentId !== undefined) await this.#assertParentExists(parentId);
    const { command, meta } = createCommand({ ...resolved, redact: owner.redact }, id, { path: (options.pathOf ?? rolloutPath)(resolved.directory, id), parentId, fork, meta: options.meta === undefined ? {} : options.meta }, (item) => producer.encode(item));
    // An id made just now has no rollout; one that was asked for may have been archived, or have another's name.
    const stored = options.id === undefined || options.isNewId === true ? undefined : await locateNearby(resolved.directory, id);
    if (stored !== undefined) throw threadExists(id, stored.path);
    const { path, base } = command;
    this.#host.assertOpen();
    if (parentId !== undefined) this.#assertParent(parentId, id);
    const thread = this.#takeSlot(id, fork === undefined ? 'created' : 'forked', path, parentId, owner);
    const opening = this.#open(thread, (place, deadlineMs) =>
      writer.call('createThread', deadlineMs, (control, isAgain) => control.createThread({ ...command, ...place, isAgain })))
      .then(() => this.#family.head(this.#enter(thread, { path, base, recovery: undefined, parentId, meta })));
    if (parentId !== undefined) this.#family.add(parentId, thread, opening);
    return opening;
  }

  /** @throws LASTWORD_THREAD_NOT_FOUND */
  async #assertParentExists(parentId: ThreadId): Promise<void> {
    if (this.#byId.has(parentId)) return;
    if (await locateRollout(this.#host.options.directory, parentId) !== undefined) return;
    throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `the parent ${parentId} has no rollout`, { threadId: parentId });
  }

  /** @throws LASTWORD_THREAD_CLOSED, LASTWORD_INVALID_OPTION (a thread that was made again would descend from itself) */
  #assertParent(parentId: ThreadId, id: ThreadId): void {
    this.#assertParentOpen(parentId);
    if ([...this.#family.lineFrom(parentId)].some((above) => above.parentId === id)) throw invalidOption('parentId', parentId, 'a thread that is not below this one');
  }

  /** @throws LASTWORD_THREAD_CLOSED */
  #assertParentOpen(parentId: ThreadId): void {
    const parent = this.#byId.get(parentId);
    if (parent?.state !== 'open' || !this.#family.isHead(parent)) throw parentClosed(parentId);
  }

  /** @throws LASTWORD_INVALID_OPTION (id), the signal's reason; the rest as resumeThread() */
  resume(id: ThreadId, signal: AbortSignal | undefined, owner = this.#own): Promise<OpenThread> {
    assertThreadId(id);
    return this.#operations.run([id], () => this.#resume(id, signal, owner));
  }

  /** Changes its metadata in its turn, while it is surely open. The claim is the caller's. */
  changeMeta(id: ThreadId, patch: Record<string, unknown>): Promise<OpenThread> {
    assertThreadId(id);
    return this.#operations.run([id], async () => {
      const live = this.#byId.get(id);
      // Whoever appends to it elsewhere does it, unless a close comes first.
      if (live?.state === 'open' && live.producer !== this.#own.producer && await live.changeMeta(patch) !== LATE) return live.claim();
      let thread = await this.#reopen(id, undefined, this.#own);
      // Its owner may have closed it since.
      for (; thread.state !== 'open'; thread = await this.#reopen(id, undefined, this.#own)) await thread[Symbol.asyncDispose]();
      try {
        await thread.changeMeta(patch);
      } catch (error) {
        await thread[Symbol.asyncDispose]();
        throw error;
      }
      return thread;
    });
  }

  /** `missing`: why there is a fresh thread in its place. In line for both ids, so that two that want the same fresh one share it. */
  async resumeOrCreate(
    id: ThreadId, create: Creation, signal: AbortSignal | undefined, owner = this.#own,
  ): Promise<{ thread: OpenThread; missing: LastwordError | undefined }> {
    assertThreadId(id);
    const freshId = creatableId(create);
    return this.#operations.run([id, freshId], async () => {
      try {
        return { thread: await this.#resume(id, signal, owner), missing: undefined };
      } catch (error) {
        if (!isMissing(error)) throw error;
        return { thread: await this.#create(freshId, create, undefined, owner), missing: error };
      }
    });
  }

  /** For the host. */
  #resume(id: ThreadId, signal: AbortSignal | undefined, owner: ThreadOwner): Promise<OpenThread> {
    return this.#reopen(id, signal, owner, (thread) => this.#family.head(thread));
  }

  async #reopen(id: ThreadId, signal: AbortSignal | undefined, owner: ThreadOwner, opened = (thread: OpenThread): OpenThread => thread): Promise<OpenThread> {
    const { options, log, writer } = this.#host;
    signal?.throwIfAborted();
    this.#host.assertOpen();
    const live = this.#byId.get(id);
    if (live?.state === 'open') {
      if (live.producer !== owner.producer) throw busyOpen(live, owner.producer);
      return opened(live.claim());
    }
    if (live !== undefined) {
      log.debug({ threadId: id }, 'resume waits for the close');
      await this.#closed(live, signal);
      this.#host.assertOpen();
    }
    const stored = await locateRollout(options.directory, id);
    signal?.throwIfAborted();
    if (stored === undefined) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${id} has no rollout`, { threadId: id });
    const { path } = stored;
    if (stored.isArchived) throw new LastwordError('LASTWORD_THREAD_ARCHIVED', `thread ${id} is archived`, { threadId: id, path });
    this.#host.assertOpen();
    const thread = this.#takeSlot(id, 'resumed', path, undefined, owner);
    const { base, tornBytes, keptAt, meta } = await this.#open(thread, (place, deadlineMs) =>
      writer.call('resumeThread', deadlineMs, (control) => control.resumeThread({ threadId: id, path, ...place })));
    const recovery = keptAt === undefined ? undefined : { tornBytes, keptAt };
    if (recovery !== undefined) log.warn({ threadId: id, ...recovery, nextOrdinal: base }, 'the end of the rollout was torn: cut, and kept beside');
    const { parent_thread_id: stated } = meta;
    const parentId = isThreadId(stated) && stated !== id ? stated : undefined;
    if (parentId !== undefined && (this.#byId.get(parentId)?.state ?? 'open') !== 'open') {
      await this.#undo(thread);
      throw parentClosed(parentId);
    }
    this.#enter(thread, { path, base, recovery, parentId, meta });
    if (parentId !== undefined) this.#family.join(parentId, thread);
    return opened(thread);
  }

  /** Waits until nobody has it open here. @throws LASTWORD_THREAD_BUSY when it is open, or behind a close that rejected */
  async released(id: ThreadId): Promise<void> {
    const live = this.#byId.get(id);
    if (live === undefined) return;
    if (live.state === 'open') throw busyOpen(live, this.#own.producer);
    await this.#closed(live, undefined);
  }

  /** Waits for a close under way. @throws LASTWORD_THREAD_BUSY behind one that rejected */
  async #closed(live: OpenThread, signal: AbortSignal | undefined): Promise<void> {
    const closing = live.closing?.catch((cause: unknown) => { throw busyBehindClose(live.id, cause); });
    if (closing === undefined) throw busyBehindClose(live.id, undefined);
    await abortable(closing, signal);
  }

  #takeSlot(id: ThreadId, origin: OpenThread['origin'], path: string, parentId: ThreadId | undefined, owner: ThreadOwner): OpenThread {
    const thread = owner.newThread({ id, origin, ...this.#slots.take() }, { path, base: 0, recovery: undefined, parentId, meta: {} });
    this.#bySlot[thread.slot] = thread;
    return thread;
  }

  /** Sends the command that opens the rollout. The slot is given back when that fails. */
  async #open<T>(thread: OpenThread, send: (place: { slot: number; incarnation: number }, deadlineMs: number) => Promise<T>): Promise<T> {
    const { slot, incarnation } = thread;
    try {
      return await send({ slot, incarnation }, this.#host.options.closeTimeoutMs);
    } catch (error) {
      if (isLastwordError(error) && error.code === 'LASTWORD_TIMEOUT') void this.#undo(thread);
      else this.remove(thread);
      if (isLastwordError(error)) error.context.threadId ??= thread.id;
      throw error;
    }
  }

  /** The writer may still open the rollout: the slot is nobody's until it has said that it let go of it. */
  async #undo(thread: OpenThread): Promise<void> {
    const { slot, incarnation, id: threadId } = thread;
    const { log, options, writer } = this.#host;
    const release = { slot, incarnation, threadId, sync: false, abandon: false };
    await writer.call('releaseThread', options.closeTimeoutMs, (control) => control.releaseThread(release)).then(
      () => { this.remove(thread); },
      () => { log.debug({ threadId }, 'a slot stays taken: its opening was not undone'); },
    );
  }

  #enter(thread: OpenThread, opened: Parameters<OpenThread['setOpened']>[0]): OpenThread {
    setBase(this.#host.memory, thread.slot, opened.base);
    thread.setOpened(opened);
    this.#byId.set(thread.id, thread);
    return thread;
  }
}

/** @throws LASTWORD_INVALID_OPTION (id, parentId) */
function creatableId(options: CreateThreadOptions): ThreadId {
  const id = threadIdOf(options);
  const { parentId } = options;
  if (parentId !== undefined) assertThreadId(parentId, 'parentId');
  return id;
}
