import type { RolloutThread } from '../thread.js';
import type { ThreadId } from '../types.js';
import { bounded } from './close-threads.js';
import type { ClosePlan } from './thread-close.js';

/** Who was spawned by whom, among threads that are open or on the way to be. */
export class Family {
  readonly #children = new Map<ThreadId, Map<RolloutThread, Promise<unknown>>>();

  /** From before its rollout is opened, so that a close of the parent does not miss it. `opening` settles when it is open, or not. */
  add(parentId: ThreadId, child: RolloutThread, opening: Promise<unknown>): void {
    const children = this.#children.get(parentId) ?? new Map<RolloutThread, Promise<unknown>>();
    children.set(child, opening);
    this.#children.set(parentId, children);
  }

  remove(parentId: ThreadId, child: RolloutThread): void {
    const children = this.#children.get(parentId);
    children?.delete(child);
    if (children?.size === 0) this.#children.delete(parentId);
  }

  /** Begins to close the children, each of which begins with its own: signals abort at once, down to the last descendant. */
  close(parentId: ThreadId, plan: ClosePlan): Promise<unknown>[] {
    return [...this.#children.get(parentId) ?? []].map(([child, opening]) => {
      const closing = child.isOpened ? child.closeBy(plan) : opening.then(() => child.closeBy(plan), () => undefined);
      return bounded(child, closing, plan);
    });
  }
}
