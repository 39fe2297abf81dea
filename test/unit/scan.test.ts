import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Damage } from '../../src/types.js';
import { randomFrom, SEED } from '../support/random.js';
import { codexLine, corpusFiles, lineOf, rolloutOf, scanBytes, scanChunks, type Scanned } from '../support/rollouts.js';

const ordinals = (scanned: Scanned): number[] => scanned.records.map((record) => record.ordinal);
const upTo = (count: number): number[] => [...Array(count).keys()];
const scanParts = (...parts: (Buffer | string)[]): Scanned => scanBytes(Buffer.concat(parts.map((part) => Buffer.from(part))));

describe('a whole file', () => {
  test('is its records, each at its place, without damage', () => {
    const lines = rolloutOf(20);
    const scanned = scanBytes(Buffer.concat(lines));
    expect(ordinals(scanned)).toEqual(upTo(20));
    expect(scanned.damage).toEqual([]);
    let offset = 0;
    for (const [number, line] of lines.entries()) {
      expect(scanned.places[number]).toEqual({ offset, bytes: line.length });
      offset += line.length;
    }
  });

  test('scans the same in chunks of every size, each border included', () => {
    const file = Buffer.concat([...rolloutOf(3), Buffer.from('torn')]);
    const whole = scanBytes(file);
    for (let size = 1; size <= file.length; size += 1) expect(scanBytes(file, size), `chunks of ${size}`).toEqual(whole);
    for (let border = 0; border <= file.length; border += 1) {
      expect(scanChunks([file.subarray(0, border), file.subarray(border)]), `border at ${border}`).toEqual(whole);
    }
  });

  test('without a final newline, with CRLF, or with blank lines has all its records', () => {
    const file = Buffer.concat(rolloutOf(4)).toString();
    for (const variant of [file.slice(0, -1), file.replaceAll('\n', '\r\n'), file.replaceAll('\n', '\n\n \t\r\n'), `\n${file}\n`]) {
      expect(scanParts(variant)).toMatchObject({ damage: [], records: upTo(4).map((ordinal) => ({ ordinal })) });
    }
  });

  test('that is empty, or blank, has neither records nor damage', () => {
    for (const file of ['', '\n', '\r\n\n']) expect(scanParts(file)).toEqual({ records: [], damage: [], places: [] });
  });

  test('does not end a line at U+2028, U+2029, U+0085 or a form feed', () => {
    const scanned = scanParts('{"timestamp":"t","ordinal":0,"type":"session_meta","payload":"\u2028\u2029\u0085"}\n', codexLine(1));
    expect(scanned).toMatchObject({ damage: [], records: [{ payload: '\u2028\u2029\u0085' }, { ordinal: 1 }] });
  });

  test('of a fork begins at its base end', () => {
    const header = { ...JSON.parse(lineOf(0).toString()), ordinal: 66 };
    expect(scanParts(`${JSON.stringify({ ...header, crc: undefined })}\n`, lineOf(67))).toMatchObject({ damage: [], records: [{ ordinal: 66 }, {}] });
  });
});

describe('a torn end', () => {
  test('leaves, for a cut at any byte, the whole records before the cut', () => {
    const lines = rolloutOf(4);
    const file = Buffer.concat(lines);
    for (let cut = 0; cut <= file.length; cut += 1) {
      let [count, end] = [0, 0];
      // Without its newline a line is whole, so a cut just before the newline tears nothing.
      for (const line of lines) if (cut >= end + line.length - 1) [count, end] = [count + 1, end + line.length];
      const scanned = scanBytes(file.subarray(0, cut));
      expect(ordinals(scanned), `cut at ${cut}`).toEqual(upTo(count));
      const torn = { kind: 'torn', offset: end, bytes: cut - end, ordinal: count === 0 ? undefined : count };
      expect(scanned.damage, `cut at ${cut}`).toEqual(cut > end ? [torn] : []);
    }
  });

  test('may be NULs, garbage, or several damaged lines: one report, up to the end of the file', () => {
    const file = Buffer.concat(rolloutOf(2));
    for (const tail of ['\0'.repeat(200_000), '\0\0\n', '{"half', 'x\n\ny\n', '\u{1f600}\n{}\n', `${lineOf(2).toString().slice(0, 40)}\n\0`]) {
      expect(scanParts(file, tail).damage).toEqual([{ kind: 'torn', offset: file.length, bytes: Buffer.byteLength(tail), ordinal: 2 }]);
    }
  });

  test('is not torn, but malformed, as soon as a whole record follows', () => {
    const file = Buffer.concat(rolloutOf(2));
    const scanned = scanParts(file, '{"half\n', lineOf(2));
    expect(scanned.damage).toEqual([{ kind: 'malformed', offset: file.length, bytes: 7 }]);
    expect(ordinals(scanned)).toEqual([0, 1, 2]);
  });
});

describe('damage in the middle', () => {
  test('by one changed byte, at each place, costs no record but those it hits, and is always reported', () => {
    const lines = rolloutOf(4);
    const file = Buffer.concat(lines);
    const clean = scanBytes(file);
    const next = randomFrom(SEED);
    for (let place = 0; place < file.length; place += 1) {
      const flipped = Buffer.from(file);
      flipped[place] = (flipped[place] ?? 0) ^ (1 + next(255));
      const scanned = scanBytes(flipped);
      const hit = clean.places.findIndex(({ offset, bytes }) => place < offset + bytes);
      const whole = upTo(4).filter((number) => number !== hit);
      expect(ordinals(scanned), `byte ${place}`).toEqual(expect.arrayContaining(whole));
      for (const record of scanned.records) expect(clean.records, `byte ${place}`).toContainEqual(record);
      if (place < file.length - 1) expect(scanned.damage.length, `byte ${place}`).toBeGreaterThan(0);
    }
    expect(clean.damage, 'the same file unchanged').toEqual([]);
  });

  test('has the ordinal that the records around it leave for it', () => {
    const lines = rolloutOf(6);
    const scanned = scanParts(...lines.slice(0, 2), 'x\n', 'y\n', ...lines.slice(4));
    expect(scanned.damage.map(({ kind, ordinal }) => [kind, ordinal])).toEqual([['malformed', 2], ['malformed', 3]]);
  });

  test('is told apart: checksum, malformed, too long', () => {
    const long = lineOf(2, 'x'.repeat(500));
    const bad = Buffer.from(lineOf(1).toString().replace('record 1', 'record 7'));
    const file = Buffer.concat([lineOf(0), bad, long, Buffer.from('{]\n'), lineOf(4)]);
    for (const chunkBytes of [1, 100, file.length]) {
      const chunks = upTo(Math.ceil(file.length / chunkBytes)).map((at) => file.subarray(at * chunkBytes, (at + 1) * chunkBytes));
      expect(scanChunks(chunks, { lineBytesMax: 300 })).toMatchObject({
        records: [{ ordinal: 0 }, { ordinal: 4 }],
        damage: [
          { kind: 'checksum', offset: lineOf(0).length, bytes: bad.length, ordinal: 1 },
          { kind: 'too-long', offset: lineOf(0).length + bad.length, bytes: long.length, ordinal: 2 },
          { kind: 'malformed', bytes: 3, ordinal: 3 },
        ],
      });
    }
    expect(scanChunks([file], { lineBytesMax: 1000 }).records, 'a higher bound lets it through').toHaveLength(3);
  });

  test('does not swallow a whole record glued to a fragment or to NULs', () => {
    const fragment = lineOf(1).subarray(0, 50);
    const glued = scanParts(lineOf(0), fragment, lineOf(1), lineOf(2));
    expect(ordinals(glued)).toEqual([0, 1, 2]);
    expect(glued.damage).toEqual([{ kind: 'malformed', offset: lineOf(0).length, bytes: 50 }]);
    const behindNuls = scanParts(codexLine(0), '\0'.repeat(70_000), codexLine(1), codexLine(2));
    expect(ordinals(behindNuls)).toEqual([0, 1, 2]);
    expect(behindNuls.damage).toEqual([{ kind: 'malformed', offset: codexLine(0).length, bytes: 70_000 }]);
  });

  test('never makes a record of an object inside a fragment', () => {
    const nested = codexLine(1, { event: JSON.parse(codexLine(9).toString()) }).toString().slice(0, -3);
    expect(ordinals(scanParts(codexLine(0), `${nested}\n`, codexLine(2)))).toEqual([0, 2]);
  });

  test('of many lines is reported in bounded memory, and nothing is left out of the ranges', () => {
    const damage = scanParts(lineOf(0), 'x\n'.repeat(200_000), lineOf(1)).damage;
    expect(damage.length).toBeLessThanOrEqual(1000);
    expect(damage.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(400_000);
  });
});

describe('the order of ordinals', () => {
  const numbered = (...numbers: (number | undefined)[]): Scanned => scanBytes(Buffer.concat(numbers.map((number) => codexLine(number))));
  const kinds = (scanned: Scanned): [Damage['kind'], number | undefined][] => scanned.damage.map(({ kind, ordinal }) => [kind, ordinal]);

  test('reports a duplicate, yields it all the same, and goes on above the highest', () => {
    const scanned = numbered(0, 1, 2, 2, 3, 1, 4);
    expect(ordinals(scanned)).toEqual([0, 1, 2, 2, 3, 1, 4]);
    expect(kinds(scanned)).toEqual([['duplicate', 2], ['duplicate', 1]]);
  });

  test('reports a gap with the first ordinal that is missing', () => {
    const scanned = numbered(0, 1, 5, 6);
    expect(scanned.damage).toEqual([{ kind: 'gap', offset: scanned.places[2]?.offset, bytes: 0, ordinal: 2 }]);
    expect(kinds(numbered(3, 4)), 'a missing header').toEqual([['gap', 0]]);
    expect(kinds(numbered(0, 1, 2)), 'no gap').toEqual([]);
  });

  test('counts damaged lines as the missing records, and reports a gap for what they cannot explain', () => {
    const explained = scanParts(codexLine(0), 'x\n', codexLine(2));
    expect(kinds(explained)).toEqual([['malformed', 1]]);
    const more = scanParts(codexLine(0), 'x\n', codexLine(4));
    expect(kinds(more)).toEqual([['malformed', undefined], ['gap', 1]]);
  });

  test('numbers what Codex did not, and stays silent about it', () => {
    const scanned = numbered(undefined, undefined, undefined);
    expect(ordinals(scanned)).toEqual([0, 1, 2]);
    expect(scanned.damage).toEqual([]);
    expect(ordinals(scanParts(codexLine(undefined), '{torn\n', codexLine(undefined)))).toEqual([0, 1]);
    expect(ordinals(numbered(0, 1, undefined))).toEqual([0, 1, 2]);
  });

  test('read from an ordinal on is that part of the whole', () => {
    const file = Buffer.concat([...rolloutOf(5), Buffer.from('bad\n'), lineOf(6), codexLine(7), lineOf(7), lineOf(8)]);
    const whole = scanBytes(file);
    for (let from = 0; from <= 10; from += 1) {
      const part = scanChunks([file], { from });
      expect(part.records).toEqual(whole.records.filter((record) => record.ordinal >= from));
      expect(part.damage).toEqual(whole.damage);
    }
  });
});

describe('any file', () => {
  const piece = fc.oneof(
    { weight: 5, arbitrary: fc.nat(20).map((number) => lineOf(number)) },
    { weight: 2, arbitrary: fc.nat(20).map((number) => codexLine(number)) },
    { weight: 1, arbitrary: fc.constant(codexLine(undefined)) },
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: fc.tuple(fc.nat(20), fc.nat(100)).map(([number, cut]) => lineOf(number).subarray(0, cut)) },
    { weight: 1, arbitrary: fc.constantFrom('\n', '\r\n', '\0\0', '{}\n', 'null\n').map((text) => Buffer.from(text)) },
  );

  test('is read whole: every byte belongs to a record, a report, or a blank line; chunks make no difference', () => {
    fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 200 }), (pieces, chunkBytes) => {
      const file = Buffer.concat(pieces);
      const scanned = scanBytes(file);
      expect(scanBytes(file, chunkBytes)).toEqual(scanned);
      const covered = Buffer.from(file);
      for (const { offset, bytes } of scanned.places) covered.fill(0x20, offset, offset + bytes);
      for (const { offset, bytes, kind } of scanned.damage) if (kind !== 'duplicate') covered.fill(0x20, offset, offset + bytes);
      expect(covered.toString('latin1').trim()).toBe('');
    }), { seed: SEED, numRuns: 300 });
  });

  test('that is two files joined at a line end has the records of both', () => {
    const whole = fc.array(piece, { maxLength: 6 }).map((pieces) => Buffer.concat([...pieces, Buffer.from('\n')]));
    fc.assert(fc.property(whole, whole, (left, right) => {
      const payloads = (file: Buffer): unknown[] => scanBytes(file).records.map((record) => record.payload);
      expect(payloads(Buffer.concat([left, right]))).toEqual([...payloads(left), ...payloads(right)]);
    }), { seed: SEED, numRuns: 300 });
  });

  test.skipIf(corpusFiles.length === 0)('that Codex wrote, old or new, is read without damage (needs the real rollouts beside the project)', () => {
    expect(corpusFiles.some(({ isNumbered }) => isNumbered)).toBe(true);
    for (const { bytes, path } of corpusFiles) {
      const lines = bytes.toString().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
      const scanned = scanBytes(bytes, 65_536);
      expect(scanned.damage, path).toEqual([]);
      const first: number = lines[0].ordinal ?? 0;
      expect(scanned.records, path).toEqual(lines.map((line, number) => ({ ...line, ordinal: first + number })));
    }
  });
});
