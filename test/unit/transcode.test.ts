import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFINITIONS_BYTES, RING_OFFSET } from '../../src/ring/layout.js';
import { NO_ORDINAL } from '../../worker/transcode/transcoder.js';
import { randomFrom, SEED } from '../support/random.js';
import { Transcoding, expectedJson } from '../support/transcoding.js';

const transcoding = new Transcoding();
const through = (item: object, outputBytes?: number): string => transcoding.through(item, outputBytes);
const valueThrough = (value: unknown, outputBytes?: number): string => through({ v: value }, outputBytes).slice(5, -1);

describe('a line', () => {
  test('is byte for byte what the format says', () => {
    const payload = transcoding.pack({ type: 'note', payload: 'hi' });
    expect(transcoding.line(payload.byteLength).toString()).toBe(
      '{"timestamp":"2026-11-21T02:35:23.058Z","ordinal":7,"type":"note","payload":"hi","crc":"75834a7f"}\n',
    );
  });

  test('has the timestamp of its moment, before 1970 and after 9999 too', () => {
    const payload = transcoding.pack({ type: 'x' });
    for (const ms of [0, 1, 999, 1000, -1, -1001, 1e12, 951_782_399_999, 951_782_400_000, 4_102_444_800_000, 253_402_300_799_999, 253_402_300_800_000, -62_198_755_200_000, 8.64e15, -8.64e15]) {
      const end = transcoding.transcoder.line(RING_OFFSET, payload.byteLength, ms, 0, 2_000_000, 2_001_000);
      expect(transcoding.bytes.toString('utf8', 2_000_000, end)).toContain(`{"timestamp":"${new Date(ms).toISOString()}","ordinal":0,`);
    }
  });

  test('has ordinals up to 2^53', () => {
    const payload = transcoding.pack({ type: 'x' });
    for (const ordinal of [0, 9, 10, 99, 12_345, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const end = transcoding.transcoder.line(RING_OFFSET, payload.byteLength, 0, ordinal, 2_000_000, 2_001_000);
      expect(transcoding.bytes.toString('utf8', 2_000_000, end)).toContain(`"ordinal":${ordinal},`);
    }
  });

  test('without an ordinal is the same without that member, and has its own checksum', () => {
    const payload = transcoding.pack({ type: 'note', payload: 'hi' });
    const end = transcoding.transcoder.line(RING_OFFSET, payload.byteLength, Date.UTC(2026, 10, 21, 2, 35, 23, 58), NO_ORDINAL, 2_000_000, 2_001_000);
    const body = '{"timestamp":"2026-11-21T02:35:23.058Z","type":"note","payload":"hi"';
    expect(transcoding.bytes.toString('utf8', 2_000_000, end)).toBe(`${body},"crc":"${crc32(body).toString(16).padStart(8, '0')}"}\n`);
  });
});

describe('what JSON.stringify writes', () => {
  test('is written for 10,000 generated items, whatever the size of the output', () => {
    const value = fc.anything({
      maxDepth: 4, maxKeys: 6, withBoxedValues: true, withDate: true, withNullPrototype: true, withObjectString: true, withUnicodeString: true,
      key: fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '\u2028', '"\\', 'k'.repeat(70))),
      values: [
        fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 100 }), fc.integer(), fc.double(), fc.boolean(), fc.constant(null),
        fc.constant(undefined), fc.date(), fc.constantFrom('\ud800', 'a\udc00', '\u2028\u2029', `${'x'.repeat(64)}\ud83d`, '\0\x01\b\t\n\f\r"\\/\x7f\x85'),
      ],
    });
    fc.assert(fc.property(value, fc.integer({ min: 1, max: 300 }), (generated, outputBytes) => {
      const item = { type: 'x', payload: generated };
      expect(through(item, outputBytes)).toBe(expectedJson(item));
    }), { numRuns: 10_000, seed: SEED });
  });

  test('is written for a million random doubles', () => {
    const next = randomFrom(SEED);
    const view = new DataView(new ArrayBuffer(8));
    const double = (kind: number): number => {
      if (kind === 0) return next(1e9) / 10 ** next(12);
      if (kind === 1) return (next(2 ** 31) * 2 ** 22 + next(2 ** 22)) / 10 ** next(20);
      if (kind === 2) return Number(`${next(1e9)}e${next(640) - 330}`);
      view.setUint32(0, next(2 ** 32));
      view.setUint32(4, next(2 ** 32));
      return view.getFloat64(0);
    };
    for (let round = 0; round < 1000; round += 1) {
      const values = Array.from({ length: 1000 }, (_, index) => double(index % 4));
      expect(valueThrough(values)).toBe(JSON.stringify(values));
    }
  });

  test('is written for the doubles and integers at every border', () => {
    const borders = [0, -0, 0.1, 0.2, 0.3, 1.1, 12.0, 0.1 + 0.2, 1e21, 1e20, 123e-20, 1e-6, 1e-7, 9.5e-7, 5e-324, Number.MAX_VALUE, 2 ** 53, 2 ** 53 - 1, 2 ** 53 + 2,
      999_999_999_999_999.9, 99_999_999_999_999.98, 123_456_789_012_345.6, 0.000001, 0.0000012345, 4.35, 1.005, 1e15, 1e15 + 0.5, 1e22, 100, 1 / 3];
    const integers = [31, 32, 63, 64, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 32_767, 32_768, 32_769];
    const values = [...borders, ...borders.map((value) => -value), ...integers, ...integers.map((value) => -value), NaN, Infinity, -Infinity];
    expect(valueThrough(values)).toBe(JSON.stringify(values));
  });

  test('is written for strings of every length, with a special character at every place', () => {
    for (const special of ['', '"', '\\', '\n', '\x1f', 'é', '€', '\u2028', '\u2029', '\u2027', '\ud7ff', '\ue000', '😀', '\ud83d']) {
      for (let length = 0; length < 70; length += 1) {
        const before = Math.floor(length / 2);
        const text = `${'a'.repeat(before)}${special}${'b'.repeat(length - before)}`;
        expect(valueThrough([text, { [text]: text }])).toBe(expectedJson([text, { [text]: text }]));
      }
    }
    const long = 'line one\n\t"quoted" \\ € \u2028 😀 '.repeat(5000);
    expect(valueThrough(long)).toBe(expectedJson(long));
  });

  test('is written for every character of the basic plane, alone and in company', () => {
    for (let code = 0; code < 0x10000; code += 64) {
      const characters = Array.from({ length: 64 }, (_, index) => String.fromCharCode(code + index));
      const values = [...characters, `${'pad'.repeat(30)}${characters.join('-')}`];
      expect(valueThrough(values)).toBe(expectedJson(values));
    }
  });
});

describe('where JSON has nothing', () => {
  const cases: [string, unknown, string][] = [
    ['a bigint is its digits', [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), 10n ** 50n, -(10n ** 200n)], ''],
    ['bytes are base64, whatever the view', [Buffer.from('ab'), new Uint8Array([0xff]), new Uint16Array([1, 2]), new DataView(new ArrayBuffer(4)), new ArrayBuffer(3), Buffer.alloc(0), new Float64Array([1]), new BigInt64Array([1n])], '["YWI=","/w==","AQACAA==","AAAAAA==","AAAA","","AAAAAAAA8D8=","AQAAAAAAAAA="]'],
    ['a Map is an object', new Map<unknown, unknown>([['a', 1], [2, 'b'], [true, null], [null, []], [1.5, {}], [3n, 4n], [undefined, 1], ['gone', undefined], [{}, 1], [10n ** 30n, 2]]), '{"a":1,"2":"b","true":null,"null":[],"1.5":{},"3":4,"undefined":1,"[object]":1,"1000000000000000000000000000000":2}'],
    ['an empty Map and an empty Set', [new Map(), new Set()], '[{},[]]'],
    ['a Set is an array', new Set([1, 'a', new Set([2])]), '[1,"a",[2]]'],
    ['an Error is name and message', [new TypeError('bad "x"', { cause: { deep: [1] } }), Object.assign(new Error('m'), { code: 'E' })], '[{"name":"TypeError","message":"bad \\"x\\""},{"name":"Error","message":"m"}]'],
    ['a RegExp is {}', [/a"b/giu, 1], '[{},1]'],
    ['undefined, functions and members of both are left out, null in arrays', { a: undefined, b: [undefined, (): number => 1], c: (): number => 2, d: 3 }, '{"b":[null,null],"d":3}'],
    ['a record whose first member is undefined', { a: undefined, b: 1 }, '{"b":1}'],
    ['a record of undefined only', { a: undefined }, '{}'],
    ['boxed primitives are their values', [Object('x'), Object(1.5), Object(true), Object(7n)], '["x",1.5,true,7]'],
    ['an invalid date is null', [new Date(NaN)], '[null]'],
    ['dates are ISO', [new Date(0), new Date(1), new Date(-1), new Date(8.64e15), new Date(-8.64e15), new Date(4_294_967_296_000)], ''],
    ['toJSON is called, of plain objects and of classes', [{ toJSON: (): unknown => [1] }, new (class { toJSON(): unknown { return { x: undefined, y: 1 }; } })()], '[[1],{"y":1}]'],
    ['a class is its members, a subclass of Map an object', [new (class { a = 1; #b = 2; get c(): number { return this.#b; } })(), new (class extends Map<string, number> {})([['k', 1]])], '[{"a":1},{"k":1}]'],
  ];
  test.each(cases)('%s', (_name, value, expected) => {
    const text = expected === '' ? JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? `#${member}#` : member)).replaceAll('"#', '').replaceAll('#"', '') : expected;
    expect(valueThrough(value)).toBe(text);
    for (const outputBytes of [1, 2, 17, 96, 97, 110, 128]) expect(valueThrough(value, outputBytes)).toBe(text);
  });
});

describe('an output that is full', () => {
  const item = {
    type: 'response_item', text: 'é"\n\u2028\ud800'.repeat(40), list: [1, -1.5, 1e300, null, true, [[]], {}], big: 10n ** 300n, bytes: Buffer.alloc(301, 7),
    ['long key '.repeat(40)]: new Map<unknown, unknown>([['k'.repeat(200), 1], [10n ** 150n, 2]]), error: new Error('m'.repeat(150)), date: new Date(0),
  };
  test('is gone on with at any byte', () => {
    const whole = through(item);
    expect(JSON.parse(whole)).toMatchObject({ type: 'response_item', list: [1, -1.5, 1e300, null, true, [[]], {}] });
    for (let outputBytes = 1; outputBytes < whole.length + 100; outputBytes += 1) {
      const text = through(item, outputBytes);
      if (text !== whole) expect({ outputBytes, text }).toEqual({ outputBytes, text: whole });
    }
  });

  test('is filled again and again by a line much longer than it', () => {
    const text = 'a "long" line\n'.repeat(1_000_000);
    expect(valueThrough(text, 64 * 1024) === JSON.stringify(text)).toBe(true);
  });

  test('holds the beginning of an envelope that does not fit', () => {
    const payload = transcoding.pack({ type: 'x' });
    expect(transcoding.transcoder.line(RING_OFFSET, payload.byteLength, 0, 1, 2_000_000, 2_000_050)).toBe(2_000_050);
    expect(transcoding.transcoder.finished).toBe(false);
    const start = transcoding.bytes.toString('utf8', 2_000_000, 2_000_050);
    const end = transcoding.transcoder.resume(3_000_000, 3_000_200);
    expect(transcoding.transcoder.finished).toBe(true);
    expect(start + transcoding.bytes.toString('utf8', 3_000_000, end)).toMatch(/^\{"timestamp":"1970-01-01T00:00:00\.000Z","ordinal":1,"type":"x","crc":"[0-9a-f]{8}"\}\n$/);
  });
});

describe('record definitions', () => {
  test('of more lists of keys than msgpackr shares and than their area holds are all written right', () => {
    const fresh = new Transcoding();
    const next = randomFrom(SEED);
    for (let index = 0; index < 9000; index += 1) {
      const name = `${'wide'.repeat(next(30))}${index}`;
      const item = { type: 'x', [name]: index, nested: { [`${name}a`]: [{ [`${name}b`]: 1, z: 2 }, { [`${name}b`]: 3, z: 4 }] } };
      // A list of keys is shared from the second time on.
      for (let time = 0; time < 3; time += 1) expect(fresh.through(item)).toBe(JSON.stringify(item));
    }
    expect(fresh.definitionsBytes()).toBeGreaterThan(DEFINITIONS_BYTES * 0.99);
    // The first lists, shared long ago, are still known.
    expect(fresh.through({ type: 'x', payload: { '0': 1 } })).toBe('{"type":"x","payload":{"0":1}}');
  });

  test('of one item with more lists than one item may name', () => {
    const fresh = new Transcoding();
    const item = { type: 'x', list: Array.from({ length: 12_000 }, (_, index) => ({ [`k${index % 9000}`]: index, same: { a: 1 } })) };
    expect(fresh.through(item) === JSON.stringify(item)).toBe(true);
    expect(fresh.through(item) === JSON.stringify(item)).toBe(true);
  });

  test('of an item that could not be packed are never published', () => {
    const fresh = new Transcoding();
    expect(() => fresh.encoder.encode({ type: 'x', fresh1: { fresh2: Symbol('s') } })).toThrow(/LASTWORD_ITEM_INVALID/);
    for (const item of [{ type: 'x', other1: { other2: 1 } }, { type: 'x', fresh1: { fresh2: 2 } }]) expect(fresh.through(item)).toBe(JSON.stringify(item));
  });
});

describe('msgpack', () => {
  /** A payload whose item is a Map with the one member `v`. */
  const payloadOf = (...value: number[]): number => transcoding.place(Uint8Array.from([0x81, 0xa1, 0x76, ...value])).byteLength;
  const jsonOf = (...value: number[]): string => transcoding.json(payloadOf(...value)).slice(5, -1);

  test('with any first byte is written or refused, and each is seen', () => {
    const seen = new Set<number>();
    const hand: [number[], string][] = [
      [[0xca, 0x3f, 0xc0, 0, 0], '1.5'], [[0xc1], '{}'], [[0xc0], 'null'], [[0xc7, 0, 0x99], '""'], [[0xc8, 0, 1, 0x99, 1], '"AQ=="'], [[0xc9, 0, 0, 0, 1, 0x99, 1], '"AQ=="'],
      [[0xd8, 0x42, ...new Array<number>(15).fill(0), 5], '5'], [[0xd7, 0x42, 0, 0, 0, 0, 0, 0, 0, 9], '9'], [[0xdd, 0, 0, 0, 1, 7], '[7]'], [[0xdf, 0, 0, 0, 1, 0xa1, 0x61, 7], '{"a":7}'],
      [[0xdb, 0, 0, 0, 1, 0x62], '"b"'], [[0xc6, 0, 0, 0, 1, 0xff], '"/w=="'], [[0xcf, 255, 255, 255, 255, 255, 255, 255, 255], '18446744073709551615'],
      [[0xd3, 128, 0, 0, 0, 0, 0, 0, 0], '-9223372036854775808'], [[0xd2, 128, 0, 0, 0], '-2147483648'], [[0xd1, 128, 0], '-32768'], [[0xd0, 128], '-128'],
      [[0xcc, 255], '255'], [[0xcd, 255, 255], '65535'], [[0xce, 255, 255, 255, 255], '4294967295'], [[0xd9, 1, 0x63], '"c"'], [[0xda, 0, 1, 0x64], '"d"'],
      [[0xc4, 0], '""'], [[0xc5, 0, 1, 0], '"AA=="'], [[0xdc, 0, 1, 1], '[1]'], [[0xde, 0, 0], '{}'], [[0xc2], 'false'], [[0xc3], 'true'],
      [[0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], '0.1'], [[0xd5, 0x42, 255, 0], '-256'], [[0xd6, 0xff, 0, 0, 0, 1], '"1970-01-01T00:00:01.000Z"'],
    ];
    for (const [bytes, text] of hand) {
      seen.add(bytes[0] ?? 0);
      expect(jsonOf(...bytes)).toBe(text);
    }
    seen.add(0xd4);
    expect(jsonOf(0x91, 0xd4, 0, 0)).toBe('[null]');
    for (let byte = 0; byte < 0x40; byte += 1) expect(jsonOf(byte)).toBe(String(byte));
    for (let byte = 0xe0; byte < 0x100; byte += 1) expect(jsonOf(byte)).toBe(String(byte - 256));
    for (let count = 0; count < 16; count += 1) {
      expect(jsonOf(0x90 + count, ...new Array<number>(count).fill(1))).toBe(JSON.stringify(new Array(count).fill(1)));
      const pairs = Array.from({ length: count }, (_, index) => [0xa1, 0x61 + index, index]).flat();
      expect(jsonOf(0x80 + count, ...pairs)).toBe(JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, index) => [String.fromCharCode(0x61 + index), index]))));
    }
    for (let length = 0; length < 32; length += 1) expect(jsonOf(0xa0 + length, ...new Array<number>(length).fill(0x7a))).toBe(JSON.stringify('z'.repeat(length)));
    for (const [from, to] of [[0, 0x40], [0x80, 0xc0], [0xe0, 0x100]] as const) for (let byte = from; byte < to; byte += 1) seen.add(byte);
    // Records, from the encoder: 40 lists are enough for ids of one and of two bytes.
    const records = new Transcoding();
    for (let index = 0; index < 2000; index += 1) {
      const item = { type: 'x', [`k${index}`]: 1 };
      records.pack(item); // from its second use on a list is shared
      const payload = records.pack(item);
      seen.add(payload[0] ?? 0);
      expect(records.json(payload.byteLength)).toBe(JSON.stringify(item));
    }
    expect(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !seen.has(byte))).toEqual([]);
  });

  test('that is none ends in an error, and the next line is right', () => {
    const next = randomFrom(SEED);
    const good = Buffer.from(transcoding.pack({ type: 'x', list: [1, 'two', { three: 3.5 }], when: new Date(0), big: 2n ** 70n, set: new Set([1]) }));
    let refused = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const bad = Buffer.from(good.subarray(0, round % 2 === 0 ? next(good.byteLength) : good.byteLength));
      if (bad.byteLength > 0) bad[next(bad.byteLength)] = next(256);
      try {
        transcoding.line(transcoding.place(bad).byteLength);
      } catch (error) {
        expect(error).toMatchObject({ message: 'the payload is no msgpack' });
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(5000);
    expect(through({ type: 'x', a: 1 })).toBe('{"type":"x","a":1}');
  });

  test('with a record whose id is beyond those that an item may define is none', () => {
    // Defines id 0x62 0xfe with the key `type`; its value is a record of id 0x62 0xff, 32 further.
    const bad = transcoding.place(Buffer.from('d57262fe91a47479706562ff', 'hex'));
    expect(() => transcoding.line(bad.byteLength)).toThrow('the payload is no msgpack');
  });

  test('depth counts containers in containers, the item as one', () => {
    const depthOf = (item: object): number => transcoding.transcoder.depth(RING_OFFSET, transcoding.pack(item).byteLength);
    expect(depthOf({ type: 'x', payload: 1 })).toBe(1);
    expect(depthOf({ type: 'x', payload: {} })).toBe(2);
    expect(depthOf({ type: 'x', payload: [[], [[]], 'text', new Map([[1, [[[[]]]]]])] })).toBe(7);
    expect(depthOf({ type: 'x', set: new Set([1]), error: new Error('x'), big: 2n ** 80n, bytes: Buffer.alloc(300) })).toBe(2);
  });
});

test('the comparison notices one wrong byte', () => {
  const { byteLength } = transcoding.pack({ type: 'x', payload: 'abc' });
  const line = transcoding.line(byteLength);
  expect(line.toString()).toContain('abc');
  transcoding.bytes[RING_OFFSET + byteLength - 1] = 0x78;
  expect(transcoding.json(byteLength)).toBe('{"type":"x","payload":"abx"}');
});
