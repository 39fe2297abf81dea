import { inspect, type InspectOptions } from 'node:util';

/**
 * What inspect() and JSON.stringify() say of a handle. By themselves they go through all that it refers to, the shared memory with every
 * item in it.
 */
export function printAs<Handle extends object>(made: { readonly prototype: Handle }, name: string, membersOf: (handle: Handle) => object): void {
  Object.defineProperties(made.prototype, {
    toJSON: { value(this: Handle) { return membersOf(this); }, writable: true, configurable: true },
    [inspect.custom]: {
      value(this: Handle, _depth: number, options: InspectOptions) { return `${name} ${inspect(membersOf(this), options)}`; }, writable: true, configurable: true,
    },
  });
}
