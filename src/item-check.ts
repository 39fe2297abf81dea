import { isLastwordError, LastwordError } from './errors.js';
import { assertMeta } from './lifecycle/markers.js';
import { kindOfThrown } from './thrown.js';
import type { Redact, RolloutItem, ThreadId } from './types.js';

const THROWS = 'has a member that throws';

/** `thrown`: the kind of what the host's code threw. Not what it says: that may be of the item. */
export function itemInvalid(threadId: ThreadId, reason: string, thrown?: string): LastwordError {
  return new LastwordError('LASTWORD_ITEM_INVALID', `the item ${reason}`, { threadId, reason, ...(thrown === undefined ? {} : { thrown }) });
}

/** What comes of looking at what the host gave, which may run code of the host's. @throws LASTWORD_ITEM_INVALID, for whatever that throws */
function looking<T>(threadId: ThreadId, reason: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw isLastwordError(error) ? error : itemInvalid(threadId, reason, kindOfThrown(error));
  }
}

/** What is stored in the item's place, delivered and counted. @throws LASTWORD_ITEM_INVALID */
export function redacted(item: unknown, threadId: ThreadId, redact: Redact | undefined): RolloutItem {
  if (redact === undefined) return item as RolloutItem;
  looking(threadId, THROWS, () => { assertObject(item, threadId); });
  try {
    return redact(item as RolloutItem, threadId);
  } catch (error) {
    throw itemInvalid(threadId, 'was refused: redact threw', kindOfThrown(error));
  }
}

/** Metadata, checked, redacted and copied: a getter is asked once. @throws LASTWORD_INVALID_OPTION, LASTWORD_ITEM_INVALID */
export function redactedMeta(meta: unknown, threadId: ThreadId, redact: Redact | undefined, option = 'meta'): Record<string, unknown> {
  const given = looking(threadId, THROWS, () => copiedMeta(meta, option));
  if (redact === undefined) return given;
  const payload = looking(threadId, THROWS, () => (redacted({ type: 'session_meta', payload: given }, threadId, redact) as RolloutItem | undefined)?.payload);
  return looking(threadId, THROWS, () => copiedMeta(payload, option));
}

function copiedMeta(meta: unknown, option: string): Record<string, unknown> {
  assertMeta(meta, option);
  const { toJSON, ...members } = meta;
  // A function is left out, as JSON does it: here it would take the place of the whole header.
  return typeof toJSON === 'function' || toJSON === undefined ? members : { ...members, toJSON };
}

/** The item as it will be packed: what its own toJSON() makes of it. @throws LASTWORD_ITEM_INVALID */
export function checkItem(item: unknown, threadId: ThreadId): object {
  try {
    return checked(item, threadId);
  } catch (error) {
    throw isLastwordError(error) ? error : itemInvalid(threadId, THROWS, kindOfThrown(error));
  }
}

function checked(given: unknown, threadId: ThreadId): object {
  let item = given;
  assertObject(item, threadId);
  const { toJSON } = item as { toJSON?: unknown };
  if (typeof toJSON === 'function') {
    // A Buffer makes an object of itself that has a type.
    if (ArrayBuffer.isView(item)) throw itemInvalid(threadId, 'is no object with members');
    item = (item as { toJSON: (key: string) => unknown }).toJSON('');
    assertObject(item, threadId);
  }
  if (typeof (item as { type?: unknown }).type !== 'string') throw itemInvalid(threadId, 'has no string `type`');
  // One that is inherited would not be stored, and the record would be none.
  if (!Object.hasOwn(item, 'type')) throw itemInvalid(threadId, 'has no `type` of its own');
  // It would be stored as its entries, without its members.
  if (item instanceof Map) throw itemInvalid(threadId, 'is a Map');
  // Spelt out: a constant name is looked up once for each shape of object, a variable one every time.
  if ('timestamp' in item) assertNotOwn(item, 'timestamp', threadId);
  if ('ordinal' in item) assertNotOwn(item, 'ordinal', threadId);
  if ('crc' in item) assertNotOwn(item, 'crc', threadId);
  return item;
}

/** A member of the envelope: an item must not bring its own. */
function assertNotOwn(item: object, member: string, threadId: ThreadId): void {
  if (Object.hasOwn(item, member)) throw itemInvalid(threadId, `has a member \`${member}\`, which is the record's own`);
}

function assertObject(item: unknown, threadId: ThreadId): asserts item is object {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw itemInvalid(threadId, 'is not an object');
}
