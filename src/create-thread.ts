import type { CreateThreadCommand } from './control/protocol.js';
import { redactedMeta } from './item-check.js';
import { invalidOption, type ResolvedOptions } from './options.js';
import { isVersion7, newThreadId } from './rollout/thread-id.js';
import { rolloutPath } from './rollout/rollout-path.js';
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

/** What the writer needs to publish the header, and the metadata in it. @throws LASTWORD_INVALID_OPTION, LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE */
export function createCommand(
  options: ResolvedOptions, id: ThreadId, parentId: ThreadId | undefined, meta: unknown, timestampMs: number, encode: (item: object) => Uint8Array,
): { command: Omit<CreateThreadCommand, 'slot' | 'incarnation'>; meta: Record<string, unknown> } {
  const own = { ...redactedMeta(meta, id, options.redact), ...(parentId === undefined ? {} : { parent_thread_id: parentId }) };
  const payload = { id, timestamp: new Date(timestampMs).toISOString(), ...own, history_mode: 'paginated' };
  const header = encode({ type: 'session_meta', payload });
  return { command: { threadId: id, path: rolloutPath(options.directory, id), base: FIRST_ORDINAL, header, timestampMs }, meta: own };
}
