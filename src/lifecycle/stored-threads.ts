import { basename, join } from 'node:path';
import type { ForkPoint } from '../create-thread.js';
import { isLastwordError, LastwordError } from '../errors.js';
import { assertThreadId, invalidOption } from '../options.js';
import { readHeads, type Head } from '../reader/heads.js';
import { baseOf, findRecord, historyOf } from '../reader/history.js';
import { locateRollout, type Located } from '../reader/locate.js';
import { isJobLog, parseRolloutPath, rolloutPath } from '../rollout/rollout-path.js';
import { isVersion7, timeOf } from '../rollout/thread-id.js';
import type { OpenThread } from '../open-thread.js';
import type { ThreadHost } from '../thread-host.js';
import type { ForkThreadOptions, ThreadId } from '../types.js';
import type { Creation, Registry, ThreadOwner } from './registry.js';
import { forksFirst, referenced, rootFirst, treeOf, type Edges, type Tree, type TreeOrder } from './trees.js';

type Stored = Located & { readonly threadId: ThreadId };

/** What is done to threads as they are stored: forked, archived, deleted, renamed. */
export class StoredThreads {
  readonly #host: ThreadHost;
  readonly #registry: Registry;

  constructor(host: ThreadHost, registry: Registry) {
    this.#host = host;
    this.#registry = registry;
  }

  /** @throws as forkThread() */
  fork(id: ThreadId, { through, ...create }: ForkThreadOptions & Creation, owner?: ThreadOwner): Promise<OpenThread> {
    assertThreadId(id);
    // All that was accepted at the call, not when its turn comes.
    const accepted = this.#registry.get(id)?.accepted;
    return this.#registry.fork(id, create, () => this.#forkPoint(id, through, accepted), owner);
  }

  async #forkPoint(id: ThreadId, through: number | undefined, accepted: number | undefined): Promise<ForkPoint> {
    this.#host.assertOpen();
    const live = this.#registry.get(id);
    if (live !== undefined) await live.flush({ durability: 'synced' });
    const { directory } = this.#host.options;
    const segments = await historyOf(directory, id);
    const last = through ?? (accepted === undefined ? undefined : accepted - 1);
    const segment = last === undefined ? segments.at(-1) : segments.find(({ start, end }) => last >= start && last < end);
    const found = segment === undefined ? undefined : await findRecord(segment.path, last);
    if (segment === undefined || found === undefined) {
      throw invalidOption('through', through, 'the ordinal of a record of the source');
    }
    return { source: id, threadId: segment.threadId, path: segment.path, end: found.ordinal + 1, endOffset: found.endOffset };
  }

  archive(id: ThreadId): Promise<void> {
    return this.#inTree(id, async ({ threadId, path, isArchived }) => {
      // The log of a job has its one place; what its agents did goes along.
      if (!isArchived && !isJobLog(path)) await this.#move(threadId, path, join(this.#host.options.directory, 'archived_sessions', basename(path)));
    });
  }

  unarchive(id: ThreadId): Promise<void> {
    return this.#inTree(id, async ({ threadId, path, isArchived }) => {
      if (isArchived) await this.#move(threadId, path, this.#activePath(threadId, path));
    });
  }

  delete(id: ThreadId): Promise<void> {
    return this.#inTree(id, async ({ threadId, path }) => {
      await this.#unreferenced(threadId, async () => {
        const { options, writer } = this.#host;
        await writer.call('deleteRollout', options.closeTimeoutMs, (control, isAgain) => control.deleteRollout({ threadId, path, isAgain }));
      });
    }, forksFirst);
  }

  /**
   * The thread itself, which must succeed, and those below it, which are logged where they do not. It is in line from
   * the call on, and what is below it is looked up when it is its turn: a close that it waits for may still make some.
   */
  async #inTree(id: ThreadId, act: (stored: Stored) => Promise<void>, inOrder: (tree: Tree) => TreeOrder = rootFirst): Promise<void> {
    assertThreadId(id);
    this.#host.assertOpen();
    const below = async (threadId: ThreadId): Promise<void> => {
      try {
        await this.#registry.inOrder(threadId, async () => { await act(await this.#released(threadId)); });
      } catch (error) {
        if (!isLastwordError(error)) throw error;
        this.#host.log.warn({ threadId, rootId: id, code: error.code }, 'a descendant was left as it is');
      }
    };
    const rest = await this.#registry.inOrder(id, async () => {
      const root = await this.#released(id);
      const { before, behind } = inOrder(treeOf(id, await this.#edgesSince(id), (threadId) => this.#registry.get(threadId)?.state === 'open'));
      for (const threadId of before) await below(threadId);
      await act(root);
      return behind;
    });
    for (const threadId of rest) await below(threadId);
  }

  /** A thread that nobody has open here. @throws LASTWORD_THREAD_BUSY, LASTWORD_THREAD_NOT_FOUND */
  async #released(threadId: ThreadId): Promise<Stored> {
    this.#host.assertOpen();
    await this.#registry.released(threadId);
    const stored = await locateRollout(this.#host.options.directory, threadId);
    if (stored === undefined) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${threadId} has no rollout`, { threadId });
    return { ...stored, threadId };
  }

  /** Edges are in the headers. Children and forks are made after the thread, so older names need no look. */
  async #edgesSince(id: ThreadId): Promise<Edges[]> {
    const edges: Edges[] = [];
    for await (const head of this.#headsSince(id)) {
      edges.push({ id: head.id, parentId: head.payload['parent_thread_id'], baseId: baseOf(head)?.threadId });
    }
    return edges;
  }

  /** No fork refers to it, and none begins to until `act` is done. @throws LASTWORD_THREAD_REFERENCED */
  async #unreferenced(threadId: ThreadId, act: () => Promise<void>): Promise<void> {
    const { options, writer } = this.#host;
    await writer.call('holdReference', options.closeTimeoutMs, (control) => control.holdReference(threadId));
    try {
      for await (const head of this.#headsSince(threadId)) {
        if (baseOf(head)?.threadId !== threadId) continue;
        throw referenced(threadId, head.id);
      }
      await act();
    } finally {
      await writer.call('releaseReference', options.closeTimeoutMs, (control) => control.releaseReference(threadId));
    }
  }

  #headsSince(id: ThreadId): AsyncGenerator<Head, void, undefined> {
    return readHeads(this.#host.options.directory, timeOf(id) ?? 0);
  }

  async #move(threadId: ThreadId, path: string, to: string): Promise<void> {
    const { options, writer } = this.#host;
    await writer.call('moveRollout', options.closeTimeoutMs, (control) => control.moveRollout({ threadId, path, to }));
  }

  /** Where its id says, or, for the ids of others, the day in its name. */
  #activePath(threadId: ThreadId, path: string): string {
    const { directory } = this.#host.options;
    if (isVersion7(threadId) && basename(rolloutPath(directory, threadId)) === basename(path)) return rolloutPath(directory, threadId);
    const [date = ''] = (parseRolloutPath(path)?.time ?? '').split('T');
    return join(directory, 'sessions', ...date.split('-'), basename(path));
  }
}
