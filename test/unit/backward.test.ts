/** A file from its end says what the same file says from its start. */
import { appendFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BackwardStream } from '../../src/reader/backward-stream.js';
import { readRollout } from '../../src/reader/read.js';
import type { Damage, RolloutRecord } from '../../src/types.js';
import { ordinal } from '../../src/units.js';
import { SEED } from '../support/random.js';
import { codexLine, corpusFiles, lineOf, rolloutOf, scanBytes, temporaryFolder } from '../support/rollouts.js';

interface Read { records: RolloutRecord[]; damage: Damage[] }

async function readBackward(bytes: Buffer, { blockBytes, from = 0, path = join(temporaryFolder(), 'rollout') }: { blockBytes?: number; from?: number; path?: string } = {}): Promise<Read> {
  writeFileSync(path, bytes);
  const read: Read = { records: [], damage: [] };
  const stream = new BackwardStream(await open(path), bytes.length, { from: ordinal(from), onDamage: (damage) => { read.damage.push(damage); } }, blockBytes);
  while (await stream.fill()) for (let taken = stream.take(); taken !== undefined; taken = stream.take()) read.records.push(taken.record);
  await stream.close();
  return read;
}

function reversed(bytes: Buffer): Read {
  const { records, damage } = scanBytes(bytes);
  return { records: records.toReversed(), damage: damage.toReversed() };
}

/** Pieces of a file whose ordinals never fall, numbered as they come. */
const PIECES = {
  'a record': (next: number) => ({ bytes: lineOf(next), used: 1 }),
  'a long record': (next: number) => ({ bytes: lineOf(next, 'x'.repeat(700)), used: 1 }),
  'a record of Codex': (next: number) => ({ bytes: codexLine(next), used: 1 }),
  'a record behind a gap': (next: number) => ({ bytes: lineOf(next + 3), used: 4 }),
  'the same record again': (next: number) => ({ bytes: lineOf(Math.max(0, next - 1)), used: next === 0 ? 1 : 0 }),
  'a damaged record': (next: number) => ({ bytes: Buffer.from(lineOf(next).toString().replace('record', 'rekord')), used: 1 }),
  'garbage': () => ({ bytes: Buffer.from('{"half\n'), used: 0 }),
  'much garbage': () => ({ bytes: Buffer.from(`${'y'.repeat(900)}\n`.repeat(3)), used: 0 }),
  'NULs, and a record behind them': (next: number) => ({ bytes: Buffer.concat([Buffer.alloc(300), lineOf(next)]), used: 1 }),
  'a torn record, and one glued to it': (next: number) => ({ bytes: Buffer.concat([lineOf(next).subarray(0, 30), lineOf(next + 1)]), used: 2 }),
  'a blank line': () => ({ bytes: Buffer.from(' \r\n'), used: 0 }),
} as const;
const UNNUMBERED = { ...PIECES, 'a record without ordinal': () => ({ bytes: codexLine(undefined), used: 1 }) };

function fileOf(pieces: readonly (typeof UNNUMBERED)[keyof typeof UNNUMBERED][], cut: number): Buffer {
  let next = 0;
  const parts = pieces.map((piece) => {
    const { bytes, used } = piece(next);
    next += used;
    return bytes;
  });
  const whole = Buffer.concat(parts);
  return whole.subarray(0, whole.length - Math.min(cut, whole.length));
}

describe('readRollout and its reading from the end', () => {
  test.each([['whose records are numbered', PIECES], ['some of whose records are not numbered', UNNUMBERED]])(
    'gives the records and the damage of a file %s, as reading from the start does, whatever the blocks are', async (_what, pieces) => {
      const path = join(temporaryFolder(), 'rollout');
      await fc.assert(fc.asyncProperty(
        fc.array(fc.constantFrom(...Object.values(pieces)), { maxLength: 40 }), fc.integer({ min: 16, max: 3000 }), fc.nat(60),
        async (list, blockBytes, cut) => {
          const bytes = fileOf(list, cut);
          expect(await readBackward(bytes, { blockBytes, path })).toEqual(reversed(bytes));
        },
      ), { seed: SEED, numRuns: 400 });
    });

  test('gives a file of many blocks, of one giant line, and one whose middle is a giant hole', async () => {
    const small = rolloutOf(3000);
    const giant = lineOf(3000, 'z'.repeat(3 << 20));
    const hole = Buffer.alloc(2 << 20);
    for (const bytes of [Buffer.concat(small), Buffer.concat([...small, giant]), Buffer.concat([...small.slice(0, 2000), hole, ...small.slice(2000), giant])]) {
      expect(await readBackward(bytes)).toEqual(reversed(bytes));
    }
  });

  test('a line of more than 256 MiB is reported as too long and stepped over, in both directions', async () => {
    const path = join(temporaryFolder(), 'rollout');
    writeFileSync(path, Buffer.concat(rolloutOf(2)));
    const offset = statSync(path).size;
    const bytes = (256 << 20) + 2;
    truncateSync(path, offset + bytes - 1); // a hole takes no room on the disk
    appendFileSync(path, Buffer.concat([Buffer.from('\n'), lineOf(2), lineOf(3)]));
    for (const reverse of [false, true]) {
      const [ordinals, damage]: [number[], Damage[]] = [[], []];
      for await (const record of readRollout(path, { reverse, onDamage: (one) => { damage.push(one); } })) ordinals.push(record.ordinal);
      expect([ordinals, damage]).toEqual([reverse ? [3, 2, 1, 0] : [0, 1, 2, 3], [{ kind: 'too-long', offset, bytes }]]);
    }
  });

  test('of real files gives the same', async () => {
    for (const { bytes } of corpusFiles) expect(await readBackward(bytes, { blockBytes: 5000 })).toEqual(reversed(bytes));
  });

  test('ends at the first ordinal below from, without a look at what stands before it', async () => {
    const bytes = Buffer.concat([Buffer.from('garbage\n'), ...rolloutOf(200)]);
    const { records, damage } = await readBackward(bytes, { blockBytes: 500, from: 190 });
    expect(records.map((record) => record.ordinal)).toEqual([199, 198, 197, 196, 195, 194, 193, 192, 191, 190]);
    expect(damage).toEqual([]);
  });

  test('readRollout, option reverse: with limit and from; an empty file has nothing', async () => {
    const path = join(temporaryFolder(), 'rollout');
    writeFileSync(path, Buffer.concat(rolloutOf(20)));
    const ordinals = async (options: Parameters<typeof readRollout>[1]): Promise<number[]> => {
      const found: number[] = [];
      for await (const record of readRollout(path, options)) found.push(record.ordinal);
      return found;
    };
    expect(await ordinals({ reverse: true, limit: 3 })).toEqual([19, 18, 17]);
    expect(await ordinals({ reverse: true, from: 18 })).toEqual([19, 18]);
    expect(await ordinals({ reverse: true, from: 20 })).toEqual([]);
    writeFileSync(path, '');
    expect(await ordinals({ reverse: true })).toEqual([]);
  });
});
