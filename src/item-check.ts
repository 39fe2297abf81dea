import { isLastwordError, LastwordError } from './errors.js';
import type { Redact, RolloutItem, ThreadId } from './types.js';

/** Members of the envelope: an item must not bring its own. */
const RESERVED = ['timestamp', 'ordinal', 'crc'] as const;

export function itemInvalid(threadId: ThreadId, reason: string, cause?: unknown): LastwordError {
  return new LastwordError('LASTWORD_ITEM_INVALID', `the item ${reason}`, { threadId, reason }, cause === undefined ? undefined : { cause });
}

/** The item as it will be packed: redacted, and what its own toJSON() makes of it. @throws LASTWORD_ITEM_INVALID */
export function checkItem(item: unknown, threadId: ThreadId, redact: Redact | undefined): object {
  let checked = item;
  if (redact !== undefined) {
    assertObject(checked, threadId);
    try {
      checked = redact(checked as RolloutItem, threadId);
    } catch (error) {
      throw itemInvalid(threadId, 'was refused: redact threw', error);
    }
  }
  assertObject(checked, threadId);
  try {
    const { toJSON } = checked as { toJSON?: unknown };
    if (typeof toJSON === 'function') {
      checked = (checked as { toJSON: (key: string) => unknown }).toJSON('');
      assertObject(checked, threadId);
    }
    if (typeof (checked as { type?: unknown }).type !== 'string') throw itemInvalid(threadId, 'has no string `type`');
  } catch (error) {
    throw isLastwordError(error) ? error : itemInvalid(threadId, 'has a member that throws', error);
  }
  for (const member of RESERVED) {
    if (Object.hasOwn(checked, member)) throw itemInvalid(threadId, `has a member \`${member}\`, which is the record's own`);
  }
  return checked;
}

function assertObject(item: unknown, threadId: ThreadId): asserts item is object {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw itemInvalid(threadId, 'is not an object');
}
