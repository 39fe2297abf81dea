/** What verification says of files that are whole, damaged, cut, or none. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyRollout, verifyRollouts, type VerifyReport } from 'lastword';
import { describe, expect, test } from 'vitest';
import { codexLine, corpusFiles, lineOf, rolloutOf } from '../support/rollouts.js';
import { numbered, openTestSidecar, rejection, temporaryFolder, until, upTo } from '../support/sidecars.js';

function fileOf(...parts: (Buffer | string)[]): string {
  const path = join(temporaryFolder(), 'rollout.jsonl');
  writeFileSync(path, Buffer.concat(parts.map((part) => Buffer.from(part))));
  return path;
}

/** A directory with threads of ten items each. */
async function directoryOf(threads: number): Promise<{ directory: string; paths: string[] }> {
  const sidecar = await openTestSidecar();
  const paths = await Promise.all(upTo(threads).map(async () => {
    const thread = await sidecar.createThread();
    thread.appendAll(upTo(10).map(numbered));
    await thread.close();
    return thread.path;
  }));
  await sidecar.close();
  return { directory: sidecar.directory, paths };
}

describe('verifyRollout', () => {
  test('counts records, those that have a right checksum, and bytes', async () => {
    const path = fileOf(...rolloutOf(20), codexLine(20), codexLine(21));
    expect(await verifyRollout(path)).toEqual({ path, records: 22, checked: 20, bytes: readFileSync(path).length, end: 'clean', damage: [] });
    expect(await verifyRollout(fileOf())).toMatchObject({ records: 0, checked: 0, bytes: 0, end: 'clean', damage: [] });
    expect(await verifyRollout(fileOf(Buffer.concat(rolloutOf(3)).subarray(0, -1)))).toMatchObject({ records: 3, checked: 3, end: 'clean', damage: [] });
  });

  test('names damage by kind and place, each byte of a file changed in turn', async () => {
    const bytes = Buffer.concat(rolloutOf(4));
    const path = fileOf(bytes);
    for (const place of bytes.keys()) {
      const flipped = Buffer.from(bytes);
      flipped[place] = (flipped[place] ?? 0) ^ 0x04;
      writeFileSync(path, flipped);
      const { records, damage } = await verifyRollout(path);
      // The last newline may be anything: the record before it is whole.
      if (place < bytes.length - 1) expect([records < 4, damage.length > 0], `byte ${place}`).toEqual([true, true]);
    }
    writeFileSync(path, Buffer.concat([lineOf(0), Buffer.from('x\n'), lineOf(2), lineOf(5), lineOf(5), Buffer.from('{"half')]));
    expect(await verifyRollout(path)).toMatchObject({
      records: 4, end: 'torn',
      damage: [{ kind: 'malformed', ordinal: 1 }, { kind: 'gap', ordinal: 3 }, { kind: 'duplicate', ordinal: 5 }, { kind: 'torn', bytes: 6, ordinal: 6 }],
    });
  });

  test('of real files finds no damage', async () => {
    for (const { path, bytes } of corpusFiles) expect(await verifyRollout(path)).toMatchObject({ bytes: bytes.length, end: 'clean', damage: [] });
  });

  test('refuses by code what is no file, and what is no path', async () => {
    const folder = temporaryFolder();
    expect(await rejection(verifyRollout(join(folder, 'none')))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
    expect(await rejection(verifyRollout(folder))).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT' });
    expect(await rejection(verifyRollout(7 as unknown as string))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'path' } });
  });
});

describe('verifyRollouts', () => {
  test('reports on every rollout, archived ones too, in the order of their paths, and tells how far it is', async () => {
    const { directory, paths } = await directoryOf(20);
    const sidecar = await openTestSidecar({ directory });
    await sidecar.archiveThread(/[0-9a-f-]{36}(?=\.jsonl)/.exec(paths[0] ?? '')?.[0] ?? '');
    const progress: number[][] = [];
    const reports = await verifyRollouts(directory, { concurrency: 3, onProgress: (done, total) => { progress.push([done, total]); } });
    expect(reports).toHaveLength(20);
    expect(reports.map(({ path }) => path)).toEqual(reports.map(({ path }) => path).toSorted());
    expect(reports.filter(({ path }) => path.includes('archived_sessions'))).toHaveLength(1);
    for (const report of reports) expect(report).toMatchObject({ records: 11, checked: 11, end: 'clean', damage: [] });
    expect(progress).toEqual(upTo(20).map((index) => [index + 1, 20]));
    expect(await verifyRollouts(temporaryFolder())).toEqual([]);
  });

  test('finds what was done to single files, and says of files that are none why', async () => {
    const { directory, paths } = await directoryOf(6);
    const [torn = '', changed = '', gone = '', fifo = '', folder = '', link = ''] = paths;
    truncateSync(torn, readFileSync(torn).length - 10);
    writeFileSync(changed, readFileSync(changed, 'latin1').replace('item 3', 'item 4'), 'latin1');
    for (const path of [gone, fifo, folder, link]) unlinkSync(path);
    execFileSync('mkfifo', [fifo]);
    mkdirSync(folder);
    symlinkSync('/nowhere', link);
    appendFileSync(join(torn, '..', 'rollout-notes.txt'), 'no rollout');
    const reports = new Map((await verifyRollouts(directory)).map((report) => [report.path, report] as const));
    const inShort = ({ end, damage, unread }: VerifyReport): unknown[] => [end, damage.map(({ kind }) => kind), unread];
    expect(Object.fromEntries([...reports].map(([path, report]) => [path, inShort(report)]))).toEqual({
      [torn]: ['torn', ['torn'], undefined],
      [changed]: ['clean', ['checksum'], undefined],
      [fifo]: ['torn', [], 'LASTWORD_ROLLOUT_CORRUPT'],
      [folder]: ['torn', [], 'LASTWORD_ROLLOUT_CORRUPT'],
    });
  });

  test('ends with the signal\'s reason, and leaves no thread behind', async () => {
    const { directory } = await directoryOf(50);
    const controller = new AbortController();
    const ports = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    const before = ports();
    const verifying = verifyRollouts(directory, { concurrency: 2, signal: controller.signal, onProgress: (done) => { if (done === 5) controller.abort(new Error('enough')); } });
    expect(await rejection(verifying)).toMatchObject({ message: 'enough' });
    await until(() => ports() === before, 'the end of the threads');
    expect(await rejection(verifyRollouts(directory, { signal: controller.signal }))).toMatchObject({ message: 'enough' });
  });

  test.each<[string, string, object]>([
    ['directory', '', {}], ['concurrency', '/tmp', { concurrency: 0 }], ['concurrency', '/tmp', { concurrency: 65 }], ['signal', '/tmp', { signal: {} }], ['onProgress', '/tmp', { onProgress: 1 }],
  ])('%s is refused by name: %j, %j', async (option, directory, options) => {
    expect(await rejection(verifyRollouts(directory, options))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option } });
  });
});
