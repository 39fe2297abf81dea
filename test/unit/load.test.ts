import { existsSync, mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { loadCorpus } from '../../bench/load/corpus.js';
import { FIXED_BYTES, FIXED_SIZES, fixedItems } from '../../bench/load/fixed.js';
import { Prng } from '../../bench/load/prng.js';
import { BURSTS, FIRST_LINE, SHAPES, bytesAt } from '../../bench/load/shape-table.js';
import { ShapeSource, drawBurst, lineBytes } from '../../bench/load/shapes.js';

const SEED = 20261121;
const DRAWN = 20_000;

const root = mkdtempSync(join(tmpdir(), 'lastword-load-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function nameOf(item: { type: string; payload?: unknown }): string {
  const inner = item.type === 'event_msg' || item.type === 'response_item' ? item.payload : undefined;
  return typeof inner === 'object' && inner !== null && 'type' in inner ? String(inner.type) : item.type;
}

const at = (sorted: readonly number[], share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;

describe(`items drawn from the shapes (${DRAWN}, seed ${SEED})`, () => {
  const source = new ShapeSource(SEED);
  const items = Array.from({ length: DRAWN }, () => source.item());
  const sizes = new Map<string, number[]>();
  for (const item of items) {
    const name = nameOf(item);
    sizes.set(name, [...(sizes.get(name) ?? []), lineBytes(item)]);
  }

  const total = SHAPES.reduce((sum, { percent }) => sum + percent, 0);
  test.each(SHAPES.map((shape) => [shape.name, shape] as const))('%s has its share of the lines', (name, { percent }) => {
    const share = percent / total;
    const drawn = (sizes.get(name)?.length ?? 0) / DRAWN;
    // Four standard deviations of a draw of this many.
    expect(Math.abs(drawn - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / DRAWN));
  });

  const common = SHAPES.filter(({ percent }) => percent > 5);
  test.each(common.map((shape) => [shape.name, shape] as const))('%s has its quantiles of line size within 15 %', (name, shape) => {
    const sorted = [...(sizes.get(name) ?? [])].sort((one, other) => one - other);
    for (const share of [0.25, 0.5, 0.75, 0.9]) {
      const ratio = at(sorted, share) / bytesAt(shape, share);
      expect(ratio, `p${share * 100}`).toBeGreaterThan(0.85);
      expect(ratio, `p${share * 100}`).toBeLessThan(1.15);
    }
    expect(sorted.at(-1)).toBeLessThanOrEqual(bytesAt(shape, 1));
  });

  test('lines have the escapes and the foreign characters of real ones', () => {
    const lines = items.map((item) => JSON.stringify(item));
    const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
    const backslashes = lines.reduce((sum, line) => sum + line.split('\\').length - 1, 0);
    const foreign = lines.filter((line) => Buffer.byteLength(line) !== line.length).length;
    expect(backslashes / (bytes / 1024)).toBeGreaterThan(22);
    expect(backslashes / (bytes / 1024)).toBeLessThan(32);
    expect(foreign / DRAWN).toBeGreaterThan(0.17);
    expect(foreign / DRAWN).toBeLessThan(0.2);
  });
});

describe('a load and its seed', () => {
  test('the same seed gives the same rollouts and bursts, another seed others', () => {
    const drawn = (seed: number): unknown => {
      const source = new ShapeSource(seed);
      return [source.rolloutItems(50), Array.from({ length: 50 }, () => source.burst())];
    };
    expect(drawn(7)).toEqual(drawn(7));
    expect(drawn(7)).not.toEqual(drawn(8));
  });

  test('a rollout begins with a header of 20 to 40 KB', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const [first] = new ShapeSource(seed).rolloutItems(2);
      expect(first?.type).toBe('session_meta');
      expect(lineBytes(first ?? { type: 'none' })).toBeGreaterThanOrEqual(0.95 * bytesAt(FIRST_LINE, 0.05));
      expect(lineBytes(first ?? { type: 'none' })).toBeLessThanOrEqual(40_000);
    }
  });

  test('bursts are 2 lines in the middle and 15 at most', () => {
    const prng = new Prng(SEED);
    const bursts = Array.from({ length: 10_000 }, () => drawBurst(prng)).sort((one, other) => one - other);
    expect([at(bursts, 0.5), at(bursts, 0.85), bursts[0]]).toEqual([2, 3, 1]);
    expect(at(bursts, 0.985)).toBeLessThanOrEqual(9);
    expect(bursts.at(-1)).toBe(BURSTS.at(-1)?.lines[1]);
  });

  test.each(FIXED_SIZES)('items of %s have exactly that size, and differ', (size) => {
    const count = FIXED_BYTES[size] > 10_000 ? 16 : 200;
    const items = fixedItems(size, count, SEED);
    const envelope = { timestamp: '2026-05-11T08:27:17.490Z', ordinal: 1000 };
    const lines = items.map((item) => `${JSON.stringify({ ...envelope, ...item })}\n`);
    expect(new Set(lines.map((line) => Buffer.byteLength(line)))).toEqual(new Set([FIXED_BYTES[size]]));
    expect(new Set(lines).size).toBeGreaterThan(10);
    expect(fixedItems(size, count, SEED)).toEqual(items);
  });
});

describe('loading real rollouts', () => {
  test('takes every *.jsonl below a folder, without the envelope, and counts what is no record', () => {
    const folder = join(root, 'home');
    mkdirSync(join(folder, 'sessions', '2026'), { recursive: true });
    writeFileSync(join(folder, 'sessions', '2026', 'rollout-a.jsonl'), [
      '{"timestamp":"2026-01-02T03:04:05.006Z","ordinal":0,"type":"session_meta","payload":{"id":"a"},"crc":"00000000"}',
      'half a rec', '', '[1]', 'null', '"text"', '{"type":5}', '{"payload":{}}',
      '{"type":"event_msg","payload":{"ordinal":7,"crc":"kept"},"more":[1,{"timestamp":2}]}',
    ].join('\r\n'));
    writeFileSync(join(folder, 'history.jsonl'), '{"text":"no type"}\n');
    writeFileSync(join(folder, 'old.jsonl.zst'), 'zst');
    writeFileSync(join(folder, 'notes.txt'), '{"type":"no rollout"}\n');

    const corpus = loadCorpus([folder]);
    expect(corpus.files.map(({ items }) => items)).toEqual([[
      { type: 'session_meta', payload: { id: 'a' } },
      { type: 'event_msg', payload: { ordinal: 7, crc: 'kept' }, more: [1, { timestamp: 2 }] },
    ]]);
    expect(corpus.items).toBe(2);
    expect(corpus.skippedLines).toBe(6);
    expect(corpus.leftOut.map(({ reason }) => reason)).toEqual(['no items in it', 'compressed']);
  });

  test('takes a file by its name, and a last line without a line feed', () => {
    const path = join(root, 'rollout.txt');
    writeFileSync(path, '{"type":"one"}\n{"type":"two"}');
    expect(loadCorpus([path]).files[0]?.items).toEqual([{ type: 'one' }, { type: 'two' }]);
  });

  test('an input that is not there is an error', () => {
    expect(() => loadCorpus([join(root, 'missing')])).toThrow(/ENOENT/);
  });

  const corpusDirectory = fileURLToPath(new URL('../../../shared/corpus', import.meta.url));
  test.skipIf(!existsSync(corpusDirectory))('the real corpus at ../shared/corpus loads whole', () => {
    const corpus = loadCorpus([corpusDirectory]);
    expect(corpus.files.length).toBeGreaterThan(0);
    expect(corpus.skippedLines).toBe(0);
    expect(corpus.files.every(({ items }) => items[0]?.type === 'session_meta')).toBe(true);
  });
});
