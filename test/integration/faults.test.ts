/** What fails for good: the thread it happened to, typed, and nothing else. What may pass is in degraded.test.ts. */
import { appendFileSync, readFileSync } from 'node:fs';
import { LATE, type Sidecar, type Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { mutantWriter, type Patch } from '../support/mutants.js';
import { itemsOf, linesOf, numbered, openTestSidecar, rejection, upTo } from '../support/sidecars.js';

/** A disk that takes half of the first write that holds the word BAD, and refuses the rest for good. */
const READ_ONLY: Patch = {
  file: 'worker/fs-ops.js',
  find: 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),',
  replace: `write: (descriptor, bytes, offset, length) => {
    const isBad = Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).includes('BAD');
    if (!isBad) return fs.writeSync(descriptor, bytes, offset, length);
    fs.writeSync(descriptor, bytes, offset, Math.floor(length / 2));
    throw Object.assign(new Error('EROFS: read-only file system, write'), { code: 'EROFS', errno: -30, syscall: 'write' });
  },`,
};

async function twoThreads(sidecar: Sidecar): Promise<[Thread, Thread]> {
  return [await sidecar.createThread(), await sidecar.createThread()];
}

describe('a failed write', () => {
  test('P2: fails its thread, typed, leaves no torn line, and the other threads go on', async () => {
    const logged: { code?: string }[] = [];
    const log = (members: object): void => { logged.push(members); };
    const sidecar = await openTestSidecar({ writerUrl: mutantWriter(READ_ONLY), logger: { debug() { /* not asked for */ }, info: log, warn: log, error: log } });
    const [bad, good] = await twoThreads(sidecar);
    for (const index of upTo(5)) bad.append(numbered(index));
    await bad.flush();
    bad.appendAll([numbered(5), { type: 'BAD', payload: 'x'.repeat(5000) }, numbered(7)]);
    good.append(numbered(0));
    const error = await rejection(bad.flush());
    expect(error).toMatchObject({
      code: 'LASTWORD_WRITE_FAILED', cause: { code: 'EROFS', errno: -30 },
      context: { threadId: bad.id, path: bad.path, errno: -30, unwritten: [{ threadId: bad.id, from: 6, to: 8 }] },
    });
    expect(bad.state).toBe('failed');
    expect(bad.append(numbered(9))).toBe(LATE);
    expect(await rejection(bad.close())).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { unwritten: [{ from: 6, to: 8 }] } });
    expect(await itemsOf(bad.path)).toEqual(upTo(5).map(numbered));
    expect(logged).toEqual([expect.objectContaining({ code: 'LASTWORD_WRITE_FAILED', threadId: bad.id, errno: -30 })]);
    good.append(numbered(1));
    expect((await good.close()).items).toBe(2);
    expect(await itemsOf(good.path)).toEqual([numbered(0), numbered(1)]);
    expect(await rejection(sidecar.close())).toMatchObject({ code: 'LASTWORD_DRAIN_INCOMPLETE', context: { unwritten: [{ threadId: bad.id, from: 6, to: 8 }] } });
  });

  test('P2, the control: a writer that does not cut back leaves a torn line', async () => {
    const writerUrl = mutantWriter(READ_ONLY, { file: 'worker/rollout-file.js', find: 'fs.truncate(descriptor, this.wholeBytes);', replace: '' });
    const sidecar = await openTestSidecar({ writerUrl });
    const thread = await sidecar.createThread();
    thread.append({ type: 'BAD', payload: 'x'.repeat(5000) });
    expect(await rejection(thread.flush())).toMatchObject({ code: 'LASTWORD_WRITE_FAILED' });
    expect(readFileSync(thread.path, 'utf8').endsWith('\n')).toBe(false);
  });

  test('a short write alone is gone on with', async () => {
    const writerUrl = mutantWriter({ ...READ_ONLY, replace: 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, Math.min(length, 7)),' });
    const sidecar = await openTestSidecar({ writerUrl });
    const thread = await sidecar.createThread();
    for (const index of upTo(100)) thread.append(numbered(index));
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual(upTo(100).map(numbered));
  });

  test('of a header leaves nothing behind, and the next thread is made', async () => {
    const sidecar = await openTestSidecar({ writerUrl: mutantWriter(READ_ONLY) });
    expect(await rejection(sidecar.createThread({ meta: { note: 'BAD' } }))).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', cause: { code: 'EROFS' } });
    expect([...sidecar.liveThreads()]).toEqual([]);
    const thread = await sidecar.createThread();
    expect(thread.append(numbered(0))).toBe(1);
    await thread.close();
  });
});

describe('P13: a file that somebody else has written to', () => {
  test('is noticed before the next batch, and nothing is written into it', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush();
    appendFileSync(thread.path, 'foreign\n');
    const before = readFileSync(thread.path);
    thread.append(numbered(1));
    const error = await rejection(thread.flush()) as Error;
    expect(error).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { threadId: thread.id, unwritten: [{ from: 2, to: 2 }] } });
    expect(thread.state).toBe('failed');
    expect(readFileSync(thread.path)).toEqual(before);
  });
});

describe('syncs that always fail', () => {
  test('P3: nothing is ever claimed to be synced, what is written stays, and flush and close keep their bounds', async () => {
    const writerUrl = mutantWriter({
      file: 'worker/fs-ops.js', find: 'syncFile: (descriptor) => datasync(descriptor),',
      replace: `syncFile: () => Promise.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', errno: -5, syscall: 'fdatasync' })),`,
    });
    const sidecar = await openTestSidecar({ writerUrl });
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush();
    expect(await rejection(thread.flush({ durability: 'synced', timeoutMs: 300 }))).toMatchObject({ code: 'LASTWORD_TIMEOUT' });
    expect(thread).toMatchObject({ state: 'open', written: 2, synced: 0 });
    expect(await rejection(thread.close({ timeoutMs: 300 }))).toMatchObject({ code: 'LASTWORD_TIMEOUT' });
    expect([thread.state, thread.append(numbered(1))]).toEqual(['closing', LATE]);
    expect(linesOf(thread.path)).toHaveLength(2);
  });
});
