import { types } from 'node:util';

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
  return valuesOf(object).filter((value) => typeof value === 'object' && value !== null) as object[];
}

function valuesOf(object: object): unknown[] {
  if (types.isMap(object)) return [...Map.prototype.entries.call(object)].flat() as unknown[];
  if (types.isSet(object)) return [...Set.prototype.values.call(object)] as unknown[];
  return Object.values(Object.getOwnPropertyDescriptors(object)).map((descriptor) => descriptor.value as unknown);
}
