import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLine, encodeLine, readEnvelope, readHeadOrdinal, readWholeEnvelope, verifyChecksum } from '../../src/rollout/envelope.js';
import { ordinal } from '../../src/units.js';
import { SEED } from '../support/random.js';
import { codexLine, corpusFiles, lineOf } from '../support/rollouts.js';

const TIME = '2026-01-02T03:04:05.006Z';
const bare = (line: Buffer): Buffer => line.subarray(0, -1);
const text = (line: string): Buffer => Buffer.from(line);

test('the line layout is frozen', () => {
  const line = encodeLine(TIME, ordinal(7), { type: 'note', payload: 'hi' });
  expect(line.toString('latin1'))
    .toBe('{"timestamp":"2026-01-02T03:04:05.006Z","ordinal":7,"type":"note","payload":"hi","crc":"bb09d5f5"}\n');
});

describe('the checksum', () => {
  test('is the CRC-32 of what precedes it', () => {
    const line = bare(lineOf(3));
    expect(line.toString('latin1', line.length - 10, line.length - 2))
      .toBe(crc32(line.subarray(0, line.length - 18)).toString(16).padStart(8, '0'));
    expect(verifyChecksum(line)).toBe('right');
  });

  test('is absent from lines of Codex, whatever their payload ends in', () => {
    expect(verifyChecksum(bare(codexLine(1)))).toBe('absent');
    expect(verifyChecksum(bare(codexLine(1, { crc: 'deadbeef' })))).toBe('absent');
    expect(verifyChecksum(text('{"timestamp":"t","type":"x","sha":"deadbeef"}'))).toBe('absent');
    expect(verifyChecksum(text(''))).toBe('absent');
    expect(verifyChecksum(text(',"crc":"00000000"}'))).toBe('absent');
  });

  test('with leading zeros has eight digits, and with other than lower-case digits is wrong', () => {
    let small = lineOf(1);
    for (let number = 2; !small.includes('"crc":"0'); number += 1) small = lineOf(number);
    expect(verifyChecksum(bare(small))).toBe('right');
    const upper = text(bare(small).toString().replace(/[0-9a-f]{8}"\}$/, (tail) => tail.toUpperCase()));
    if (/[A-F]/.test(upper.toString().slice(-10))) expect(verifyChecksum(upper)).toBe('wrong');
  });

  test('notices each byte of a line changed to each other one, where the line still decodes', () => {
    const line = bare(encodeLine(TIME, ordinal(1), { type: 'n', payload: [1, 'aé'] }));
    let decoded = 0;
    for (let place = 0; place < line.length; place += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        if (byte === line[place]) continue;
        const flipped = Buffer.from(line);
        flipped[place] = byte;
        if (decodeLine(flipped) === undefined) continue;
        decoded += 1;
        expect(verifyChecksum(flipped), `byte ${place} as ${byte}`).toBe('wrong');
      }
    }
    expect(decoded).toBeGreaterThan(1000);
    expect(verifyChecksum(line)).toBe('right');
  });
});

describe('decoding a line', () => {
  test('keeps every member as it is and removes the checksum', () => {
    const item = { type: 'x', payload: { a: [1, null, 'é'] }, metadata: { b: 1 }, host: 'h' };
    expect(decodeLine(bare(encodeLine(TIME, ordinal(4), item)))).toStrictEqual({ timestamp: TIME, ordinal: 4, ...item });
  });

  test('leaves the ordinal out where Codex had none', () => {
    expect(decodeLine(bare(codexLine(undefined)))).not.toHaveProperty('ordinal');
  });

  test('makes a member named __proto__ a member and not the prototype', () => {
    const record = decodeLine(text('{"timestamp":"t","ordinal":1,"type":"x","__proto__":{"polluted":true}}'));
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
    expect(record?.['polluted']).toBeUndefined();
  });

  test.each([
    '', 'null', '[]', '7', '"x"', '{}', '{"timestamp":"t"}', '{"type":"x"}', '{"timestamp":1,"type":"x"}', '{"timestamp":"t","type":1}',
    '{"timestamp":"t","ordinal":-1,"type":"x"}', '{"timestamp":"t","ordinal":1.5,"type":"x"}', '{"timestamp":"t","ordinal":"1","type":"x"}',
    '{"timestamp":"t","ordinal":9007199254740991,"type":"x"}', '{"timestamp":"t","ordinal":1,"type":"x"', '\ufeff{"timestamp":"t","type":"x"}',
    '{"timestamp":"t","ordinal":1,"type":"x"}{}', ' {"timestamp":"t","ordinal":1,"type":"x"}',
  ])('refuses %j', (line) => {
    expect(decodeLine(text(line))).toBeUndefined();
  });

  test('refuses invalid UTF-8, which JSON.parse of a lenient text would take', () => {
    for (const bytes of [[0xff], [0xed, 0xa0, 0xbd], [0xc3], [0xf5, 0x80, 0x80, 0x80]]) {
      const line = Buffer.concat([text('{"timestamp":"t","type":"x","payload":"'), Buffer.from(bytes), text('"}')]);
      expect(decodeLine(line)).toBeUndefined();
      expect(() => void JSON.parse(line.toString())).not.toThrow();
    }
  });

  test('gives what JSON gives, for any item in any script', () => {
    const item = fc.record({ type: fc.string({ unit: 'binary' }), payload: fc.jsonValue({ stringUnit: 'binary' }) });
    fc.assert(fc.property(item, fc.nat(), (given, number) => {
      const line = encodeLine(TIME, ordinal(number), given);
      expect(line.indexOf(0x0a)).toBe(line.length - 1);
      expect(verifyChecksum(bare(line))).toBe('right');
      expect(decodeLine(bare(line))).toEqual({ timestamp: TIME, ordinal: number, ...JSON.parse(JSON.stringify(given)) });
    }), { seed: SEED });
  });

  test('writes U+2028 and U+2029 as escapes, since some readers split there', () => {
    const line = encodeLine(TIME, ordinal(1), { type: 'x', payload: 'a\u2028b\u2029c' });
    expect(line.toString()).toContain('a\\u2028b\\u2029c');
    expect(decodeLine(bare(line))?.['payload']).toBe('a\u2028b\u2029c');
  });
});

describe('the envelope', () => {
  test('is read without the payload where type follows the ordinal', () => {
    const cut = lineOf(12, { text: 'x'.repeat(1000) }).subarray(0, 200);
    expect(readEnvelope(cut)).toEqual({ timestamp: '2026-11-21T02:35:23.058Z', ordinal: 12, type: 'response_item' });
    expect(decodeLine(cut), 'the payload is cut off').toBeUndefined();
  });

  test('of a whole line is refused when the checksum is wrong, or when there is none and the line is cut', () => {
    const line = bare(lineOf(2));
    expect(readWholeEnvelope(line)).toEqual(readEnvelope(line));
    expect(readWholeEnvelope(text(line.toString().replace('record', 'Record')))).toBeUndefined();
    expect(readWholeEnvelope(line.subarray(0, -1))).toBeUndefined();
    expect(readWholeEnvelope(bare(codexLine(undefined)))).toMatchObject({ ordinal: undefined, type: 'event_msg' });
    expect(readWholeEnvelope(codexLine(5).subarray(0, -2))).toBeUndefined();
  });

  test('is the one a full parse gives, wherever type stands and whatever it says', () => {
    const members = fc.record({ a: fc.jsonValue(), type: fc.string({ unit: 'binary' }), z: fc.jsonValue() });
    fc.assert(fc.property(members, fc.boolean(), fc.nat(), ({ a, type, z }, isFirst, number) => {
      const line = bare(encodeLine(TIME, ordinal(number), isFirst ? { type, a, z } : { a, z, type }));
      expect(readEnvelope(line)).toEqual({ timestamp: TIME, ordinal: number, type });
      expect(readHeadOrdinal(line)).toBe(number);
    }), { seed: SEED });
  });

  test.skipIf(corpusFiles.length === 0)('of every real line is the one a full parse gives (needs the real rollouts beside the project)', () => {
    for (const file of corpusFiles) {
      for (const line of file.bytes.toString().split('\n').filter((real) => real !== '')) {
        const { timestamp, ordinal: number, type } = JSON.parse(line);
        expect(readEnvelope(text(line))).toEqual({ timestamp, ordinal: number, type });
      }
    }
  });
});
