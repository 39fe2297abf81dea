/** V8's maps (hidden classes) of what msgpackr packs into: code that was compiled for one of them is thrown away at another. */
import { afterAll, expect, test } from 'vitest';
import { setFlagsFromString } from 'node:v8';
import { createProducerWasmMemory } from '../../src/ring/memory.js';

setFlagsFromString('--allow-natives-syntax');
// eslint-disable-next-line @typescript-eslint/no-implied-eval -- the only way to ask V8
const haveSameMap = new Function('one', 'other', 'return %HaveSameMap(one, other)') as (one: object, other: object) => boolean;

const grown: [from: Buffer, to: Uint8Array][] = [];
const { copy } = Buffer.prototype;
// The library keeps the copy() that it finds when it is loaded.
Buffer.prototype.copy = function (this: Buffer, ...given: Parameters<Buffer['copy']>): number {
  grown.push([this, given[0]]);
  return copy.apply(this, given);
};
const { Encoder } = await import('../../src/producer/encode.js');
Buffer.prototype.copy = copy;

afterAll(() => { setFlagsFromString('--no-allow-natives-syntax'); });

test('an item that outgrows its window goes on in a buffer of the same map, in ring and scratch', () => {
  const memory = createProducerWasmMemory(1 << 20, 1 << 20).buffer;
  const encoder = new Encoder({ itemBytesMax: 1 << 20, memory });
  const item = { type: 'message', text: 'x'.repeat(40_000) };
  const window = Buffer.from(memory, 1 << 16, 1 << 13);
  expect(encoder.encodeInto(item, window, 0)).toBe(-1);
  encoder.encodeForNow(item);
  encoder.encode(item);
  expect(grown.length).toBeGreaterThanOrEqual(3);
  for (const [from, to] of grown) expect(haveSameMap(from, to) && haveSameMap(from, window)).toBe(true);
});

test('the control: members in another order are another map', () => {
  const [one, other] = [Buffer.alloc(8), Buffer.alloc(8)];
  Object.assign(one, { dataView: 1, copy });
  Object.assign(other, { copy, dataView: 1 });
  expect(haveSameMap(one, other)).toBe(false);
});
