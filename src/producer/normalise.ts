/**
 * Items that msgpackr would not store as JSON.stringify does: function-valued members (and so an own toJSON of a plain
 * object), boxed primitives, subclasses of Map, keys that are names of Object.prototype. They are rare, so they are turned
 * into plain values here, away from the usual path: Maps for objects, which msgpackr takes as they are.
 */
import { types } from 'node:util';
import { Refusal, TOO_LARGE } from './refusals.js';

/** Levels of nesting that an item may have; it is one itself. */
export const DEPTH_MAX = 1000;
/** An object takes more memory here than bytes when packed. */
const CONTAINERS_MAX = 2 ** 20;

/** What the transcoder writes for a key that has no text. */
const OBJECT_KEY = '[object]';

const OWN_TO_JSON: readonly unknown[] = [Date.prototype.toJSON, (Buffer.prototype as Buffer).toJSON];

/**
 * The item as plain values: toJSON() applied as JSON.stringify does, functions left out.
 * @throws Refusal, TOO_LARGE, and what a getter or a toJSON() throws
 */
export function normalise(item: object, bytesMax: number): Map<unknown, unknown> {
  const plain = new Normaliser(bytesMax).plain(item, '', 1);
  // These have members, and are not stored by them.
  const isStoredOtherwise = types.isNativeError(item) || types.isRegExp(item) || types.isSymbolObject(item);
  if (plain instanceof Map && !isStoredOtherwise) return plain;
  throw new Refusal('is no object with members');
}

class Normaliser {
  /** Bytes that may still come, each value taking one at least. */
  #bytesLeft: number;
  #containersLeft = CONTAINERS_MAX;

  constructor(bytesMax: number) {
    this.#bytesLeft = bytesMax;
  }

  plain(given: unknown, key: string, level: number): unknown {
    const value = jsonOf(given, key);
    this.#take(typeof value === 'string' ? value.length : 1);
    if (typeof value === 'function') return undefined;
    if (typeof value === 'symbol') throw new Refusal('has a symbol for a value');
    if (typeof value !== 'object' || value === null) return value;
    if (types.isBoxedPrimitive(value)) return unboxed(value);
    if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    if (value instanceof ArrayBuffer) return Buffer.from(value);
    if (value instanceof Date) return value;
    if (level > DEPTH_MAX) throw new Refusal(`is cyclic, or nested more than ${DEPTH_MAX} levels deep`);
    this.#containersLeft -= 1;
    if (this.#containersLeft < 0) throw TOO_LARGE;
    if (Array.isArray(value)) return Array.from(value as unknown[], (entry, index) => this.plain(entry, String(index), level + 1));
    if (value instanceof Set) return Array.from(value, (entry: unknown) => this.plain(entry, '', level + 1));
    if (value instanceof Error) return this.#plainObject({ name: value.name, message: value.message }, level);
    if (value instanceof RegExp) return new Map();
    return value instanceof Map ? this.#plainMap(value, level) : this.#plainObject(value, level);
  }

  #plainMap(map: Map<unknown, unknown>, level: number): Map<unknown, unknown> {
    const plain = new Map<unknown, unknown>();
    for (const [name, entry] of map) {
      const key = typeof name === 'object' ? this.plain(name, '', level + 1) : name;
      plain.set(typeof key === 'function' ? OBJECT_KEY : key, this.plain(entry, typeof name === 'string' ? name : '', level + 1));
    }
    return plain;
  }

  #plainObject(object: object, level: number): Map<string, unknown> {
    const plain = new Map<string, unknown>();
    for (const name of Object.keys(object)) {
      this.#take(name.length);
      const value = this.plain((object as Record<string, unknown>)[name], name, level + 1);
      if (value !== undefined) plain.set(name, value);
    }
    return plain;
  }

  #take(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) throw TOO_LARGE;
  }
}

function unboxed(value: object): unknown {
  if (types.isNumberObject(value)) return Number(value);
  if (types.isStringObject(value)) return String(value);
  if (types.isSymbolObject(value)) return new Map();
  return value.valueOf();
}

/** What the value's toJSON() makes of it, where it has one that is not a built-in's. */
function jsonOf(value: unknown, key: string): unknown {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return value;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON !== 'function' || OWN_TO_JSON.includes(toJSON)) return value;
  return (toJSON as (this: object, key: string) => unknown).call(value, key);
}
