/** Items that the library appends itself: what was rolled back, and metadata. docs/format.md has their form. */
import { invalidOption } from '../options.js';
import type { RolloutItem, ThreadId } from '../types.js';

/** Members of the header's payload that are the library's own. */
export const RESERVED_META = ['id', 'timestamp', 'history_mode'] as const;

/** Codex knows the type and reads `num_turns`; our views read `to_ordinal`, the first ordinal left out. */
export function rollbackMarker(from: number): RolloutItem {
  return { type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: 0, to_ordinal: from } };
}

/** @throws LASTWORD_INVALID_OPTION */
export function assertRollback(from: unknown, accepted: number): void {
  if (!Number.isSafeInteger(from) || (from as number) < 1 || (from as number) > accepted) {
    throw invalidOption('from', from, `an ordinal from 1 to ${accepted}`);
  }
}

/** @throws LASTWORD_INVALID_OPTION */
export function assertMeta(meta: unknown, option = 'meta'): asserts meta is Record<string, unknown> {
  // By its kind: what it says is a secret like all metadata.
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) throw invalidOption(option, kindOf(meta), 'an object of members');
  for (const member of RESERVED_META) {
    if (Object.hasOwn(meta, member)) throw invalidOption(option, `an object with the member ${member}`, `members other than ${RESERVED_META.join(', ')}`);
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** The metadata with a change made to it: members that are undefined or null are gone. */
export function patchedMeta(meta: Readonly<Record<string, unknown>>, patch: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...meta, ...patch }).filter(([, value]) => value !== undefined && value !== null));
}

/**
 * A further header with all of the metadata, so that the last one says it all. Members that were removed are null, for readers that
 * put all of them together. Never a `timestamp`: Codex takes a further header that it can parse for the beginning of its history.
 */
export function metaMarker(id: ThreadId, meta: Readonly<Record<string, unknown>>, patch: Readonly<Record<string, unknown>>): RolloutItem {
  const removed = Object.entries(patch).filter(([, value]) => value === undefined || value === null).map(([member]) => [member, null]);
  return { type: 'session_meta', payload: { ...patchedMeta(meta, patch), ...Object.fromEntries(removed) as object, id, history_mode: 'paginated' } };
}
