import type { RolloutThread } from '../thread.js';
import type { ThreadId } from '../types.js';
import { bounded } from './close-threads.js';
import type { ClosePlan } from './thread-close.js';

/** Who was spawned by whom, among threads that are open or on the way to be. */
export class Family {
  readonly #children = new Map<ThreadId, Map<RolloutThread, Promise<unknown>>>();
  /** Openings that the host asked for: one of the library's own opens and closes alone. */
  readonly #heads = new WeakSet<RolloutThread>();
  readonly #liveThread: (id: ThreadId) => RolloutThread | undefined;

  constructor(liveThread: (id: ThreadId) => RolloutThread | undefined) {
    this.#liveThread = liveThread;
  }

  /** From before its rollout is opened, so that a close of the parent does not miss it. `opening` settles when it is open, or not. */
  add(parentId: ThreadId, child: RolloutThread, opening: Promise<unknown>): void {
    const children = this.#children.get(parentId) ?? new Map<RolloutThread, Promise<unknown>>();
    children.set(child, opening);
    this.#children.set(parentId, children);
  }

  /** A resumed thread is its parent's child again, also of one that is resumed after it. */
  join(parentId: ThreadId, child: RolloutThread): void {
    // Where headers name each other as parents, the one that is opened last is the child: no close waits for itself.
    for (const above of this.lineFrom(parentId)) if (above.parentId === child.id) this.remove(child.id, above);
    this.add(parentId, child, Promise.resolve());
  }

  remove(parentId: ThreadId, child: RolloutThread): void {
    const children = this.#children.get(parentId);
    children?.delete(child);
    if (children?.size === 0) this.#children.delete(parentId);
  }

  /** The thread, its parent, and so on up, as far as they are open here. */
  lineFrom(id: ThreadId): Set<RolloutThread> {
    const line = new Set<RolloutThread>();
    for (let next = this.#liveThread(id); next !== undefined && !line.has(next); next = this.#liveThread(next.parentId ?? '')) line.add(next);
    return line;
  }

  /** The host has a handle of it: it may have children, and closes them. */
  head(thread: RolloutThread): RolloutThread {
    this.#heads.add(thread);
    return thread;
  }

  isHead(thread: RolloutThread): boolean {
    return this.#heads.has(thread);
  }

  /** Begins to close the children, each of which begins with its own: signals abort at once, down to the last descendant. */
  close(parent: RolloutThread, plan: ClosePlan): Promise<unknown>[] {
    if (!this.isHead(parent)) return [];
    return [...this.#children.get(parent.id) ?? []].map(([child, opening]) => {
      const closing = child.isOpened ? child.closeBy(plan) : opening.then(() => child.closeBy(plan), () => undefined);
      return bounded(child, closing, plan);
    });
  }
}
