import { types } from 'node:util';

/**
 * What the host's own code threw: the name of its class, and nothing that it says, since that may be of an item. Looks at it without
 * running anything of it.
 */
export function kindOfThrown(thrown: unknown): string {
  if (!types.isNativeError(thrown)) return thrown === null ? 'null' : typeof thrown;
  const made: unknown = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(thrown) ?? {}, 'constructor')?.value;
  const name: unknown = typeof made === 'function' ? Object.getOwnPropertyDescriptor(made, 'name')?.value : undefined;
  return typeof name === 'string' && name !== '' ? name : 'Error';
}
