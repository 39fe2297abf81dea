import { isLastwordError, LastwordError } from './errors.js';
import { assertMeta } from './lifecycle/markers.js';
import type { Redact, RolloutItem, ThreadId } from './types.js';

export function itemInvalid(threadId: ThreadId, reason: string, cause?: unknown): LastwordError {
  return new LastwordError('LASTWORD_ITEM_INVALID', `the item ${reason}`, { threadId, reason }, cause === undefined ? undefined : { cause });
}

/** What is stored in the item's place, delivered and counted. @throws LASTWORD_ITEM_INVALID */
export function redacted(item: unknown, threadId: ThreadId, redact: Redact | undefined): RolloutItem {
  if (redact === undefined) return item as RolloutItem;
  assertObject(item, threadId);
  try {
    return redact(item as RolloutItem, threadId);
  } catch (error) {
    throw itemInvalid(threadId, 'was refused: redact threw', error);
  }
}

/** Metadata, checked and redacted. @throws LASTWORD_INVALID_OPTION, LASTWORD_ITEM_INVALID */
export function redactedMeta(meta: unknown, threadId: ThreadId, redact: Redact | undefined, option = 'meta'): Record<string, unknown> {
  assertMeta(meta, option);
  if (redact === undefined) return meta;
  const payload: unknown = (redacted({ type: 'session_meta', payload: meta }, threadId, redact) as RolloutItem | undefined)?.payload;
  assertMeta(payload, option);
  return payload;
}

/** The item as it will be packed: what its own toJSON() makes of it. @throws LASTWORD_ITEM_INVALID */
export function checkItem(item: unknown, threadId: ThreadId): object {
  let checked = item;
  assertObject(checked, threadId);
  try {
    const { toJSON } = checked as { toJSON?: unknown };
    if (typeof toJSON === 'function') {
      checked = (checked as { toJSON: (key: string) => unknown }).toJSON('');
      assertObject(checked, threadId);
    }
    if (typeof (checked as { type?: unknown }).type !== 'string') throw itemInvalid(threadId, 'has no string `type`');
    // One that is inherited would not be stored, and the record would be none.
    if (!Object.hasOwn(checked, 'type')) throw itemInvalid(threadId, 'has no `type` of its own');
    // It would be stored as its entries, without its members.
    if (checked instanceof Map) throw itemInvalid(threadId, 'is a Map');
  } catch (error) {
    throw isLastwordError(error) ? error : itemInvalid(threadId, 'has a member that throws', error);
  }
  // Spelt out: a constant name is looked up once for each shape of object, a variable one every time.
  if ('timestamp' in checked) assertNotOwn(checked, 'timestamp', threadId);
  if ('ordinal' in checked) assertNotOwn(checked, 'ordinal', threadId);
  if ('crc' in checked) assertNotOwn(checked, 'crc', threadId);
  return checked;
}

/** A member of the envelope: an item must not bring its own. */
function assertNotOwn(item: object, member: string, threadId: ThreadId): void {
  if (Object.hasOwn(item, member)) throw itemInvalid(threadId, `has a member \`${member}\`, which is the record's own`);
}

function assertObject(item: unknown, threadId: ThreadId): asserts item is object {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw itemInvalid(threadId, 'is not an object');
}
