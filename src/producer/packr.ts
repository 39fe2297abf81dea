import { types } from 'node:util';
import { Packr } from 'msgpackr/pack';
import { DEFINITION_IDS_MAX, type Definitions } from './definitions.js';
import { KEY_OF_MSGPACKR, NOT_AS_JSON, TOO_LARGE } from './refusals.js';

/** A list of keys, as msgpackr keeps it while nothing of its tree is made anew. */
interface KeyList extends Array<string> {
  isSeen?: boolean;
}

/** msgpackr asks for three bytes a character and takes four times what it needs, rounded to its pages. */
const BUFFER_BYTES_PER_CHARACTER = 12;
const PAGE_BYTES = 0x1000;

const { hasOwnProperty } = Object.prototype;
const { copy: plainCopy } = Buffer.prototype as Buffer;

/** A Packr with lists of keys that are shared through the definitions, and that stops where it would not write JSON's text. */
export function createPackr(definitions: Definitions): Packr {
  const options = {
    structures: [],
    maxSharedStructures: DEFINITION_IDS_MAX,
    maxOwnStructures: 32,
    moreTypes: true,
    useBigIntExtension: true,
    useRecords: (object: object): boolean => {
      if (object.constructor !== Object || object.hasOwnProperty !== hasOwnProperty || 'toJSON' in object) assertAsJson(object);
      return true;
    },
    writeFunction: (): never => { throw NOT_AS_JSON; },
    // Called for each list of keys that is not shared, once an item. Dictionaries come with other keys each time: a list is
    // shared from the second time on.
    shouldShareStructure: (keys: KeyList): boolean => {
      if (keys.isSeen === true) return definitions.hasRoomFor(keys);
      if (!Array.isArray(keys) || keys.includes('__keys__')) throw KEY_OF_MSGPACKR;
      keys.isSeen = true;
      return false;
    },
    // Called once the item is packed: definitions of an item that could not be packed are never published.
    saveStructures: (lists: string[][] & { sharedLength?: number }): boolean => {
      definitions.publish(lists, lists.sharedLength ?? 0);
      return true;
    },
  };
  return new Packr(options);
}

/** Called for objects that are not plain, before their own members are written. @throws NOT_AS_JSON */
function assertAsJson(object: object): void {
  const { hasOwnProperty: has, toJSON, constructor } = object as { hasOwnProperty?: unknown; toJSON?: unknown; constructor: unknown };
  // msgpackr has called toJSON() of everything else.
  if (constructor === Object && typeof toJSON === 'function') throw NOT_AS_JSON;
  // It takes inherited members for the object's own where there is no such method, and believes any that there is.
  if (has !== hasOwnProperty && (typeof has === 'function' || Object.getPrototypeOf(object) !== null)) throw NOT_AS_JSON;
  if (types.isMap(object) || types.isBoxedPrimitive(object) || ArrayBuffer.isView(object) || types.isAnyArrayBuffer(object)) throw NOT_AS_JSON;
}

/** A buffer with what msgpackr, asked for the buffer instead of a view of it, leaves there. */
type PackBuffer = Uint8Array & { dataView?: DataView; copy?: Buffer['copy']; start?: number; end?: number };

/**
 * Gives a buffer all members that it ever has here, in one order: then V8 has one map for all of them. With several, those that only
 * grown items have die in a collection, and msgpackr's code that was compiled for them is thrown away after each.
 */
export function prepareBuffer(buffer: PackBuffer, boundedCopy: Buffer['copy']): void {
  buffer.dataView ??= new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  buffer.copy = boundedCopy;
  buffer.start = 0;
  buffer.end = 0;
}

/**
 * msgpackr calls copy() on a buffer that has become too small: the one place where the growth of an item can be bounded.
 * A string that alone is too large is known by the size of the new buffer, before its bytes are touched.
 */
export function createBoundedCopy(packr: Packr, itemBytesMax: number): Buffer['copy'] {
  return function boundedCopy(this: Buffer, target: Uint8Array, targetStart?: number, sourceStart = 0, sourceEnd?: number): number {
    const isTooLarge = packr.position - sourceStart > itemBytesMax
      || (target.byteLength > this.byteLength + PAGE_BYTES && target.byteLength / BUFFER_BYTES_PER_CHARACTER > 2 * itemBytesMax + PAGE_BYTES);
    if (isTooLarge) throw TOO_LARGE;
    prepareBuffer(target, boundedCopy);
    return plainCopy.call(this, target, targetStart, sourceStart, sourceEnd);
  };
}
