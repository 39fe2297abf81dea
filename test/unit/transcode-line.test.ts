import { describe, expect, it } from 'vitest';
import { OUTPUT_OFFSET } from '../../src/ring/layout.js';
import { createRig, encodeAt, expectedLine, jsonOf, lineAround, lineOf, put, transcode } from '../support/transcoding-rig.js';

const rig = createRig();

/** The line's own members, as text. */
function membersOf(item: object): string {
  const line = lineOf(rig, item);
  return line.slice('{"timestamp":"2026-11-21T02:35:23.058Z","ordinal":3,'.length, line.lastIndexOf(',"crc":"'));
}

describe('a line', () => {
  it('is the envelope, the members of the item in their order, and the checksum of what is before it', () => {
    const item = { type: 'event_msg', payload: { type: 'agent_message', message: 'hello' } };
    const line = lineOf(rig, item);
    expect(line).toBe(expectedLine(item));
    expect(line).toMatch(/^\{"timestamp":"2026-11-21T02:35:23\.058Z","ordinal":3,"type":"event_msg",.*,"crc":"[0-9a-f]{8}"\}\n$/);
    expect(JSON.parse(line)).toMatchObject(item);
  });

  it('is the same from the second time on, when the keys of its records are shared', () => {
    const items = [{ type: 'x', payload: { a: 1, b: [{ c: 'd' }, { c: 'e' }] } }, { type: 'x', payload: {} }];
    for (let time = 0; time < 4; time += 1) for (const item of items) expect(lineOf(rig, item)).toBe(expectedLine(item));
  });

  it('can be that of an item with no members', () => {
    expect(lineOf(rig, {})).toBe(lineAround('{}'));
    expect(lineOf(rig, new Map())).toBe(lineAround('{}'));
    expect(lineOf(rig, { type: undefined })).toBe(lineAround('{}'));
  });

  it('has any timestamp that a Date can have, and ordinals up to 2^53', () => {
    const { offset, bytes } = encodeAt(rig, { type: 'x' });
    const times = [0, -1, 999, 1000, 951_782_399_999, 951_782_400_000, 4_102_444_800_000, -62_167_219_200_001, 253_402_300_800_000, 8.64e15, -8.64e15];
    for (const time of times) {
      for (const ordinal of [0, 9, 10, 99, 4_294_967_295, 4_294_967_296, 1e10, Number.MAX_SAFE_INTEGER]) {
        const end = rig.writer.line(offset, bytes, time, ordinal, OUTPUT_OFFSET, OUTPUT_OFFSET + 1000);
        expect(JSON.parse(rig.bytes.toString('utf8', OUTPUT_OFFSET, end))).toMatchObject({ timestamp: new Date(time).toISOString(), ordinal });
      }
    }
  });
});

describe('values that JSON knows', () => {
  it('are written as JSON.stringify writes them', () => {
    const item = {
      type: 'x', integers: [0, 1, 63, 64, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -1, -32, -33, -128, -129, -32769, -(2 ** 31) - 1, -(2 ** 53)],
      numbers: [0.1, -0.5, 1e21, 1e-7, 123456.789, 5e-324, 1.7976931348623157e308, -0, NaN, Infinity, -Infinity, 0.1 + 0.2, 1e20, 123456789012345680000],
      constants: [true, false, null, undefined], left: undefined, out: 1,
      dates: [new Date(0), new Date(1), new Date(2 ** 32 * 1000), new Date(-1), new Date(8.64e15), new Date(-8.64e15), new Date(NaN), new Date(1_763_692_523_058)],
      nested: { a: { b: { c: [[], [[]], {}, [{}]] } } },
    };
    expect(lineOf(rig, item)).toBe(expectedLine(item));
  });

  it('are left out, or null in arrays, where they are undefined', () => {
    expect(membersOf({ a: undefined, b: 1, c: undefined })).toBe('"b":1');
    expect(membersOf({ a: { b: undefined }, c: [undefined] })).toBe('"a":{},"c":[null]');
    expect(membersOf(new Map<string, unknown>([['a', undefined], ['b', 2]]))).toBe('"b":2');
  });

  it('keep every escape of JSON', () => {
    const every = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code)).join('');
    for (const text of [every, ...every]) {
      const item = { type: 'x', text, [text]: 1, long: `${'y'.repeat(70)}${text}${'z'.repeat(33)}` };
      expect(lineOf(rig, item)).toBe(expectedLine(item));
    }
  });

  it('have U+2028 and U+2029 escaped and nothing that resembles them', () => {
    const text = '\u2027\u2028\u2029\u202a\ud7ff\ue000\u20a8 \u2028';
    const item = { type: 'x', short: text, long: text.repeat(40), [text]: [text] };
    const line = lineOf(rig, item);
    expect(line).toBe(expectedLine(item));
    expect(line).not.toMatch(/[\u2028\u2029]/);
  });

  it('have U+FFFD for each lone surrogate, in short and long strings and in keys', () => {
    const texts = ['\ud83d', '\ude00', 'a\ud83db', '\ud83d\ud83d\ude00', '\ude00\ud83d', '\ud800\udbff\udc00\udfff\udfff'];
    for (const lone of texts) {
      for (const text of [lone, lone.repeat(5), `${'x'.repeat(15)}${lone}`, lone.repeat(100), `${'x'.repeat(63)}${lone}`]) {
        for (let time = 0; time < 2; time += 1) {
          const item = { type: 'x', text, [text]: { [text]: text } };
          expect(lineOf(rig, item)).toBe(expectedLine(item));
        }
      }
    }
  });
});

describe('values that JSON does not know', () => {
  it('of bigint are written as their digits', () => {
    const values = [0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, -(2n ** 63n), -(2n ** 63n) - 1n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 200n, -(2n ** 200n), 10n ** 60n, 3n ** 80_000n, -(3n ** 80_000n)];
    expect(membersOf({ values })).toBe(`"values":[${values.join(',')}]`);
  });

  it('of Map are written as objects, with the text of their keys', () => {
    const map = new Map<unknown, unknown>([
      ['a"', 1], [1, 2], [-1.5, 3], [true, 4], [null, 5], [2n ** 70n, 6], [5n, 7], [NaN, 8], [-Infinity, 9], [undefined, 10],
      [new Date(0), 11], [new Date(-1), 12], [new Date(NaN), 13], [{ b: { c: 1 } }, 14], [[1, [2]], 15], [Buffer.from('x'), 16], ['', { d: new Map([['e', 'f']]) }],
      [new Date(1e12), 17], [false, 18], [300, 19], [70_000, 20], [-100, 21], [-1000, 22], [-70_000, 23], [Infinity, 24], [2n ** 63n, 25], [-7, 26],
    ]);
    expect(membersOf({ map })).toBe(
      '"map":{"a\\"":1,"1":2,"-1.5":3,"true":4,"null":5,"1180591620717411303424":6,"5":7,"NaN":8,"-Infinity":9,"undefined":10,'
      + '"1970-01-01T00:00:00.000Z":11,"1969-12-31T23:59:59.999Z":12,"null":13,"[object]":14,"[object]":15,"[object]":16,"":{"d":{"e":"f"}},'
      + '"2001-09-09T01:46:40.000Z":17,"false":18,"300":19,"70000":20,"-100":21,"-1000":22,"-70000":23,"Infinity":24,"9223372036854775808":25,"-7":26}',
    );
  });

  it('of Set are written as arrays', () => {
    expect(membersOf({ set: new Set([1, 'a', new Set([[2]])]) })).toBe('"set":[1,"a",[[2]]]');
  });

  it('of bytes are written as base64', () => {
    for (let length = 0; length < 300; length += length < 20 ? 1 : 37) {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 167 + 251) & 255));
      const text = bytes.toString('base64');
      const copy = new Uint8Array(bytes);
      const item = { buffer: bytes, array: copy, ab: copy.buffer, view: new DataView(copy.buffer) };
      expect(membersOf(item)).toBe(`"buffer":"${text}","array":"${text}","ab":"${text}","view":"${text}"`);
    }
    const long = Buffer.alloc(70_000, 7);
    expect(membersOf({ long, typed: new Float64Array([1.5]), big: new BigInt64Array(10_000) })).toBe(
      `"long":"${long.toString('base64')}","typed":"${Buffer.from(new Float64Array([1.5]).buffer).toString('base64')}","big":"${Buffer.alloc(80_000).toString('base64')}"`,
    );
  });

  it('of Error are written as name and message, whatever the cause is', () => {
    const error = new TypeError('no "x"', { cause: { deep: [{ unseen: new Error('inner') }] } });
    expect(membersOf({ error, after: { unseen: 1 } })).toBe('"error":{"name":"TypeError","message":"no \\"x\\""},"after":{"unseen":1}');
  });

  it('of RegExp are written as an object without members', () => {
    expect(membersOf({ a: /x"/giu, b: [/y/, 1] })).toBe('"a":{},"b":[{},1]');
  });
});

describe('an output that is too small', () => {
  const hostile = {
    type: 'x', text: 'a\n\u2028\ud83d"\\'.repeat(30), ['k\n'.repeat(60)]: { k: 'v' }, bytes: Buffer.from('some bytes, some more bytes'),
    big: 3n ** 900n, map: new Map<unknown, unknown>([['long key '.repeat(20), 1], [2n ** 90n, new Date(5)]]), numbers: [0.1, 0.1 + 0.2, 1e300, -(2 ** 60)],
    error: new Error('e\t'.repeat(50)), set: new Set([{ a: 1 }, { a: 2 }]), none: undefined, last: [[[[{}]]]],
  };
  const json = (): string => {
    const members = Object.entries(hostile).filter(([key]) => !['bytes', 'big', 'map', 'error', 'set'].includes(key));
    return jsonOf(Object.fromEntries(members));
  };

  it('stops a line at any byte, and the line goes on in the next output', () => {
    for (let time = 0; time < 3; time += 1) {
      const payload = encodeAt(rig, hostile);
      const whole = transcode(rig, payload);
      for (let first = 0; first <= whole.byteLength + 1; first += 1) expect(transcode(rig, payload, 4096, first).equals(whole), `cut at ${first}`).toBe(true);
    }
    expect(json()).toContain('last');
  });

  it('gives the same line for outputs of every size from a byte on', () => {
    const payload = encodeAt(rig, hostile);
    const whole = transcode(rig, payload);
    for (let size = 1; size < 300; size += 1) expect(transcode(rig, payload, size).equals(whole), `outputs of ${size}`).toBe(true);
  });

  it('is filled to its last byte while a line is unfinished, and none behind it is returned', () => {
    const { offset, bytes } = encodeAt(rig, hostile);
    let end = rig.writer.line(offset, bytes, 0, 1, OUTPUT_OFFSET, OUTPUT_OFFSET + 64);
    let total = end - OUTPUT_OFFSET;
    while (!rig.writer.finished) {
      expect(end).toBe(OUTPUT_OFFSET + 64);
      expect(rig.writer.lineBytes).toBe(total);
      end = rig.writer.resume(OUTPUT_OFFSET, OUTPUT_OFFSET + 64);
      total += end - OUTPUT_OFFSET;
    }
    expect(rig.writer.lineBytes).toBe(total);
  });

  it('holds part of a line longer than all of it', () => {
    const item = { type: 'x', text: 'line\n'.repeat(200_000), more: ['\u2028'.repeat(100_000)] };
    expect(transcode(rig, encodeAt(rig, item), 65_536).toString()).toBe(expectedLine(item));
    expect(transcode(rig, encodeAt(rig, item)).toString()).toBe(expectedLine(item));
  });
});

describe('the comparison of these tests', () => {
  it('sees one wrong byte', () => {
    const item = { type: 'x', text: 'abc' };
    const payload = encodeAt(rig, item);
    rig.bytes[payload.offset + payload.bytes - 1] = 0x64;
    expect(transcode(rig, payload).toString()).not.toBe(expectedLine(item));
    expect(transcode(rig, put(rig, rig.encoder.encode(item))).toString()).toBe(expectedLine(item));
  });
});
