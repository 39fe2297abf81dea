import { types } from 'node:util';

const { entries: mapEntries } = Map.prototype as Map<unknown, unknown>;
const { values: setValues } = Set.prototype as Set<unknown>;

/**
 * Whether the item refers to itself. Looks at data members only: nothing of the host's is called, and a Proxy is taken for
 * a value without members.
 */
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
  if (types.isProxy(object) || ArrayBuffer.isView(object)) return [];
  return valuesOf(object).filter((value): value is object => typeof value === 'object' && value !== null);
}

function valuesOf(object: object): unknown[] {
  // A subclass may have overridden how it is iterated.
  if (types.isMap(object)) return [...mapEntries.call(object)].flat();
  if (types.isSet(object)) return [...setValues.call(object)];
  return Object.values(Object.getOwnPropertyDescriptors(object)).map((descriptor) => descriptor.value as unknown);
}
