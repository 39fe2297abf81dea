import type { CreateThreadCommand } from './control/protocol.js';
import { itemInvalid } from './item-check.js';
import { invalidOption, type ResolvedOptions } from './options.js';
import { isVersion7, newThreadId } from './rollout/thread-id.js';
import { rolloutPath } from './rollout/rollout-path.js';
import type { CreateThreadOptions, RolloutItem, ThreadId } from './types.js';

/** Members of the header's payload that are the library's own. */
const RESERVED_META = ['id', 'timestamp', 'history_mode'] as const;

/** The header has ordinal 0, the first item 1. */
const FIRST_ORDINAL = 1;

/** The id asked for, or a new one. @throws LASTWORD_INVALID_OPTION */
export function threadIdOf(options: CreateThreadOptions): ThreadId {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object');
  if (options.id === undefined) return newThreadId();
  if (!isVersion7(options.id)) throw invalidOption('id', options.id, 'a lower-case UUID of version 7');
  return options.id;
}

/** What the writer needs to publish the header. @throws LASTWORD_INVALID_OPTION, LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE */
export function createCommand(
  options: ResolvedOptions, id: ThreadId, parentId: ThreadId | undefined, meta: unknown, timestampMs: number, encode: (item: object) => Uint8Array,
): Omit<CreateThreadCommand, 'slot' | 'incarnation'> {
  assertMeta(meta);
  const payload = {
    id, timestamp: new Date(timestampMs).toISOString(), ...redacted(options, id, meta),
    ...(parentId === undefined ? {} : { parent_thread_id: parentId }), history_mode: 'paginated',
  };
  const header = encode({ type: 'session_meta', payload });
  return { threadId: id, path: rolloutPath(options.directory, id), base: FIRST_ORDINAL, header, timestampMs };
}

function redacted({ redact }: ResolvedOptions, id: ThreadId, meta: Record<string, unknown>): Record<string, unknown> {
  if (redact === undefined) return meta;
  let item: RolloutItem;
  try {
    item = redact({ type: 'session_meta', payload: meta }, id);
  } catch (error) {
    throw itemInvalid(id, 'was refused: redact threw', error);
  }
  const payload: unknown = (item as RolloutItem | undefined)?.payload;
  assertMeta(payload);
  return payload;
}

function assertMeta(meta: unknown): asserts meta is Record<string, unknown> {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) throw invalidOption('meta', meta, 'an object of members');
  for (const member of RESERVED_META) {
    if (Object.hasOwn(meta, member)) throw invalidOption('meta', `an object with the member ${member}`, `members other than ${RESERVED_META.join(', ')}`);
  }
}
