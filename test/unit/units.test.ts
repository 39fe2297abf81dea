import { expect, test } from 'vitest';
import { fileOffset, isOrdinal, ordinal } from '../../src/units.js';

test('an ordinal is a whole number from 0 that has a next one', () => {
  for (const value of [0, 1, Number.MAX_SAFE_INTEGER - 1]) expect(ordinal(value)).toBe(value);
  for (const value of [-1, 0.5, NaN, Infinity, Number.MAX_SAFE_INTEGER, '1', null, undefined]) expect(isOrdinal(value)).toBe(false);
  expect(() => ordinal(-1)).toThrow('ordinal out of range');
});

test('a file offset is a whole number from 0', () => {
  expect(fileOffset(2 ** 40)).toBe(2 ** 40);
  expect(() => fileOffset(-1)).toThrow('file offset out of range');
});
