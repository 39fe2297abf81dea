/** Salvage files as they are written: where, under which name, whole or not at all. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LastwordError } from '../../src/errors.js';
import { encodeLine } from '../../src/rollout/envelope.js';
import { decodeEntry, entryPrefix } from '../../src/rollout/salvage-entry.js';
import { ordinal } from '../../src/units.js';
import { nodeFsOps, systemClock } from '../../worker/fs-ops.js';
import { appendSalvage, writeSalvage, type SalvageParts } from '../../worker/salvage.js';
import type { FsOps } from '../../worker/seams.js';
import { temporaryFolder, thrown, upTo } from '../support/sidecars.js';

const ID = '01936c1e-7b2a-7000-8000-000000000001';

function lineOf(number: number, text = 'x'): Buffer {
  return encodeLine('2026-01-02T03:04:05.006Z', ordinal(number), { type: 'event_msg', payload: { text } }).subarray(0, -1);
}

function rig(ops: Partial<FsOps> = {}): { parts: SalvageParts; thread: { threadId: string; path: string } } {
  const parts = { fs: { ...nodeFsOps, ...ops }, clock: systemClock, temporaryFolder: temporaryFolder() };
  return { parts, thread: { threadId: ID, path: join(temporaryFolder(), 'rollout.jsonl') } };
}

const entriesOf = (path: string): Buffer[] => readFileSync(path, 'utf8').split('\n').slice(0, -1).map((line) => Buffer.from(line));

/** Refuses what is written below the folder, half-written. */
function refusing(folder: () => string): Partial<FsOps> {
  const refused = new Set<number>();
  return {
    createFile: (path) => {
      const descriptor = nodeFsOps.createFile(path);
      if (dirname(path) === folder()) refused.add(descriptor);
      return descriptor;
    },
    close: (descriptor) => {
      refused.delete(descriptor);
      nodeFsOps.close(descriptor);
    },
    write: (descriptor, bytes, offset, length) => {
      if (!refused.has(descriptor)) return nodeFsOps.write(descriptor, bytes, offset, length);
      nodeFsOps.write(descriptor, bytes, offset, length >> 1);
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', errno: -28 });
    },
  };
}

describe('a salvage file', () => {
  test('lies beside the rollout, for its owner alone, says thread and time, and has every line as it was, one an entry', () => {
    const { parts, thread } = rig();
    const lines = [...upTo(2000).map((number) => lineOf(number)), lineOf(2000, 'y'.repeat(1 << 20)), lineOf(2001)];
    const path = appendSalvage({ ...parts, clock: { ...systemClock, nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) } }, thread, lines.map((line) => ({ threadId: ID, line })));
    expect([dirname(path), basename(path)]).toEqual([dirname(thread.path), `salvage-2026-01-02T03-04-05-006-${ID}.jsonl`]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const entries = entriesOf(path);
    expect(entries).toHaveLength(lines.length);
    for (const [place, entry] of entries.entries()) {
      const { line, ordinal: number, threadId } = decodeEntry(entry) ?? {};
      expect([line?.equals(lines[place] ?? Buffer.alloc(0)), number, threadId]).toEqual([true, place, ID]);
    }
    expect(JSON.parse(entries[0]?.toString() ?? '')).toMatchObject({ threadId: ID, line: { ordinal: 0, type: 'event_msg' } });
  });

  test('never takes the place of another file', () => {
    const { parts, thread } = rig();
    const sameTime = { ...parts, clock: { ...systemClock, nowMs: () => 0 } };
    const paths = upTo(3).map((number) => appendSalvage(sameTime, thread, [{ threadId: ID, line: lineOf(number) }]));
    expect(new Set(paths).size).toBe(3);
    for (const [number, path] of paths.entries()) expect(decodeEntry(entriesOf(path)[0] ?? Buffer.alloc(0))?.ordinal).toBe(number);
  });

  test('goes to the temporary folder where the rollout\'s own refuses it, with all of it, and nothing half is left behind', () => {
    const { parts, thread } = rig(refusing(() => dirname(thread.path)));
    const path = appendSalvage(parts, thread, upTo(3000).map((number) => ({ threadId: ID, line: lineOf(number) })));
    expect([dirname(path), readdirSync(dirname(thread.path)), entriesOf(path).length]).toEqual([parts.temporaryFolder, [], 3000]);
  });

  test.each<[string, Partial<FsOps>]>([
    ['a sync', { syncFileNow: () => { throw Object.assign(new Error('EIO'), { code: 'EIO', errno: -5 }); } }],
    ['the sync of its folder', { syncDirectoryNow: () => { throw Object.assign(new Error('EIO'), { code: 'EIO', errno: -5 }); } }],
    ['making it', { createFile: () => { throw Object.assign(new Error('EROFS'), { code: 'EROFS', errno: -30 }); } }],
  ])('that no place takes is an error that names the thread and the cause, and leaves nothing behind: %s fails', (_what, ops) => {
    const { parts, thread } = rig(ops);
    const error = thrown(() => appendSalvage(parts, thread, [{ threadId: ID, line: lineOf(1) }]));
    expect(error).toBeInstanceOf(LastwordError);
    expect(error).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { threadId: ID, errno: expect.any(Number) }, cause: expect.any(Error) });
    expect([...readdirSync(parts.temporaryFolder), ...readdirSync(dirname(thread.path))]).toEqual([]);
  });

  test.each([10, 300_000])('holds nothing of an entry that was taken back after %i bytes, and all before and behind it', (bytes) => {
    const { parts, thread } = rig();
    const path = writeSalvage(parts, thread, (file) => {
      for (const number of upTo(3)) {
        const line = number === 1 ? Buffer.alloc(bytes, 'z') : lineOf(number);
        file.begin(ID);
        file.take(line, 0, line.byteLength);
        if (number === 1) file.cancel();
        else file.end();
      }
    });
    expect(entriesOf(path).map((entry) => decodeEntry(entry)?.ordinal)).toEqual([0, 2]);
  });

});

describe('an entry', () => {
  const entry = Buffer.concat([entryPrefix(ID), lineOf(7), Buffer.from('}')]);

  test('cut anywhere, or with any byte changed, is none, or is another thread\'s', () => {
    for (let at = 0; at < entry.byteLength; at += 1) {
      expect(decodeEntry(entry.subarray(0, at)), `cut at ${at}`).toBeUndefined();
      const changed = Buffer.from(entry);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const decoded = decodeEntry(changed);
      expect(decoded === undefined || decoded.threadId !== ID, `changed at ${at}`).toBe(true);
    }
  });
});
