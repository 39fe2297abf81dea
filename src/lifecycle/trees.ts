/** Which threads an operation on a thread reaches, and in which order. */
import { LastwordError } from '../errors.js';
import type { ThreadId } from '../types.js';

/** What a header says of others. */
export interface Edges {
  readonly id: ThreadId;
  readonly parentId: unknown;
  /** Of a fork: whose history it goes on from. */
  readonly baseId: ThreadId | undefined;
}

export interface Tree {
  readonly root: ThreadId;
  /** Parents before their children. */
  readonly below: readonly ThreadId[];
  readonly forksOf: ReadonlyMap<ThreadId, readonly ThreadId[]>;
  readonly isOpen: (id: ThreadId) => boolean;
}

/** Descendants that go before the root, and those behind it. */
export interface TreeOrder { readonly before: readonly ThreadId[]; readonly behind: readonly ThreadId[] }

export function treeOf(root: ThreadId, edges: readonly Edges[], isOpen: (id: ThreadId) => boolean): Tree {
  const children = grouped(edges, ({ parentId }) => parentId);
  const below = new Set<ThreadId>();
  const visit = (parent: ThreadId): void => {
    for (const child of children.get(parent) ?? []) {
      if (child === root || below.has(child)) continue;
      below.add(child);
      visit(child);
    }
  };
  visit(root);
  return { root, below: [...below], forksOf: grouped(edges, ({ baseId }) => baseId) as Map<ThreadId, ThreadId[]>, isOpen };
}

export function rootFirst({ below }: Tree): TreeOrder {
  return { before: [], behind: below };
}

/** A fork goes before its base, since one that stays keeps it. @throws LASTWORD_THREAD_REFERENCED when one keeps the root */
export function forksFirst({ root, below, forksOf, isOpen }: Tree): TreeOrder {
  const tree = new Set([root, ...below]);
  const ordered = new Set<ThreadId>();
  const keepers = new Map<ThreadId, ThreadId | undefined>();
  const visit = (id: ThreadId): ThreadId | undefined => {
    if (keepers.has(id)) return keepers.get(id);
    keepers.set(id, undefined);
    for (const fork of forksOf.get(id) ?? []) {
      if (!tree.has(fork) || isOpen(fork) || visit(fork) !== undefined) keepers.set(id, fork);
    }
    ordered.add(id);
    return keepers.get(id);
  };
  const keeper = visit(root);
  if (keeper !== undefined) throw referenced(root, keeper);
  const before = [...ordered].slice(0, -1);
  for (const id of below) visit(id);
  return { before, behind: [...ordered].slice(before.length + 1) };
}

export function referenced(threadId: ThreadId, referenceId: ThreadId): LastwordError {
  return new LastwordError('LASTWORD_THREAD_REFERENCED', `thread ${threadId} is the base of thread ${referenceId}`, { threadId, referenceId });
}

function grouped(edges: readonly Edges[], by: (edges: Edges) => unknown): Map<unknown, ThreadId[]> {
  const groups = new Map<unknown, ThreadId[]>();
  for (const edge of edges) {
    const key = by(edge);
    if (key !== undefined) groups.set(key, [...groups.get(key) ?? [], edge.id]);
  }
  return groups;
}
