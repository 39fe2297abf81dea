import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRollout } from '../../src/reader/read.js';
import type { Damage, RolloutRecord } from '../../src/types.js';
import { corpusFiles, lineOf, rolloutOf, scanBytes, temporaryFolder } from '../support/rollouts.js';

type Options = Parameters<typeof readRollout>[1];

async function readAll(path: string, options?: Options): Promise<RolloutRecord[]> {
  const records: RolloutRecord[] = [];
  for await (const record of readRollout(path, options)) records.push(record);
  return records;
}
async function readOrdinals(path: string, options?: Options): Promise<number[]> {
  return (await readAll(path, options)).map((record) => record.ordinal);
}
function fileOf(...parts: (Buffer | string)[]): string {
  const path = join(temporaryFolder(), 'rollout.jsonl');
  writeFileSync(path, Buffer.concat(parts.map((part) => Buffer.from(part))));
  return path;
}
/** Descriptors of this process that are open on the path. */
function descriptorsOn(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false; // the descriptor that listed the folder
    }
  }).length;
}
const coded = (code: string, context: object): unknown => expect.objectContaining({ code, context: expect.objectContaining(context) });

describe('readRollout', () => {
  test('yields the records of a file of many chunks in order', async () => {
    const lines = Array.from({ length: 3000 }, (_, number) => lineOf(number, { text: 'x'.repeat((number * 37) % 900) }));
    const path = fileOf(...lines);
    expect(await readAll(path)).toEqual(scanBytes(Buffer.concat(lines)).records);
  });

  test('puts a line of several chunks together', async () => {
    const long = 'é'.repeat(700_000);
    const records = await readAll(fileOf(lineOf(0), lineOf(1, { long }), lineOf(2)));
    expect(records.map(({ ordinal }) => ordinal)).toEqual([0, 1, 2]);
    expect(records[1]?.payload).toEqual({ long });
  });

  test('option from, where it begins, and option limit, after which it ends: yields nothing beyond the end', async () => {
    const path = fileOf(...rolloutOf(10));
    expect(await readOrdinals(path, { from: 7 })).toEqual([7, 8, 9]);
    expect(await readOrdinals(path, { limit: 2 })).toEqual([0, 1]);
    expect(await readOrdinals(path, { from: 3, limit: 2 })).toEqual([3, 4]);
    expect(await readOrdinals(path, { from: 10 })).toEqual([]);
    expect(await readOrdinals(path, { from: 2 ** 40 })).toEqual([]);
    expect(await readOrdinals(path, { limit: 0 })).toEqual([]);
    expect(await readOrdinals(path, { from: undefined, limit: undefined, reverse: false, follow: false })).toHaveLength(10);
  });

  test('of an empty file yields nothing and reports nothing', async () => {
    const damage: Damage[] = [];
    expect(await readAll(fileOf(''), { onDamage: (found) => damage.push(found) })).toEqual([]);
    expect(damage).toEqual([]);
  });

  test('of a file without a header yields what is there', async () => {
    const damage: Damage[] = [];
    expect(await readOrdinals(fileOf(lineOf(1), lineOf(2)), { onDamage: (found) => damage.push(found) })).toEqual([1, 2]);
    expect(damage).toEqual([{ kind: 'gap', offset: 0, bytes: 0, ordinal: 0 }]);
  });

  test('option onDamage: damage is stepped over, and told only to whoever asks', async () => {
    const path = fileOf(lineOf(0), 'bad\n', lineOf(2), 'torn');
    const damage: Damage[] = [];
    expect(await readOrdinals(path, { onDamage: (found) => damage.push(found) })).toEqual([0, 2]);
    expect(damage.map(({ kind, ordinal }) => [kind, ordinal])).toEqual([['malformed', 1], ['torn', 3]]);
    expect(await readOrdinals(path)).toEqual([0, 2]);
    expect(await readOrdinals(fileOf(lineOf(0)), { onDamage: () => expect.unreachable('an unharmed file') })).toEqual([0]);
  });

  test('follows a symbolic link that the caller names', async () => {
    const path = fileOf(...rolloutOf(2));
    symlinkSync(path, `${path}.link`);
    expect(await readOrdinals(`${path}.link`)).toEqual([0, 1]);
  });

  test('reads on into what is appended before the end is reached', async () => {
    const path = fileOf(...Array.from({ length: 10 }, (_, number) => lineOf(number, 'x'.repeat(100_000))));
    const seen: number[] = [];
    for await (const { ordinal } of readRollout(path)) {
      if (ordinal === 0) appendFileSync(path, lineOf(10));
      seen.push(ordinal);
    }
    expect(seen).toHaveLength(11);
  });

  test.skipIf(corpusFiles.length === 0)('of Codex gives every line as JSON.parse gives it (needs the real rollouts beside the project)', async () => {
    for (const { path, isNumbered } of corpusFiles) {
      const lines = readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');
      const expected = lines.map((line, number) => ({ ...JSON.parse(line), ...(isNumbered ? {} : { ordinal: number }) }));
      expect(await readAll(path)).toEqual(expected);
    }
  });
});

describe('what is no rollout', () => {
  test('is not found where nothing stands', async () => {
    const path = join(temporaryFolder(), 'absent.jsonl');
    await expect(readAll(path)).rejects.toEqual(coded('LASTWORD_THREAD_NOT_FOUND', { path }));
    const behind = join(fileOf('x'), 'file.jsonl');
    await expect(readAll(behind)).rejects.toEqual(coded('LASTWORD_THREAD_NOT_FOUND', { path: behind }));
  });

  test('is refused without waiting: a folder, a FIFO that nobody writes, a device', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'folder'));
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    for (const path of [join(folder, 'folder'), join(folder, 'fifo'), '/dev/zero']) {
      await expect(readAll(path)).rejects.toEqual(coded('LASTWORD_ROLLOUT_CORRUPT', { path }));
      expect(descriptorsOn(path)).toBe(0);
    }
  });
});

describe('options', () => {
  test.each([
    ['from', { from: -1 }], ['from', { from: 1.5 }], ['from', { from: NaN }], ['limit', { limit: -1 }], ['limit', { limit: 0.5 }],
    ['reverse', { reverse: 1 }], ['follow', { follow: 'yes' }], ['follow', { follow: true, reverse: true }], ['view', { view: 'whole' }], ['onDamage', { onDamage: 1 }], ['signal', { signal: {} }],
  ])('%s is refused, by name and before the file is looked for, as %j', async (option, options) => {
    const reading = readAll('/nowhere', options as Options);
    await expect(reading).rejects.toEqual(coded('LASTWORD_INVALID_OPTION', { option }));
  });

  test('never throw outside the promise', async () => {
    for (const path of [undefined, 7, '', 'a\0b'] as unknown as string[]) {
      const reading = readRollout(path)[Symbol.asyncIterator]().next();
      await expect(reading).rejects.toEqual(coded('LASTWORD_INVALID_OPTION', { option: 'path' }));
    }
  });
});

describe('readRollout closes the file', () => {
  const path = (): string => fileOf(...Array.from({ length: 20 }, (_, number) => lineOf(number, 'x'.repeat(50_000))));
  const failure = new Error('of the host');

  test.each<[string, (path: string) => Promise<void>]>([
    ['at the end', async (file) => void await readAll(file)],
    ['after the limit', async (file) => void await readAll(file, { limit: 1 })],
    ['on break', async (file) => {
      for await (const { ordinal } of readRollout(file)) if (ordinal === 1) break;
    }],
    ['on an error of the host', async (file) => {
      const reading = (async (): Promise<void> => {
        for await (const { ordinal } of readRollout(file)) if (ordinal === 1) throw failure;
      })();
      await expect(reading).rejects.toBe(failure);
    }],
    ['on an error of onDamage', async (file) => {
      appendFileSync(file, 'torn');
      await expect(readAll(file, { onDamage: () => { throw failure; } })).rejects.toBe(failure);
    }],
    ['on abort', async (file) => {
      const controller = new AbortController();
      const seen: number[] = [];
      const reading = (async (): Promise<void> => {
        for await (const { ordinal } of readRollout(file, { signal: controller.signal })) {
          seen.push(ordinal);
          if (ordinal === 1) controller.abort(failure);
        }
      })();
      await expect(reading).rejects.toBe(failure);
      expect(seen).toEqual([0, 1]);
    }],
  ])('%s', async (_name, use) => {
    const file = path();
    await use(file);
    expect(descriptorsOn(file)).toBe(0);
  });

  test('and is open in between, so the checks above can fail', async () => {
    const file = path();
    const reading = readRollout(file)[Symbol.asyncIterator]();
    await reading.next();
    expect(descriptorsOn(file)).toBe(1);
    await reading.return?.(undefined);
    expect(descriptorsOn(file)).toBe(0);
  });

  test('option signal: and does not open it for one that was aborted before', async () => {
    await expect(readAll('/nowhere', { signal: AbortSignal.abort(failure) })).rejects.toBe(failure);
  });
});

test('memory does not grow with the file', async () => {
  const file = fileOf(lineOf(0));
  const block = Buffer.concat(Array.from({ length: 2000 }, (_, number) => lineOf(number + 1, 'x'.repeat(1000))));
  for (let count = 0; count < 40; count += 1) appendFileSync(file, block);
  let [records, peak] = [0, 0];
  const before = process.memoryUsage().arrayBuffers;
  for await (const { type } of readRollout(file)) {
    if (type !== '') records += 1;
    if (records % 1000 === 0) peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }
  expect(records).toBe(80_001);
  expect(peak).toBeLessThan(16 << 20);
  const whole = readFileSync(file);
  expect(process.memoryUsage().arrayBuffers - before, 'the measure sees a file read whole').toBeGreaterThan(whole.length * 0.9);
});
