/**
 * Items that msgpackr would not store as JSON.stringify does: function-valued members (and so an own toJSON of a plain
 * object), boxed primitives, subclasses of Map. They are rare, so they are turned into plain values here, away from the
 * usual path.
 */
import { LastwordError } from '../errors.js';

export const DEPTH_MAX = 1000;

const BOXED = [String, Number, Boolean, BigInt] as const;

/** Whether msgpackr would write the object's own members where JSON has something else. */
export function needsNormalising(object: object): boolean {
  return object instanceof Map || BOXED.some((type) => object instanceof type);
}

/** The item as plain values: toJSON() applied as JSON.stringify does, functions left out. @throws LASTWORD_ITEM_INVALID: too deep or cyclic */
export function normalise(item: object): object {
  return plain(item, '', 0) as object;
}

function plain(value: unknown, key: string, depth: number): unknown {
  if (typeof value === 'function') return jsonOf(value, key) === value ? undefined : plain(jsonOf(value, key), key, depth);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) throw new LastwordError('LASTWORD_ITEM_INVALID', `the item is cyclic, or nested more than ${DEPTH_MAX} levels deep`);
  const json = keepsItsForm(value) ? value : jsonOf(value, key);
  if (json !== value) return plain(json, key, depth);
  if (BOXED.some((type) => value instanceof type)) return value.valueOf();
  if (Array.isArray(value)) return Array.from(value, (entry: unknown, index) => plain(entry, String(index), depth + 1));
  if (value instanceof Map) {
    return new Map([...value].map(([name, entry]: [unknown, unknown]) => [plain(name, '', depth + 1), plain(entry, String(name), depth + 1)]));
  }
  if (value instanceof Set) return new Set([...value].map((entry: unknown) => plain(entry, '', depth + 1)));
  if (keepsItsForm(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, plain(entry, name, depth + 1)]));
}

/** Has an encoding of its own, whatever its toJSON() says. */
function keepsItsForm(value: object): boolean {
  return value instanceof Date || value instanceof Error || value instanceof RegExp || value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function jsonOf(value: object, key: string): unknown {
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === 'function' ? (toJSON as (this: object, key: string) => unknown).call(value, key) : value;
}

/** Whether the item refers to itself. Looks at data members only: a getter is never called. */
export function isCyclic(item: object): boolean {
  const done = new Set<object>();
  const path = new Set<object>();
  const stack: { object: object; members: object[] }[] = [{ object: item, members: membersOf(item) }];
  path.add(item);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.members.pop();
    if (next === undefined) {
      path.delete(top.object);
      done.add(top.object);
      stack.pop();
    } else if (path.has(next)) {
      return true;
    } else if (!done.has(next)) {
      path.add(next);
      stack.push({ object: next, members: membersOf(next) });
    }
  }
  return false;
}

function membersOf(object: object): object[] {
  if (ArrayBuffer.isView(object)) return [];
  const values = object instanceof Map ? [...object.keys(), ...object.values()] as unknown[]
    : object instanceof Set ? [...object] as unknown[]
    : Object.values(Object.getOwnPropertyDescriptors(object)).map((descriptor) => descriptor.value as unknown);
  return values.filter((value) => typeof value === 'object' && value !== null);
}
