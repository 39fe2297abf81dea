import type { CreateThreadCommand } from './control/protocol.js';
import { redactedMeta } from './item-check.js';
import { invalidOption, type ResolvedOptions } from './options.js';
import { isVersion7, newThreadId } from './rollout/thread-id.js';
import type { CreateThreadOptions, ThreadId } from './types.js';

/** The header has ordinal 0, the first item 1. */
const FIRST_ORDINAL = 1;

/** The id asked for, or a new one. @throws LASTWORD_INVALID_OPTION */
export function threadIdOf(options: CreateThreadOptions): ThreadId {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object');
  if (options.id === undefined) return newThreadId();
  if (!isVersion7(options.id)) throw invalidOption('id', options.id, 'a lower-case UUID of version 7');
  return options.id;
}

/** Where a fork leaves the history that it goes on from. */
export interface ForkPoint {
  /** The thread that was forked. */
  readonly source: ThreadId;
  /** The rollout that holds the last record of it: the source's own, or one that it refers to. */
  readonly threadId: ThreadId;
  readonly path: string;
  /** The first ordinal that is the fork's own: its header's. */
  readonly end: number;
  /** Where in that rollout the records before it end. */
  readonly endOffset: number;
}

/** What the writer needs to publish the header, and the metadata in it. @throws LASTWORD_INVALID_OPTION, LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE */
export function createCommand(
  options: ResolvedOptions, id: ThreadId, { path, parentId, fork, meta }: { path: string; parentId: ThreadId | undefined; fork: ForkPoint | undefined; meta: unknown },
  encode: (item: object) => Uint8Array,
): { command: Omit<CreateThreadCommand, 'slot' | 'incarnation' | 'isAgain'>; meta: Record<string, unknown> } {
  const timestampMs = Date.now();
  const own = {
    ...redactedMeta(meta, id, options.redact),
    ...(parentId === undefined ? {} : { parent_thread_id: parentId }),
    ...(fork === undefined ? {} : historyBase(fork)),
  };
  const payload = { id, timestamp: new Date(timestampMs).toISOString(), ...own, history_mode: 'paginated' };
  const header = encode({ type: 'session_meta', payload });
  const base = fork === undefined ? FIRST_ORDINAL : fork.end + 1;
  const command = { threadId: id, path, base, header, timestampMs, reference: fork };
  return { command, meta: own };
}

/** As Codex writes it. */
function historyBase({ source, threadId, end, endOffset }: ForkPoint): Record<string, unknown> {
  return {
    forked_from_id: source, forked_from_ordinal_exclusive: end,
    history_base: { thread_id: threadId, end_ordinal_exclusive: end, end_byte_offset: endOffset },
  };
}
