/** Threads that Codex has open: it locks `thread-writer-locks/<id>.lock` with flock(), and so does flock(1) here. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readRollout, type Sidecar } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findFlock } from '../../worker/lease/flocks.js';
import { codexLine } from '../support/rollouts.js';
import { mutantWriter } from '../support/mutants.js';
import { numbered, openTestSidecar, rejection, temporaryFolder, until } from '../support/sidecars.js';

const SINCE = new Date('2026-02-03T04:05:06.000Z');

/** A process that has a flock() on the file until it is let go of. */
async function lock(path: string, mode: 'exclusive' | 'shared' = 'exclusive'): Promise<{ pid: number; end: () => Promise<void> }> {
  const child = spawn('flock', [`--${mode}`, '--no-fork', path, 'sh', '-c', 'echo locked; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const end = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  onTestFinished(end);
  await once(child.stdout, 'data');
  return { pid: child.pid ?? 0, end };
}

/** A stored thread, and the file that Codex would lock for it. */
async function stored(): Promise<{ id: string; path: string; directory: string; lockPath: string }> {
  const directory = temporaryFolder();
  const sidecar = await openTestSidecar({ directory });
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  await sidecar.close();
  return { id: thread.id, path: thread.path, directory, lockPath: codexLock(directory, thread.id) };
}

function codexLock(directory: string, id: string): string {
  mkdirSync(join(directory, 'thread-writer-locks'), { recursive: true });
  const path = join(directory, 'thread-writer-locks', `${id}.lock`);
  writeFileSync(path, '');
  utimesSync(path, SINCE, SINCE);
  return path;
}

describe('a thread that another program has under a flock()', () => {
  const OPERATIONS: readonly [string, (sidecar: Sidecar, id: string) => Promise<unknown>][] = [
    ['resumed', (sidecar, id) => sidecar.resumeThread(id)],
    ['renamed', (sidecar, id) => sidecar.setThreadMeta(id, { title: 'mine' })],
    ['archived', (sidecar, id) => sidecar.archiveThread(id)],
    ['deleted', (sidecar, id) => sidecar.deleteThread(id)],
  ];
  test('is followed while that program has it open', async () => {
    const { path, lockPath } = await stored();
    const holder = await lock(lockPath);
    const ordinals: number[] = [];
    const reading = (async () => {
      for await (const { ordinal } of readRollout(path, { follow: true })) ordinals.push(ordinal);
    })();
    await until(() => ordinals.length === 2, 'what is there');
    appendFileSync(path, codexLine(2));
    await until(() => ordinals.length === 3, 'what the program writes');
    await holder.end();
    await reading;
    expect(ordinals).toEqual([0, 1, 2]);
  });

  test('is listed as that program\'s, and as nobody\'s once it has let go', async () => {
    const { id, directory, lockPath } = await stored();
    const holder = await lock(lockPath);
    const sidecar = await openTestSidecar({ directory });
    expect((await sidecar.listThreads()).threads).toMatchObject([{ id, owner: { pid: holder.pid, host: hostname() } }]);
    await holder.end();
    expect(await sidecar.getThread(id)).toMatchObject({ id, owner: undefined });
  });

  test.each(OPERATIONS)('is not %s: LASTWORD_THREAD_BUSY says by whom, and no byte and no lease is left behind', async (_what, operate) => {
    const { id, path, directory, lockPath } = await stored();
    const before = readFileSync(path);
    const holder = await lock(lockPath);
    const sidecar = await openTestSidecar({ directory });
    expect(await rejection(operate(sidecar, id))).toMatchObject({
      code: 'LASTWORD_THREAD_BUSY',
      context: { threadId: id, owner: { pid: holder.pid, host: hostname(), since: SINCE.toISOString() }, path: lockPath },
    });
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(join(directory, 'locks')).filter((name) => name.endsWith('.lock'))).toEqual([]);
    await holder.end();
    await operate(sidecar, id);
  });

  test('and whose rollout is not there yet is not made again', async () => {
    const directory = temporaryFolder();
    const id = '01936c1e-7b2a-7000-8000-000000000001';
    const holder = await lock(codexLock(directory, id));
    const sidecar = await openTestSidecar({ directory });
    expect(await rejection(sidecar.createThread({ id }))).toMatchObject({ code: 'LASTWORD_THREAD_EXISTS', context: { owner: { pid: holder.pid } } });
    await holder.end();
    expect((await sidecar.createThread({ id })).accepted).toBe(1);
  });

  test('is read all the same', async () => {
    const { id, directory, lockPath } = await stored();
    await lock(lockPath);
    const sidecar = await openTestSidecar({ directory });
    const types: string[] = [];
    for await (const { type } of sidecar.readThread(id)) types.push(type);
    expect(types).toEqual(['session_meta', 'event_msg']);
  });

  test('the control: a writer that does not look resumes it', async () => {
    const { id, directory, lockPath } = await stored();
    await lock(lockPath);
    const writerUrl = mutantWriter({ file: 'worker/lease/leases.js', find: 'if (flock === undefined)', replace: 'if (true)' });
    const sidecar = await openTestSidecar({ directory, writerUrl });
    expect((await sidecar.resumeThread(id)).accepted).toBe(2);
  });
});

describe('a flock() on a file', () => {
  test('is seen in either mode while it is held, and on that file alone', async () => {
    const folder = temporaryFolder();
    const [path, other] = [join(folder, 'a.lock'), join(folder, 'b.lock')];
    for (const name of [path, other]) writeFileSync(name, '');
    for (const mode of ['exclusive', 'shared'] as const) {
      expect(findFlock(path)).toBeUndefined();
      const { pid, end } = await lock(path, mode);
      expect(findFlock(path)?.pid).toBe(pid);
      expect(findFlock(other)).toBeUndefined();
      await end();
    }
  });

  test('that another process waits for is its holder\'s', async () => {
    const path = join(temporaryFolder(), 'a.lock');
    writeFileSync(path, '');
    const holder = await lock(path);
    const waiter = spawn('flock', ['--no-fork', path, 'true'], { stdio: 'ignore' });
    const ended = once(waiter, 'exit');
    await until(() => readFileSync('/proc/locks', 'latin1').includes(`-> FLOCK  ADVISORY  WRITE ${waiter.pid} `), 'the wait for the lock');
    expect(findFlock(path)?.pid).toBe(holder.pid);
    await holder.end();
    await ended;
    expect(findFlock(path)).toBeUndefined();
  });

  test('is not looked for where nothing, a folder or a link stands', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    for (const name of ['a', 'b', 'c', 'a/d/e']) expect(findFlock(join(folder, name))).toBeUndefined();
  });
});
