import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CONTROL_OFFSET, DEFINITIONS_OFFSET, OUTPUT_OFFSET, OUTPUT_SLACK_BYTES, PRODUCER_SCRATCH_OFFSET, WRITER_SCRATCH_OFFSET } from '../../src/ring/layout.js';
import { SEED, randomFrom } from '../support/random.js';
import { TIMESTAMP_MS, createRig, encodeAt, expectedLine, lineOf, put, transcode, type Rig } from '../support/transcoding-rig.js';

const next = randomFrom(SEED);
const AREA_BYTES = 4096;

const seeds: object[] = [
  { type: 'x', payload: { a: [1, 2.5, null, true], b: 'text', c: { d: 'é\u2028' } } },
  { type: 'x', set: new Set([1]), map: new Map<unknown, unknown>([[1, 2], ['k', { z: 1 }], [new Date(5), 2n ** 80n]]), error: new Error('e'), regexp: /x/ },
  { type: 'x', bytes: Buffer.alloc(40), big: 2n ** 70n, date: new Date(1e12), typed: new Uint16Array(3), f: 1e300, none: undefined },
  { type: 'x', rows: Array.from({ length: 20 }, (_, index) => ({ [`own${index}`]: index, same: [] })) },
];

/** A payload that was good once, cut, or with some bytes changed; or bytes of any kind. */
function spoil(good: Uint8Array): Uint8Array {
  if (next(4) === 0) return Uint8Array.from({ length: next(200) }, () => next(256));
  const bad = Uint8Array.from(good.subarray(0, next(3) === 0 ? next(good.byteLength) : good.byteLength));
  const leads = [0xc1, 0xc6, 0xc9, 0xd4, 0xd5, 0xdb, 0xdd, 0xdf, 0x40, 0x60, 0x7f, 0x72, 0xff, 0x42, 0x65, 0x73, 0x78];
  for (let change = next(4); change > 0 && bad.byteLength > 0; change -= 1) bad[next(bad.byteLength)] = next(2) === 0 ? next(256) : leads[next(leads.length)] ?? 0;
  return bad;
}

/** Everything that a transcoder has no business to write to, but for the payload itself. */
function checksumsOf(rig: Rig): number[] {
  const slackEnd = OUTPUT_OFFSET + AREA_BYTES + OUTPUT_SLACK_BYTES;
  const areas = [[CONTROL_OFFSET, PRODUCER_SCRATCH_OFFSET], [DEFINITIONS_OFFSET, OUTPUT_OFFSET], [slackEnd, slackEnd + 65_536], [rig.windowOffset, rig.windowOffset + 65_536]];
  return areas.map(([from = 0, to = 0]) => crc32(rig.bytes.subarray(from, to)));
}

/** Transcodes and measures; false when both say that the payload is none. */
function isTaken(rig: Rig, payload: { offset: number; bytes: number }): boolean {
  let isMsgpack = true;
  try {
    rig.reader.depth(payload.offset, payload.bytes);
  } catch (error) {
    expect(error).toMatchObject({ message: 'the payload is no msgpack' });
    isMsgpack = false;
  }
  const { writer } = rig;
  const limit = OUTPUT_OFFSET + AREA_BYTES;
  try {
    let end = writer.line(payload.offset, payload.bytes, TIMESTAMP_MS, 3, OUTPUT_OFFSET, limit);
    while (!writer.finished) {
      expect(end).toBe(limit);
      expect(writer.lineBytes).toBeLessThan(1 << 20);
      end = writer.resume(OUTPUT_OFFSET, limit);
    }
    expect(end).toBeLessThanOrEqual(limit);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ message: 'the payload is no msgpack' });
    return isMsgpack;
  }
}

describe('a payload that is no msgpack', () => {
  it('ends in an error, writes nowhere else, and spoils neither instance', () => {
    const rig = createRig();
    for (let time = 0; time < 3; time += 1) for (const item of seeds) encodeAt(rig, item);
    const goods = seeds.map((item) => rig.encoder.encode(item));
    const item = { type: 'x', payload: { a: 1 } };
    const sound = put(rig, rig.encoder.encode(item), 40_000);
    const before = checksumsOf(rig);
    let refused = 0;
    for (let round = 0; round < 40_000; round += 1) {
      const bad = spoil(goods[round % goods.length] ?? new Uint8Array(0));
      const atEnd = { offset: rig.bytes.byteLength - bad.byteLength, bytes: bad.byteLength };
      // The last bytes of the memory: a vector that reads past the payload would trap.
      rig.bytes.set(bad, atEnd.offset);
      if (!isTaken(rig, atEnd)) refused += 1;
      if (round % 1000 === 0) expect(transcode(rig, sound).toString()).toBe(expectedLine(item));
    }
    expect(refused).toBeGreaterThan(10_000);
    expect(checksumsOf(rig)).toEqual(before);
  });

  it('with tags or containers within one another without end is refused without exhausting anything', () => {
    const rig = createRig();
    const member = [0x81, 0xa1, 0x61];
    for (const part of [[0xd4, 0x73, 0], [0xd4, 0x65, 0], [0xd4, 0x99, 0], [0x91], [0x81, 0xa1, 0x62], [0x81, 0x91], [0xd4, 0x65, 0, 0x93]]) {
      const payload = put(rig, Uint8Array.from([...member, ...Array.from({ length: 20_000 }, () => part).flat()]), 32);
      expect(() => transcode(rig, payload)).toThrow('the payload is no msgpack');
    }
    expect(lineOf(rig, { a: 1 })).toBe(expectedLine({ a: 1 }));
  });
});

describe('a payload at the very end of the memory', () => {
  it('is written as anywhere else', () => {
    const rig = createRig();
    for (let length = 0; length < 200; length += 1) {
      const item = { type: 'x', text: `${'y'.repeat(length)}\u2028"é` };
      const payload = rig.encoder.encode(item);
      const offset = rig.bytes.byteLength - payload.byteLength;
      rig.bytes.set(payload, offset);
      expect(transcode(rig, { offset, bytes: payload.byteLength }).toString()).toBe(expectedLine(item));
      expect(rig.reader.depth(offset, payload.byteLength)).toBe(1);
    }
  });
});

describe('two instances over one memory', () => {
  it('keep their state apart: measuring between the pieces of a line changes nothing', () => {
    const rig = createRig();
    const item = seeds[3] ?? {};
    const payload = encodeAt(rig, item);
    const other = put(rig, rig.encoder.encode({ type: 'x', ['fresh']: [{ other: 1 }] }), 100_000);
    const whole = transcode(rig, payload).toString();
    const pieces: string[] = [];
    let end = rig.writer.line(payload.offset, payload.bytes, TIMESTAMP_MS, 3, OUTPUT_OFFSET, OUTPUT_OFFSET + 7);
    for (;;) {
      pieces.push(rig.bytes.toString('utf8', OUTPUT_OFFSET, end));
      if (rig.writer.finished) break;
      expect(rig.reader.depth(other.offset, other.bytes)).toBe(3);
      end = rig.writer.resume(OUTPUT_OFFSET, OUTPUT_OFFSET + 7);
    }
    expect(pieces.join('')).toBe(whole);
    expect(rig.bytes.subarray(WRITER_SCRATCH_OFFSET, DEFINITIONS_OFFSET).some((byte) => byte !== 0)).toBe(true);
  });
});
