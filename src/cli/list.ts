/** `lastword ls`: threads, newest first, or as trees. */
import { FilePool } from '../pool/file-pool.js';
import type { DamagedRollout } from '../reader/lists/summarise.js';
import { ThreadLists } from '../reader/lists/thread-lists.js';
import type { ListOptions, ThreadSummary } from '../types.js';
import { parseRolloutPath } from '../rollout/rollout-path.js';
import { parseThreadId } from '../rollout/thread-id.js';
import { EXIT, type Exit } from './failure.js';
import { findThread, rootOf } from './find-thread.js';
import type { Terminal } from './terminal.js';
import { counted, fit, inline, sizeOf, timeOf } from './text.js';
import { branched, type Branch } from './tree.js';

export interface ListCommandOptions {
  readonly isJson: boolean;
  readonly isTree: boolean;
  readonly isArchived: boolean;
  readonly limit: number | undefined;
  /** Made, or changed where they are sorted by that, then or later. */
  readonly sinceMs: number | undefined;
  /** An id, or the beginning of one. */
  readonly parent: string | undefined;
  readonly cwd: string | undefined;
  readonly sort: 'created' | 'updated';
}

const PAGE = 500;
/** The order goes by the time in a name, which Codex writes as local time; what is asked for is the header's. */
const DAY_MS = 86_400_000;
const SIZE_COLUMNS = 4;

export async function list(directory: string, { isJson, isTree, ...options }: ListCommandOptions, terminal: Terminal): Promise<Exit> {
  const root = await rootOf(directory);
  let damaged = 0;
  let compressed = 0;
  const kept: ThreadSummary[] = [];
  const print = async ({ thread, ...branch }: Branch): Promise<void> => {
    await (isJson ? terminal.json(isTree ? { ...thread, depth: branch.depth } : thread) : terminal.line(lineOf(thread, branch.stem, terminal)));
  };
  for await (const found of threadsIn(root, options, terminal.signal)) {
    if ('reason' in found && parseRolloutPath(found.path)?.isCompressed === true) compressed += 1;
    else if ('reason' in found) {
      damaged += 1;
      terminal.warn(`${found.path}: ${found.reason}`);
    } else if (isTree) kept.push(found);
    else await print({ thread: found, depth: 0, stem: '' });
  }
  for (const branch of branched(kept)) await print(branch);
  // Codex makes them of old ones: no damage.
  if (compressed > 0) terminal.warn(`${counted(compressed, 'compressed rollout')} (.jsonl.zst) left out`);
  return damaged > 0 ? EXIT.damaged : EXIT.done;
}

async function* threadsIn(
  directory: string, { isArchived, limit = Infinity, sinceMs = -Infinity, parent, cwd, sort }: Omit<ListCommandOptions, 'isJson' | 'isTree'>, signal: AbortSignal,
): AsyncGenerator<ThreadSummary | DamagedRollout, void, undefined> {
  const parentId = parent === undefined ? undefined : parseThreadId(parent) ?? (await findThread(parent, directory)).thread?.id;
  const pool = new FilePool();
  const lists = new ThreadLists({ directory, pool, instance: '', caughtUp: async () => undefined, isOpenHere: () => false, changedPaths: () => [], unsaved: () => undefined });
  try {
    let left = limit;
    const query: ListOptions = { archived: isArchived, sort, parentId, cwd };
    for (let cursor: string | undefined, isMore = true; isMore && left > 0; isMore = cursor !== undefined) {
      signal.throwIfAborted();
      const page = await lists.list({ ...query, cursor, limit: Math.min(PAGE, left) });
      yield* page.damaged;
      for (const thread of page.threads) {
        const ms = Date.parse(sort === 'updated' ? thread.updatedAt : thread.createdAt);
        if (ms < sinceMs - DAY_MS) return;
        if (ms < sinceMs) continue;
        yield thread;
        left -= 1;
      }
      cursor = page.nextCursor;
    }
  } finally {
    await pool.close();
  }
}

/** Id, time, size; then who has it open, and what it is about, as far as there is room. */
function lineOf({ id, createdAt, bytes, owner, title, preview }: ThreadSummary, stem: string, terminal: Terminal): string {
  const start = `${id}  ${timeOf(createdAt).slice(0, 16)}  ${sizeOf(bytes).padStart(SIZE_COLUMNS)}  `;
  const open = owner === undefined || owner === 'self' ? '' : `[${owner.pid} on ${inline(owner.host)}] `;
  const about = inline(title ?? preview ?? '');
  const room = terminal.columns === undefined ? Infinity : Math.max(0, terminal.columns - start.length);
  const text = fit(stem + open + about, room);
  const openAt = stem.length;
  return `${start}${text.slice(0, openAt)}${terminal.style('yellow', text.slice(openAt, openAt + open.length))}${text.slice(openAt + open.length)}`.trimEnd();
}
