/** A bug of ours, never a condition of the caller. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`lastword: assertion failed: ${message}`);
}
