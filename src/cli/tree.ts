import type { ThreadId, ThreadSummary } from '../types.js';

/** A thread in its tree. */
export interface Branch {
  readonly thread: ThreadSummary;
  readonly depth: number;
  /** What stands before it: the lines that lead to it. */
  readonly stem: string;
}

/** Parents before their children, each kind in the order given. Whose parent is not among them is a root, and so is one of a cycle. */
export function* branched(threads: readonly ThreadSummary[]): Generator<Branch, void, undefined> {
  const ids = new Set(threads.map(({ id }) => id));
  const children = new Map<ThreadId, ThreadSummary[]>();
  const roots: ThreadSummary[] = [];
  for (const thread of threads) {
    const { parentId } = thread;
    if (parentId === undefined || !ids.has(parentId)) roots.push(thread);
    else if (children.get(parentId)?.push(thread) === undefined) children.set(parentId, [thread]);
  }
  const shown = new Set<ThreadId>();
  // Those of a cycle come last: no root leads to them.
  for (const root of [...roots, ...threads]) {
    // A stack, not recursion: nobody bounds the depth.
    const open = [{ thread: root, depth: 0, stem: '', below: '' }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { thread, depth, stem, below } = next;
      if (shown.has(thread.id)) continue;
      shown.add(thread.id);
      yield { thread, depth, stem };
      const own = children.get(thread.id) ?? [];
      for (const [place, child] of own.toReversed().entries()) {
        open.push({ thread: child, depth: depth + 1, stem: `${below}${place === 0 ? '└─ ' : '├─ '}`, below: `${below}${place === 0 ? '   ' : '│  '}` });
      }
    }
  }
}
