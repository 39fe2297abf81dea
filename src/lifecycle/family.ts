import type { OpenThread } from '../open-thread.js';
import type { ThreadId } from '../types.js';
import { bounded } from './close-threads.js';
import type { ClosePlan } from './thread-close.js';

/** Who was spawned by whom, among threads that are open or on the way to be. */
export class Family {
  readonly #children = new Map<ThreadId, Map<OpenThread, Promise<unknown>>>();
  /** Openings that the host asked for: one of the library's own opens and closes alone. */
  readonly #heads = new WeakSet<OpenThread>();
  readonly #liveThread: (id: ThreadId) => OpenThread | undefined;

  constructor(liveThread: (id: ThreadId) => OpenThread | undefined) {
    this.#liveThread = liveThread;
  }

  /** From before its rollout is opened, so that a close of the parent does not miss it. `opening` settles when it is open, or not. */
  add(parentId: ThreadId, child: OpenThread, opening: Promise<unknown>): void {
    const children = this.#children.get(parentId) ?? new Map<OpenThread, Promise<unknown>>();
    children.set(child, opening);
    this.#children.set(parentId, children);
  }

  /** A resumed thread is its parent's child again, also of one that is resumed after it. */
  join(parentId: ThreadId, child: OpenThread): void {
    // Where headers name each other as parents, the one that is opened last is the child: no close waits for itself.
    for (const above of this.lineFrom(parentId)) if (above.parentId === child.id) this.remove(child.id, above);
    this.add(parentId, child, Promise.resolve());
  }

  remove(parentId: ThreadId, child: OpenThread): void {
    const children = this.#children.get(parentId);
    children?.delete(child);
    if (children?.size === 0) this.#children.delete(parentId);
  }

  /** The thread, its parent, and so on up, as far as they are open here. */
  lineFrom(id: ThreadId): Set<OpenThread> {
    const line = new Set<OpenThread>();
    for (let next = this.#liveThread(id); next !== undefined && !line.has(next); next = this.#liveThread(next.parentId ?? '')) line.add(next);
    return line;
  }

  /** The host has a handle of it: it may have children, and closes them. */
  head(thread: OpenThread): OpenThread {
    this.#heads.add(thread);
    return thread;
  }

  isHead(thread: OpenThread): boolean {
    return this.#heads.has(thread);
  }

  /** Begins to close the children, each of which begins with its own: signals abort at once, down to the last descendant. */
  close(parent: OpenThread, plan: ClosePlan): Promise<unknown>[] {
    if (!this.isHead(parent)) return [];
    return [...this.#children.get(parent.id) ?? []].map(([child, opening]) => {
      const closing = child.isOpened ? child.closeBy(plan) : opening.then(() => child.closeBy(plan), () => undefined);
      return bounded(child, closing, plan);
    });
  }
}
