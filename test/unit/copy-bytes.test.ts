import { expect, test } from 'vitest';
import { copyBytes } from '../../src/copy-bytes.js';

const numbered = (bytes: Uint8Array): Uint8Array => bytes.map((_byte, index) => index + 1);

test.each([
  ['private to private', new Uint8Array(16), numbered(new Uint8Array(8))],
  ['shared to private', new Uint8Array(16), numbered(new Uint8Array(new SharedArrayBuffer(8)))],
  ['private to shared', new Uint8Array(new SharedArrayBuffer(16)), numbered(new Uint8Array(8))],
])('every byte is copied once and no other is touched: %s', (_name, target, source) => {
  copyBytes(target, 3, source.subarray(1, 6));
  expect([...target]).toEqual([0, 0, 0, 2, 3, 4, 5, 6, ...Array.from({ length: 8 }, () => 0)]);
});

test('nothing is copied of nothing, also at the end', () => {
  const target = new Uint8Array(2);
  copyBytes(target, 2, new Uint8Array(0));
  expect([...target]).toEqual([0, 0]);
});

test('what has no room is refused, and nothing of it is copied', () => {
  const target = new Uint8Array(4);
  expect(() => { copyBytes(target, 2, new Uint8Array(3).fill(1)); }).toThrow(RangeError);
  expect([...target]).toEqual([0, 0, 0, 0]);
});
