/** What lists are made of: orders, walks, and what is gleaned from the bytes of a rollout. */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { glean, type Gleaned } from '../../src/reader/lists/glean.js';
import { Gleaner } from '../../src/reader/lists/gleaner.js';
import { Heap } from '../../src/reader/lists/heap.js';
import { comparator, createdKey, decodeCursor, encodeCursor, spanOf, tieOf, type Position } from '../../src/reader/lists/order.js';
import { readPieces, readPiecesSync } from '../../src/reader/lists/pieces.js';
import { walk } from '../../src/reader/lists/walk.js';
import { encodeLine } from '../../src/rollout/envelope.js';
import type { RolloutItem } from '../../src/types.js';
import { ordinal } from '../../src/units.js';
import { fillerOf, headerOf, idAt, idAtMinute, linesOfItems, plant } from '../support/planted.js';
import { randomFrom, SEED } from '../support/random.js';
import { temporaryFolder } from '../support/rollouts.js';
import { upTo } from '../support/sidecars.js';

const ID = idAtMinute(0);
const DAY_MS = 86_400_000;

function changed(payload: object): RolloutItem {
  return { type: 'session_meta', payload: { id: ID, history_mode: 'paginated', ...payload } };
}

describe('a heap', () => {
  test('gives what it took in order', () => {
    fc.assert(fc.property(fc.array(fc.integer({ max: 20 })), fc.array(fc.integer({ max: 20 })), (some, others) => {
      const heap = new Heap<number>((one, other) => one - other);
      for (const each of some) heap.push(each);
      const half = upTo(some.length >> 1).map(() => heap.pop());
      for (const each of others) heap.push(each);
      const rest = upTo(some.length - half.length + others.length).map(() => heap.pop());
      expect(half).toEqual(some.toSorted((one, other) => one - other).slice(0, half.length));
      expect(rest).toEqual([...some.toSorted((one, other) => one - other).slice(half.length), ...others].sort((one, other) => one - other));
      expect(heap.pop()).toBeUndefined();
    }), { seed: SEED });
  });
});

describe('the order of creation', () => {
  test('is that of the ids\' times, and of names for ids without one; a folder of a date keeps its rollouts within it', () => {
    const id = '6fa459ea-ee8a-4ca4-894e-db77e160355e';
    const timeMs = Date.UTC(2026, 4, 6, 7, 8, 9, 10);
    const keyIn = (folder: string, name: string): number => createdKey(name, spanOf(folder));
    expect(keyIn('sessions', `rollout-2020-01-01T00-00-00-${idAt(timeMs)}.jsonl`)).toBe(timeMs);
    expect(keyIn('sessions/2026/05/06', `rollout-2026-05-06T07-08-09-${id}.jsonl`)).toBe(timeMs - 10);
    // The days before and behind, as far as time zones go.
    for (const [hours, isKept] of [[-13, true], [-15, false], [24 + 11, true], [24 + 13, false]] as const) {
      const at = Date.UTC(2026, 4, 6) + hours * 3_600_000;
      expect(keyIn('sessions/2026/05/06', `rollout-2026-05-06T00-00-00-${idAt(at)}.jsonl`) === at).toBe(isKept);
    }
    for (const name of ['rollout-x.jsonl', `rollout-9999-99-99T99-99-99-${id}.jsonl`]) expect(keyIn('sessions/2026/05', name)).toBe(spanOf('sessions/2026/05').from);
    expect(keyIn('archived_sessions', 'rollout-x.jsonl')).toBeLessThan(0);
  });

  test('has for each folder a span within that of the folder around it', () => {
    for (const folder of ['sessions/2026/05/06', 'sessions/2024/02/29', 'sessions/2026/02/31', 'sessions/2026/12/31/x/y', 'sessions/2026/13/01', 'sessions/0000/01/01', 'sessions/x/2026', 'archived_sessions/2026/01']) {
      const levels = folder.split('/');
      for (const depth of upTo(levels.length).slice(1)) {
        const [outer, inner] = [spanOf(levels.slice(0, depth).join('/')), spanOf(levels.slice(0, depth + 1).join('/'))];
        expect(outer.from <= inner.from && inner.from <= inner.to && inner.to <= outer.to, `${folder} at ${depth}`).toBe(true);
      }
    }
    expect(spanOf('sessions/2026/05/06').to - spanOf('sessions/2026/05/06').from).toBe(DAY_MS + 26 * 3_600_000);
  });

  test('goes through cursors unharmed', () => {
    fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string({ unit: 'grapheme' }), (key, tie) => {
      expect(decodeCursor('updated', encodeCursor('updated', { key, tie }))).toEqual({ key: key === 0 ? 0 : key, tie });
    }), { seed: SEED });
  });

  test('is the one in which a walk finds rollouts, from wherever it begins', async () => {
    const random = randomFrom(SEED);
    for (const round of upTo(8)) {
      const directory = temporaryFolder();
      const expected: Position[] = [];
      for (let count = 0; count < 120; count += 1) {
        const timeMs = Date.UTC(2026, 0, 1) + random(40) * (DAY_MS / 8) + random(3);
        const date = new Date(timeMs + (random(27) - 12) * 3_600_000).toISOString();
        const folders = [`sessions/${date.slice(0, 10).replaceAll('-', '/')}`, `sessions/${date.slice(0, 4)}`, 'sessions', 'sessions/2026/02/31', 'sessions/odd/place', 'archived_sessions', 'sessions/2030/01/01'];
        const folder = folders[random(3) > 0 ? 0 : random(folders.length)] ?? '';
        const name = random(10) === 0 ? `rollout-${random(100)}.jsonl` : `rollout-${date.slice(0, 19).replaceAll(':', '-')}-${idAt(timeMs)}.jsonl`;
        const position = { key: createdKey(name, spanOf(folder)), tie: tieOf(folder, name) };
        if (!folder.startsWith('archived') && !expected.some(({ tie }) => tie === position.tie)) expected.push(position);
        plant(directory, { at: `${folder}/${name}`, bytes: '' });
      }
      for (const direction of ['asc', 'desc'] as const) {
        expected.sort(comparator(direction));
        for (const begin of [-1, 0, random(expected.length), expected.length - 1]) {
          const found: Position[] = [];
          for await (const { key, tie } of walk(directory, { isArchived: false, direction, after: expected[begin], count: 1 + random(30) })) found.push({ key, tie });
          expect(found, `seed ${SEED}, round ${round}, ${direction} from ${begin}`).toEqual(expected.slice(begin + 1));
        }
      }
    }
  });
});

describe('what is gleaned from a rollout', () => {
  const items = [
    headerOf(ID, { cwd: '/a', title: 'one', parent_thread_id: 'no id' }), { type: 'response_item', payload: { type: 'message', role: 'developer', content: 'the "user" is "session_meta"' } },
    { type: 'event_msg', payload: { type: 'user_message', message: 'hello "user_message"' } }, changed({ title: 'two', deep: { type: 'session_meta' } }),
    { type: 'session_meta', payload: { id: idAtMinute(1), title: 'another\'s' } }, { type: 'note', payload: { type: 'session_meta', id: ID, title: 'no' } },
    changed({ cwd: null, size: 1 }), { type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: 0, to_ordinal: 6 } },
    { type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: 3 } }, changed({ last: true }),
  ];
  const bytes = linesOfItems(items);
  const expected = { preview: 'hello "user_message"', meta: { cwd: '/a', title: 'two', deep: { type: 'session_meta' }, parent_thread_id: 'no id', last: true } };

  test('is the same however its bytes come', () => {
    const header = bytes.indexOf('\n') + 1;
    const random = randomFrom(SEED);
    for (const round of upTo(300)) {
      const gleaner = new Gleaner(items[0]?.payload as Record<string, unknown>);
      for (let at = header; at < bytes.length;) {
        const end = Math.min(bytes.length, at + 1 + random(round < 100 ? 3 : 400));
        gleaner.feed(Buffer.from(bytes.subarray(at, end)));
        at = end;
      }
      gleaner.end();
      expect({ preview: gleaner.preview, meta: gleaner.meta }, `seed ${SEED}, round ${round}`).toEqual(expected);
    }
  });

  test('leaves lines out that are damaged, and takes a last one without its newline', () => {
    const flipped = Buffer.from(bytes);
    const place = flipped.lastIndexOf('"last":true');
    flipped[place + 8] = (flipped[place + 8] ?? 0) ^ 0x20;
    const { last: _last, ...others } = expected.meta;
    for (const [text, meta] of [[flipped, others], [bytes.subarray(0, -1), expected.meta], [bytes.subarray(0, -2), others]] as const) {
      const gleaner = new Gleaner(items[0]?.payload as Record<string, unknown>);
      gleaner.feed(text.subarray(text.indexOf('\n') + 1));
      gleaner.end();
      expect(gleaner.meta).toEqual(meta);
    }
  });

  test('keeps so many changes that a rollback can take back, and all of their effect', () => {
    const gleaner = new Gleaner({ id: ID });
    gleaner.feed(linesOfItems([headerOf(ID), ...upTo(1000).map((index) => changed({ [`member ${index % 500}`]: index })), { type: 'event_msg', payload: { type: 'thread_rolled_back', to_ordinal: 901 } }]));
    gleaner.end();
    expect(Object.values(gleaner.meta).sort()).toEqual([...upTo(400).map((index) => index + 500), ...upTo(100).map((index) => index + 400)].sort());
  });

  test('costs two windows of a file of any size, and comes from both of them', async () => {
    const path = join(temporaryFolder(), 'rollout');
    const window = 256 << 10;
    const at = [window - 4000, window * 4, window * 9 - 4000];
    const lines: Buffer[] = [linesOfItems([headerOf(ID)])];
    for (const [index, offset] of at.entries()) {
      const size = lines.reduce((sum, line) => sum + line.length, 0);
      lines.push(encodeLine('t', ordinal(1), { type: 'note', payload: 'x'.repeat(offset - size) }), encodeLine('t', ordinal(2), changed({ [`part ${index}`]: true })));
    }
    writeFileSync(path, Buffer.concat(lines));
    let read = 0;
    const counting = (begin: typeof glean): typeof glean => function* (state, windowBytes) {
      const reading = begin(state, windowBytes);
      let step = reading.next();
      while (step.done !== true) {
        read += step.value.length;
        step = reading.next(yield step.value);
      }
      return step.value;
    };
    const gleaned = await readPieces(path, (state) => counting(glean)(state, window));
    expect(gleaned).toMatchObject({ value: { meta: { 'part 0': true, 'part 2': true } } });
    expect((gleaned as { value: Gleaned }).value.meta).not.toHaveProperty('part 1');
    expect(read).toBeLessThan(3 * window);
    expect(readPiecesSync(path, (state) => glean(state, window))).toEqual(gleaned);
    expect(await readPieces(path, (state) => glean(state, Infinity))).toMatchObject({ value: { meta: { 'part 0': true, 'part 1': true, 'part 2': true } } });

    read = 0;
    truncateSync(path, 2 ** 40);
    expect(await readPieces(path, (state) => counting(glean)(state, window))).toMatchObject({ value: { meta: { 'part 0': true } }, state: { bytes: 2 ** 40 } });
    expect(read).toBeLessThan(3 * window);
  });

  test('is nothing but what the header says where a line never ends', async () => {
    const path = join(temporaryFolder(), 'rollout');
    writeFileSync(path, Buffer.concat([linesOfItems([headerOf(ID, { title: 'one' })]), Buffer.alloc(40 << 20, '"user"'), linesOfItems(fillerOf(1000)), linesOfItems([changed({ title: 'two' })])]));
    expect(await readPieces(path, (state) => glean(state, Infinity))).toMatchObject({ value: { meta: { title: 'two' } } });
  });
});
