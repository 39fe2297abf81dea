/** Where a rollout ends, what number comes next, and in what order its end is made whole. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeFsOps, systemClock } from '../../worker/fs-ops.js';
import { HeldPool } from '../../worker/held.js';
import { findEnd, type RolloutEnd } from '../../worker/recovery/find-end.js';
import { resumeRollout } from '../../worker/recovery/resume-rollout.js';
import type { FsOps } from '../../worker/seams.js';
import { mutantWriter } from '../support/mutants.js';
import { codexLine, lineOf, scanBytes } from '../support/rollouts.js';
import { temporaryFolder, upTo } from '../support/sidecars.js';

function endOf(bytes: Buffer, find = findEnd): RolloutEnd {
  const path = join(temporaryFolder(), 'rollout');
  writeFileSync(path, bytes);
  const descriptor = openSync(path, 'r');
  try {
    return find(nodeFsOps, descriptor, path);
  } finally {
    closeSync(descriptor);
  }
}

const ours = (from: number, to: number): Buffer[] => upTo(to - from).map((place) => lineOf(from + place));
const theirs = (from: number, to: number, bytes = 1): Buffer[] => upTo(to - from).map((place) => codexLine(from + place, { text: 'x'.repeat(bytes) }));

describe('the next ordinal', () => {
  const FILES: readonly [string, Buffer[], number, string[]][] = [
    ['of ours alone follows the last', ours(0, 30), 30, []],
    ['of theirs alone follows the last', theirs(0, 30), 30, []],
    ['follows the last though it is of a type that nobody knows', [...ours(0, 3), Buffer.from('{"timestamp":"t","ordinal":3,"type":"from_the_future","payload":12.0,"more":[]}\n')], 4, []],
    ['is above all of ours that codex did not know, however many, and numbered again', [...ours(0, 30), ...theirs(10, 25)], 30, ['duplicate']],
    ['is above them though they stand in a thread of codex\'s', [...theirs(0, 5), ...ours(5, 20), ...theirs(6, 17)], 20, ['duplicate']],
    ['is that of codex where it has gone beyond them', [...ours(0, 30), ...theirs(10, 45)], 45, ['duplicate']],
    ['is above what codex wrote twice', [...theirs(0, 8), codexLine(7)], 8, ['duplicate']],
    ['is behind a gap', [...theirs(0, 5), codexLine(100)], 101, ['gap']],
    ['is behind a gap, and above what was used again behind it', [...ours(0, 5), lineOf(100), ...theirs(7, 20)], 101, ['duplicate', 'gap']],
    ['is that behind NULs, and behind damage', [...ours(0, 5), Buffer.from('\0'.repeat(5000)), codexLine(5), Buffer.from('{"torn\n')], 6, ['malformed', 'torn']],
    ['is not that of a record with a wrong checksum', [...ours(0, 5), Buffer.from(lineOf(90).toString().replace('90', '91'))], 5, ['torn']],
  ];
  test.each(FILES)('%s', (_what, lines, next, kinds) => {
    const bytes = Buffer.concat(lines);
    expect(endOf(bytes).nextOrdinal).toBe(next);
    expect([...new Set(scanBytes(bytes).damage.map(({ kind }) => kind))].sort()).toEqual(kinds);
  });

  test('is above ours wherever they stand when a megabyte of codex\'s has been looked through', () => {
    const frame = codexLine(10, { text: '' }).length;
    const last = theirs(11, 15);
    for (let bytes = (1 << 20) - 30; bytes < (1 << 20) + 10; bytes += 1) {
      const file = Buffer.concat([...ours(0, 50), codexLine(10, { text: 'x'.repeat(bytes - frame) }), ...last]);
      expect(endOf(file).nextOrdinal, `${bytes} bytes`).toBe(50);
    }
  });

  test('the control: by the last few records alone, a number of ours is used again', async () => {
    const writer = mutantWriter({ file: 'worker/recovery/find-end.js', find: '!isCounted && !isOurs', replace: 'false' });
    const { findEnd: mutant } = await import(new URL('recovery/find-end.js', writer).href) as { findEnd: typeof findEnd };
    expect(endOf(Buffer.concat([...ours(0, 30), ...theirs(10, 25)]), mutant).nextOrdinal).toBe(25);
  });
});

describe('a torn end', () => {
  /** Names of the calls that change something, with the file that they change. */
  async function callsOf(path: string): Promise<string[]> {
    const calls: string[] = [];
    const names = new Map<number, string>();
    const fs: FsOps = {
      ...nodeFsOps,
      createFile: (name) => { const descriptor = nodeFsOps.createFile(name); names.set(descriptor, name.slice(path.length)); calls.push(`create ${name.slice(path.length)}`); return descriptor; },
      write: (descriptor, ...rest) => { calls.push(`write ${names.get(descriptor) ?? 'rollout'}`); return nodeFsOps.write(descriptor, ...rest); },
      truncate: (descriptor, length) => { calls.push(`cut ${names.get(descriptor) ?? 'rollout'}`); nodeFsOps.truncate(descriptor, length); },
      syncFile: (descriptor) => { calls.push(`sync ${names.get(descriptor) ?? 'rollout'}`); return nodeFsOps.syncFile(descriptor); },
      syncDirectory: (folder) => { calls.push('sync folder'); return nodeFsOps.syncDirectory(folder); },
    };
    const { descriptor } = await resumeRollout({ fs, clock: systemClock, leases: { instance: 'instance' }, held: new HeldPool(1 << 20) }, { threadId: 'thread', path, slot: 0, incarnation: 1 });
    closeSync(descriptor);
    return calls;
  }

  test('is safe beside before it is cut, and the cut is synced; where nothing is torn, nothing is done', async () => {
    const path = join(temporaryFolder(), 'rollout');
    writeFileSync(path, Buffer.concat([...ours(0, 3), Buffer.from('{"torn')]));
    expect(await callsOf(path)).toEqual(['create .torn-1', 'write .torn-1', 'sync .torn-1', 'sync folder', 'cut rollout', 'sync rollout']);
    expect(await callsOf(path)).toEqual([]);
    expect(readFileSync(path)).toEqual(Buffer.concat(ours(0, 3)));
  });

  test('that cannot be kept is not cut', async () => {
    const path = join(temporaryFolder(), 'rollout');
    const bytes = Buffer.concat([...ours(0, 3), Buffer.from('{"torn')]);
    for (const call of ['createFile', 'write', 'syncFile', 'syncDirectory'] as const) {
      writeFileSync(path, bytes);
      const fs = { ...nodeFsOps, [call]: () => { throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }); } };
      await expect(resumeRollout({ fs, clock: systemClock, leases: { instance: 'instance' }, held: new HeldPool(1 << 20) }, { threadId: 'thread', path, slot: 0, incarnation: 1 })).rejects.toThrow('ENOSPC');
      expect(readFileSync(path)).toEqual(bytes);
    }
  });
});
