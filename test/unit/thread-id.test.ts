import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isThreadId, isVersion7, newThreadId, parseThreadId, ThreadIdSource, timeOf } from '../../src/rollout/thread-id.js';
import { randomFrom, SEED } from '../support/random.js';

const NOW = Date.UTC(2026, 10, 21, 2, 35, 23, 58);
const fillWith = (byte: number) => (bytes: Uint8Array): void => void bytes.fill(byte);

describe('a new thread id', () => {
  test('has the layout of RFC 9562: time, version 7, variant 10', () => {
    const time = NOW.toString(16).padStart(12, '0');
    const head = `${time.slice(0, 8)}-${time.slice(8)}`;
    expect(new ThreadIdSource().next(NOW, fillWith(0xff))).toBe(`${head}-77ff-bfff-ffffffffffff`);
    expect(new ThreadIdSource().next(NOW, fillWith(0x00))).toBe(`${head}-7000-8000-000000000000`);
  });

  test('carries its time for every millisecond that 48 bits hold, whatever the random bytes are', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.uint8Array({ minLength: 10, maxLength: 10 }), (now, bytes) => {
      const id = new ThreadIdSource().next(now, (into) => into.set(bytes));
      expect(isThreadId(id) && isVersion7(id)).toBe(true);
      expect(timeOf(id)).toBe(now);
    }), { seed: SEED });
  });

  test('sorts behind all that were made before it in its millisecond', () => {
    const random = randomFrom(SEED);
    const ids = Array.from({ length: 5000 }, () => newThreadId(NOW, (bytes) => bytes.forEach((_, at) => (bytes[at] = random(256)))));
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
  });

  test('made by a fresh source each time does not sort: the order above is the work of the count', () => {
    const random = randomFrom(SEED);
    const ids = Array.from({ length: 100 }, () =>
      new ThreadIdSource().next(NOW, (bytes) => bytes.forEach((_, at) => (bytes[at] = random(256)))));
    expect([...ids].sort()).not.toEqual(ids);
  });

  test('counts on where the count crosses the version and the variant', () => {
    const source = new ThreadIdSource();
    const first = source.next(NOW, (bytes) => bytes.set([0x00, 0x0f, 0xff, 0xff], 0));
    const second = source.next(NOW, fillWith(0));
    expect(first.slice(14, 26)).toBe('7000-bfff-fc');
    expect(second.slice(14, 26)).toBe('7001-8000-00');
    expect(first < second).toBe(true);
  });

  test('follows a clock that goes back', () => {
    const source = new ThreadIdSource();
    source.next(NOW, fillWith(1));
    expect(timeOf(source.next(NOW - 3_600_000, fillWith(1)))).toBe(NOW - 3_600_000);
  });

  test('needs neither clock nor random source from the caller', () => {
    const before = Date.now();
    const [first, second] = [newThreadId(), newThreadId()];
    expect(first).not.toBe(second);
    expect(timeOf(first)).toBeGreaterThanOrEqual(before);
  });
});

describe('ids of others', () => {
  test.each([
    '01a1fc00-3acb-72e1-9fe5-382b9a8a8e0b', '6fa459ea-ee8a-3ca4-894e-db77e160355e', '00000000-0000-0000-0000-000000000000',
  ])('are thread ids whatever their version: %s', (id) => {
    expect(isThreadId(id)).toBe(true);
    expect(parseThreadId(id.toUpperCase())).toBe(id);
  });

  test.each([
    '', 'x', '01A1FC00-3ACB-72E1-9FE5-382B9A8A8E0B', '01a1fc003acb72e19fe5382b9a8a8e0b', '../../../../../../../../etc/passwd-000000',
    '01a1fc00-3acb-72e1-9fe5-382b9a8a8e0b\n', ' 01a1fc00-3acb-72e1-9fe5-382b9a8a8e0b', '01a1fc00-3acb-72e1-9fe5-382b9a8a8e0g', 7, null,
  ])('are refused when they are no lower-case UUID: %j', (id) => {
    expect(isThreadId(id)).toBe(false);
    expect(isVersion7(id)).toBe(false);
  });

  test('have a time only in version 7', () => {
    expect(timeOf('01a1fc00-3acb-72e1-9fe5-382b9a8a8e0b')).toBe(Date.parse('2026-11-21T02:47:15.915Z'));
    expect(timeOf('6fa459ea-ee8a-3ca4-894e-db77e160355e')).toBeUndefined();
    expect(isVersion7('01a1fc00-3acb-72e1-7fe5-382b9a8a8e0b')).toBe(false);
  });
});
