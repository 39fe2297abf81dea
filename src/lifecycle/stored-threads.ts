import { basename, join } from 'node:path';
import type { ForkPoint } from '../create-thread.js';
import { isLastwordError, LastwordError } from '../errors.js';
import { assertThreadId, invalidOption } from '../options.js';
import { readHeads, type Head } from '../reader/heads.js';
import { baseOf, findRecord, historyOf } from '../reader/history.js';
import { locateRollout, type Located } from '../reader/locate.js';
import { parseRolloutPath, rolloutPath } from '../rollout/rollout-path.js';
import { isVersion7, timeOf } from '../rollout/thread-id.js';
import type { RolloutThread } from '../thread.js';
import type { ThreadHost } from '../thread-host.js';
import type { ForkThreadOptions, ThreadId } from '../types.js';
import type { Registry } from './registry.js';

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
  fork(id: ThreadId, { through, ...create }: ForkThreadOptions): Promise<RolloutThread> {
    assertThreadId(id);
    // All that was accepted at the call, not when its turn comes.
    const accepted = this.#registry.get(id)?.accepted;
    return this.#registry.fork(id, create, () => this.#forkPoint(id, through, accepted));
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
      if (!isArchived) await this.#move(threadId, path, join(this.#host.options.directory, 'archived_sessions', basename(path)));
    });
  }

  unarchive(id: ThreadId): Promise<void> {
    return this.#inTree(id, async ({ threadId, path, isArchived }) => {
      if (isArchived) await this.#move(threadId, path, this.#activePath(threadId, path));
    });
  }

  delete(id: ThreadId): Promise<void> {
    return this.#inTree(id, async ({ threadId, path }, tree) => {
      await this.#unreferenced(threadId, tree, async () => {
        const { options, writer } = this.#host;
        await writer.call('deleteRollout', options.closeTimeoutMs, (control) => control.deleteRollout({ threadId, path }));
      });
    });
  }

  /** The thread itself, which must succeed, then those below it, which are logged where they do not. */
  async #inTree(id: ThreadId, act: (stored: Stored, tree: ReadonlySet<ThreadId>) => Promise<void>): Promise<void> {
    assertThreadId(id);
    this.#host.assertOpen();
    const tree = new Set([id]);
    // In line from the call on: who else is in the tree is looked up when it is its turn.
    await this.#registry.inOrder(id, async () => {
      const root = await this.#released(id);
      for (const threadId of await this.#descendantsOf(id)) tree.add(threadId);
      await act(root, tree);
    });
    for (const threadId of tree) {
      if (threadId === id) continue;
      try {
        await this.#registry.inOrder(threadId, async () => act(await this.#released(threadId), tree));
      } catch (error) {
        if (!isLastwordError(error)) throw error;
        this.#host.log.warn({ threadId, rootId: id, code: error.code }, 'a descendant was left as it is');
      }
    }
  }

  /** A thread that nobody has open here, once its close is over. @throws LASTWORD_THREAD_BUSY, LASTWORD_THREAD_NOT_FOUND */
  async #released(threadId: ThreadId): Promise<Stored> {
    this.#host.assertOpen();
    await this.#registry.released(threadId);
    const located = await locateRollout(this.#host.options.directory, threadId);
    if (located === undefined) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${threadId} has no rollout`, { threadId });
    return { ...located, threadId };
  }

  /** Edges are in the headers. A child is made after its parent, so older names need no look. */
  async #descendantsOf(id: ThreadId): Promise<ThreadId[]> {
    const children = new Map<ThreadId, ThreadId[]>();
    for await (const { id: child, payload } of this.#headsSince(id)) {
      const { parent_thread_id: parent } = payload;
      if (typeof parent === 'string') children.set(parent, [...children.get(parent) ?? [], child]);
    }
    const found = new Set<ThreadId>();
    const visit = (parent: ThreadId): void => {
      for (const child of children.get(parent) ?? []) {
        if (child === id || found.has(child)) continue;
        found.add(child);
        visit(child);
      }
    };
    visit(id);
    return [...found];
  }

  /** No fork that stays refers to it, and none begins to until `act` is done. @throws LASTWORD_THREAD_REFERENCED */
  async #unreferenced(threadId: ThreadId, doomed: ReadonlySet<ThreadId>, act: () => Promise<void>): Promise<void> {
    const { options, writer } = this.#host;
    await writer.call('holdReference', options.closeTimeoutMs, (control) => control.holdReference(threadId));
    try {
      for await (const head of this.#headsSince(threadId)) {
        if (doomed.has(head.id) || baseOf(head)?.threadId !== threadId) continue;
        throw new LastwordError('LASTWORD_THREAD_REFERENCED', `thread ${threadId} is the base of thread ${head.id}`, { threadId, referenceId: head.id });
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
