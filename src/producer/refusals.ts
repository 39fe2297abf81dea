/** Why an item is not packed: thrown through msgpackr and the host's callbacks, caught by the encoder, never seen outside. */
import { types } from 'node:util';

/** The item can be packed in no way; the message says what it is, without its payload. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** More bytes than the host allows an item. */
export const TOO_LARGE = new Error('the item is too large');
/** msgpackr would write it otherwise than JSON.stringify. */
export const NOT_AS_JSON = new Error('the item has members that msgpackr does not write as JSON');
/** msgpackr returned before its end. */
export const NOT_WHOLE = new Error('a member threw');
/** A key that msgpackr uses itself, in the tree of the keys it knows. */
export const KEY_OF_MSGPACKR = new Error('the item has a key that msgpackr uses itself');

export function isStackOverflow(error: unknown): boolean {
  return types.isNativeError(error) && error instanceof RangeError && error.message.includes('call stack');
}

export function isRefusal(error: unknown): error is Refusal {
  return types.isNativeError(error) && error instanceof Refusal;
}
