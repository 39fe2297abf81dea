/** P10: a writer that dies is replaced by another one over the same memory: what is accepted is written, once. */
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import type { Sidecar, SidecarOptions, Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { mutantPackage, mutantWriter, type Patch } from '../support/mutants.js';
import { openRecorded } from '../support/ledger.js';
import { RiggedDisk } from '../support/rigged-disk.js';
import { ordinalsIn } from '../support/salvage.js';
import { breakingWriter, BREAKS_ONCE, IS_FIRST_WRITER, itemsOf, linesOf, numbered, oneDeath, openTestSidecar, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const BREAK = { type: 'BREAK', payload: 'x' };

async function someThreads(sidecar: Sidecar, count: number): Promise<Thread[]> {
  return Promise.all(upTo(count).map(() => sidecar.createThread()));
}

/** What a sidecar has left behind that is no rollout. */
function leftIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true }).map(String).filter((name) => /\.(lock|owner|tmp)$/.test(name));
}

describe('P10: a writer that dies', () => {
  test('has a successor that writes what it had not, once; event writerRestarted says so', async () => {
    const sidecar = await openTestSidecar({ writerUrl: oneDeath() });
    const restarted = once(sidecar, 'writerRestarted');
    const [one, other] = await someThreads(sidecar, 2) as [Thread, Thread];
    for (const index of upTo(50)) for (const thread of [one, other]) thread.append(numbered(index));
    await sidecar.flush();
    one.append(BREAK);
    for (const index of upTo(50)) for (const thread of [one, other]) thread.append(numbered(50 + index));
    await sidecar.flush({ durability: 'synced' });
    expect(await restarted).toEqual([{ exitCode: 1, replayed: expect.any(Number) as number }]);
    expect(sidecar.state).toBe('open');
    expect(sidecar.stats()).toMatchObject({ writerRestarts: 1, files: { open: 2 } });
    expect(await itemsOf(other.path)).toEqual(upTo(100).map(numbered));
    expect(await itemsOf(one.path)).toEqual([...upTo(50).map(numbered), BREAK, ...upTo(50).map((index) => numbered(50 + index))]);
    expect(one).toMatchObject({ written: 102, synced: 102 });
    expect((await sidecar.close()).threads).toBe(2);
  });

  test('in a write has a successor that cuts the torn line, and one that died behind a write a successor that writes nothing twice', async () => {
    const write = 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),';
    for (const share of [0.5, 1]) {
      const dies = `${IS_FIRST_WRITER} && Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).includes('BREAK')`;
      const writerUrl = mutantWriter({ file: 'worker/fs-ops.js', find: write, replace: `write: (descriptor, bytes, offset, length) => {
        if (!(${dies})) return fs.writeSync(descriptor, bytes, offset, length);
        fs.writeSync(descriptor, bytes, offset, Math.floor(length * ${share}));
        process.exit(1);
      },` });
      const sidecar = await openTestSidecar({ writerUrl });
      const thread = await sidecar.createThread();
      const items = [numbered(0), { type: 'event_msg', payload: `BREAK ${'x'.repeat(9000)}` }, numbered(1)];
      thread.appendAll(items);
      expect((await thread.close()).items).toBe(3);
      expect(await itemsOf(thread.path)).toEqual(items);
      expect(sidecar.stats().writerRestarts).toBe(1);
      await sidecar.close();
    }
  });

  test('while appends wait for room, with large items in the overflow, loses and doubles nothing', async () => {
    const sidecar = await openTestSidecar({ writerUrl: oneDeath(), ringBytes: 64 * 1024, overflowBytes: 1024 * 1024, itemBytesMax: 512 * 1024 });
    const threads = await someThreads(sidecar, 3);
    const items = upTo(300).map((index) => ({ type: 'event_msg', payload: { index, text: 'x'.repeat(index % 20 === 0 ? 300_000 : 3_000) } }));
    threads[0]?.append(BREAK);
    for (const item of items) for (const thread of threads) thread.append(item);
    await sidecar.flush();
    expect(sidecar.stats().writerRestarts).toBe(1);
    for (const thread of threads) expect(await itemsOf(thread.path)).toEqual(thread === threads[0] ? [BREAK, ...items] : items);
    await sidecar.close();
  });

  test('idle, or with nobody there to be told, has a successor too', async () => {
    const sidecar = await openTestSidecar({ writerUrl: mutantWriter({
      file: 'worker/folder-syncs.js', find: 'rootOpened(root, firstFolder) {', replace: 'rootOpened(root, firstFolder) {\n setTimeout(() => { throw null; }, 10);',
    }) });
    await once(sidecar, 'writerRestarted');
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    expect((await thread.close()).items).toBe(1);
  });

  /** Where the first writer ends, and the call that it is in. */
  const COMMANDS: readonly [string, Omit<Patch, 'replace'>, (sidecar: Sidecar, thread: Thread) => Promise<void>][] = [
    ['createThread(), the file in its place', { file: 'worker/create-rollout.js', find: 'fs.link(temporary, path);' }, async (sidecar) => {
      await sidecar.createThread();
    }],
    ['createThread(), the file open', { file: 'worker/control.js', find: 'this.#add(file, descriptor, file.wholeBytes);' }, async (sidecar) => {
      await sidecar.createThread();
    }],
    ['resumeThread(), the file open', { file: 'worker/control.js', find: 'this.#add(file, descriptor, 0);' }, async (sidecar, thread) => {
      await thread.close();
      await sidecar.resumeThread(thread.id);
    }],
    ['forkThread(), the file in its place', { file: 'worker/create-rollout.js', find: 'fs.link(temporary, path);' }, async (sidecar, thread) => {
      await sidecar.forkThread(thread.id);
    }],
    ['close(), everything written', { file: 'worker/control.js', find: 'const file = this.#rolloutOf(command);' }, async (_sidecar, thread) => {
      await thread.close();
    }],
    ['close(), the file closed', { file: 'worker/control.js', find: 'writer.removeRollout(file);' }, async (_sidecar, thread) => {
      await thread.close({ durability: 'synced' });
    }],
    ['close(), the lease released', { file: 'worker/control.js', find: 'leases.release(file.threadId);' }, async (_sidecar, thread) => {
      await thread.close();
    }],
    ['archiveThread(), the file in both places', { file: 'worker/stored-rollouts.js', find: 'fs.link(path, to);' }, async (sidecar, thread) => {
      await thread.close();
      await sidecar.archiveThread(thread.id);
      expect(await sidecar.getThread(thread.id)).toMatchObject({ archived: true });
    }],
    ['archiveThread(), the file moved', { file: 'worker/stored-rollouts.js', find: 'fs.unlink(path);\n        await fs.syncDirectory(dirname(path));\n        return undefined;\n    });\n}\n/**' }, async (sidecar, thread) => {
      await thread.close();
      await sidecar.archiveThread(thread.id);
      expect(await sidecar.getThread(thread.id)).toMatchObject({ archived: true });
    }],
    ['deleteThread(), the file gone', { file: 'worker/stored-rollouts.js', find: 'if (isThere)\n            fs.unlink(path);' }, async (sidecar, thread) => {
      await thread.close();
      await sidecar.deleteThread(thread.id);
      expect(existsSync(thread.path)).toBe(false);
    }],
    ['flush(), the sync begun', { file: 'worker/file-sync.js', find: 'file.isSyncing = true;' }, async (_sidecar, thread) => {
      await thread.flush({ durability: 'synced' });
    }],
  ];
  test.each(COMMANDS)('within %s: its successor answers, and nothing is left behind', async (_what, { file, find }, act) => {
    const directory = temporaryFolder();
    // The first thread is needed to begin with.
    const isSecond = find.includes('temporary') || find.includes('wholeBytes');
    const dies = `\nif (${IS_FIRST_WRITER} && (globalThis.calls = (globalThis.calls ?? 0) + 1) > ${isSecond ? 1 : 0}) process.exit(7);`;
    const [line = '', ...rest] = find.split('\n        await');
    const writerUrl = mutantWriter({ file, find, replace: [`${line}${dies}`, ...rest].join('\n        await') });
    const sidecar = await openTestSidecar({ directory, writerUrl });
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush();
    await act(sidecar, thread);
    expect(sidecar.stats().writerRestarts).toBe(1);
    for (const live of sidecar.liveThreads()) {
      expect((live as Thread).append(numbered(1))).toBeGreaterThan(0);
      await (live as Thread).close();
    }
    await sidecar.close();
    expect(leftIn(directory)).toEqual([]);
  });

  test('while a thread is degraded: recovered is told once, by its successor', async () => {
    const disk = new RiggedDisk('ENOSPC', { word: 'BAD', more: [BREAKS_ONCE] });
    const sidecar = await openTestSidecar({ writerUrl: disk.writerUrl });
    const told: string[] = [];
    for (const event of ['degraded', 'recovered', 'writerRestarted'] as const) sidecar.on(event, () => { told.push(event); });
    const [sick, well] = await someThreads(sidecar, 2) as [Thread, Thread];
    await sidecar.flush();
    disk.refuse();
    const items = upTo(20).map((index) => ({ type: 'event_msg', payload: `BAD ${index}` }));
    sick.append(items[0] ?? BREAK);
    await once(sidecar, 'degraded');
    for (const item of items.slice(1)) sick.append(item);
    await well.flush();
    const restarted = once(sidecar, 'writerRestarted');
    well.append(BREAK);
    await restarted;
    disk.take();
    await sick.close();
    expect(told.filter((event) => event !== 'writerRestarted')).toEqual(['degraded', 'recovered']);
    expect(await itemsOf(sick.path)).toEqual(items);
  });
});

test('P10: a writer that dies beside a thread that failed: what that thread had queued can still be salvaged', async () => {
  const sidecar = await openTestSidecar({ writerUrl: oneDeath() });
  const [failed, well] = await someThreads(sidecar, 2) as [Thread, Thread];
  failed.append(numbered(0));
  await failed.flush();
  appendFileSync(failed.path, 'foreign\n');
  failed.appendAll([numbered(1), numbered(2)]);
  expect(await rejection(failed.flush())).toMatchObject({ code: 'LASTWORD_WRITE_FAILED' });
  const restarted = once(sidecar, 'writerRestarted');
  well.append(BREAK);
  await restarted;
  const { salvage = '' } = await failed.close({ abandon: true });
  expect(ordinalsIn(salvage)).toEqual([2, 3]);
  expect((await well.close()).items).toBe(1);
});

describe('P10: writers that die one after the other', () => {
  async function standingIn(options: Partial<SidecarOptions> = {}): Promise<{ sidecar: Sidecar; thread: Thread; lines: readonly { level: string }[] }> {
    const { sidecar, lines } = await openRecorded({ writerUrl: breakingWriter(), ...options });
    const thread = await sidecar.createThread();
    const degraded = once(sidecar, 'degraded');
    thread.append(BREAK);
    expect(await degraded).toMatchObject([{ threadId: undefined, error: { code: 'LASTWORD_WRITER_EXITED', context: { exitCode: 1 } } }]);
    return { sidecar, thread, lines };
  }

  test('three times in ten seconds: the host thread writes by itself, within append()', async () => {
    const { sidecar, thread, lines } = await standingIn();
    expect(linesOf(thread.path)).toHaveLength(2);
    for (const index of upTo(10)) {
      thread.append(numbered(index));
      expect(thread.written).toBe(thread.accepted);
      expect(linesOf(thread.path)).toHaveLength(3 + index);
    }
    expect(sidecar.stats()).toMatchObject({ writerRestarts: 2 });
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(await itemsOf(thread.path)).toEqual([BREAK, ...upTo(10).map(numbered)]);
  });

  test('three times in ten seconds: everything else goes on as before', async () => {
    const directory = temporaryFolder();
    const { sidecar, thread } = await standingIn({ directory });
    const other = await sidecar.createThread({ parentId: thread.id });
    other.append(numbered(0));
    expect(await other.publish(numbered(1), { durability: 'synced' })).toBe(2);
    expect(await thread.flush({ durability: 'synced' })).toMatchObject({ nextOrdinal: 2 });
    const fork = await sidecar.forkThread(thread.id);
    await fork.close();
    await sidecar.archiveThread(fork.id);
    await other.close();
    const again = await sidecar.resumeThread(other.id);
    sidecar.on('late', () => undefined);
    expect(again.append(numbered(2))).toBe(3);
    expect((await sidecar.close({ durability: 'synced' })).items).toBe(4);
    expect(await itemsOf(other.path)).toEqual([0, 1, 2].map(numbered));
    expect(leftIn(directory)).toEqual([]);
  });

  test('three times in ten seconds: a listener that appends when it hears of it is served', async () => {
    const { sidecar } = await openRecorded({ writerUrl: breakingWriter() });
    const thread = await sidecar.createThread();
    sidecar.on('degraded', () => { thread.append(numbered(0)); });
    thread.append(BREAK);
    await once(sidecar, 'degraded');
    await thread.flush();
    expect(await itemsOf(thread.path)).toEqual([BREAK, numbered(0)]);
    await sidecar.close();
  });
});

describe('P10, the control: the same check hears', () => {
  test.each<[string, Patch]>([
    ['a successor that believes the watermark', { file: 'worker/takeover.js', find: 'const written = end.nextOrdinal - file.base;', replace: 'const { written } = file;' }],
    ['a successor that leaves the torn line', { file: 'worker/recovery/resume-rollout.js', find: 'fs.truncate(descriptor, wholeBytes);', replace: '' }],
    ['a sidecar that starts none', { file: 'src/control/writer-link.js', find: 'this.#state === \'running\' && worker === this.#worker', replace: 'false' }],
    ['one that does not send commands again', { file: 'src/control/writer-link.js', find: 'peer === this.#peer', replace: 'true' }],
  ])('%s', async (_what, patch) => {
    const { lastwordUrl, writerUrl } = mutantPackage(patch, {
      file: 'worker/group-output.js', find: 'file.append(fs, this.descriptor, this.#memory.bytes, OUTPUT_OFFSET, length);', replace: `
        file.append(fs, this.descriptor, this.#memory.bytes, OUTPUT_OFFSET, length);
        if (${IS_FIRST_WRITER} && file.written === 2) {
          fs.write(this.descriptor, Buffer.from('torn'), 0, 4);
          process.exit(1);
        }`,
    });
    const { sidecar } = await openRecorded({ writerUrl: new URL(writerUrl), closeTimeoutMs: 2_000 }, lastwordUrl);
    const thread = await sidecar.createThread();
    for (const index of upTo(2)) thread.append(numbered(index));
    await thread.flush();
    thread.append(numbered(2));
    const closed = await thread.close().catch((error: unknown) => error);
    const items = await itemsOf(thread.path).catch((error: unknown) => error);
    const isRight = !(closed instanceof Error) && JSON.stringify(items) === JSON.stringify(upTo(3).map(numbered));
    expect(isRight).toBe(false);
  });
});
