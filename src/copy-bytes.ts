const prototype = Buffer.prototype as { fill: (this: Uint8Array, value: Uint8Array, offset: number, end: number) => void };

/**
 * Copies `source` to `at` in `target`, as memcpy does. TypedArray.prototype.set() is slower where either is shared memory: V8 then
 * copies by words, as others may write there meanwhile, and by bytes where the two are not aligned alike (about 2 GB/s).
 * @throws ERR_BUFFER_OUT_OF_BOUNDS, ERR_OUT_OF_RANGE when there is no room for it; nothing is copied then
 */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array): void {
  const bytes = source.byteLength;
  if (bytes === 0) return;   // fill() has nothing to repeat then
  prototype.fill.call(target, source, at, at + bytes);
}
