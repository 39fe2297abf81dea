/** The public shapes of lists. */
import type { ThreadId } from './types.js';

/** Options of listThreads(). */
export interface ListOptions {
  /** Threads on a page. Default 50. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, with the same `sort`. Opaque; stable under inserts. */
  cursor?: string | undefined;
  /** 'created': by the time in the id, or in the name. 'updated': by the file's last change. Default 'created'. */
  sort?: 'created' | 'updated' | undefined;
  /** Default 'desc': newest first. */
  direction?: 'desc' | 'asc' | undefined;
  /** Default false: archived ones are left out; true: only they. */
  archived?: boolean | undefined;
  /** Only threads that it spawned. */
  parentId?: ThreadId | undefined;
  /** Only threads whose metadata have this `cwd`. */
  cwd?: string | undefined;
}
/** A thread as a list shows it. */
export interface ThreadSummary {
  id: ThreadId;
  /** The rollout; absolute. */
  path: string;
  /** The thread that spawned it, as its header says; undefined for a root. */
  parentId: ThreadId | undefined;
  /** The thread whose history it goes on from; undefined unless it is a fork. */
  forkedFrom: ThreadId | undefined;
  /** RFC 3339, UTC: the header's. */
  createdAt: string;
  /** RFC 3339, UTC: the file's last change. */
  updatedAt: string;
  /** Size of the rollout. */
  bytes: number;
  archived: boolean;
  /** `title` of the metadata, where it is a string. */
  title: string | undefined;
  /** First user message, at most 200 characters. */
  preview: string | undefined;
  /** Who may append now: this sidecar, or another process; undefined where nobody has it open. */
  owner: 'self' | { pid: number; host: string } | undefined;
  /** What header and later changes have set. In a list: changes within 2 MiB of the rollout's beginning and end. */
  meta: Record<string, unknown>;
}
/** One page of a list. */
export interface ThreadPage {
  threads: ThreadSummary[];
  /** Undefined on the last page. */
  nextCursor: string | undefined;
  /** Files that stand where this page is in the order and could not be summarised, with why. */
  damaged: { path: string; reason: string }[];
}
