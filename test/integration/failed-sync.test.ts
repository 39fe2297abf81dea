/** A failed sync is final for its file: what it was to cover is held, goes to a new file, and is not claimed before that is safe. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sidecar, SidecarEvents, SidecarOptions, Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { rolloutPath } from '../../src/rollout/rollout-path.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { FailingSyncs } from '../support/rigged-disk.js';
import { itemsOf, numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, until, upTo } from '../support/sidecars.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Told { event: string; what: Partial<SidecarEvents['degraded']> }

async function open(disk: FailingSyncs, options: Partial<SidecarOptions> = {}): Promise<{ sidecar: Sidecar; thread: Thread; told: Told[] }> {
  const sidecar = await openTestSidecar({ writerUrl: disk.writerUrl, ...options });
  const told: Told[] = [];
  sidecar.on('degraded', (what) => { told.push({ event: 'degraded', what }); });
  sidecar.on('recovered', (what) => { told.push({ event: 'recovered', what }); });
  return { sidecar, thread: await sidecar.createThread(), told };
}

const eventsOf = (told: Told[]): string[] => told.map(({ event }) => event);
const inodeOf = (path: string): number => statSync(path).ino;
/** What stands beside a rollout under its name. */
const besideOf = (path: string): string[] => readdirSync(dirname(path)).filter((name) => name !== basename(path) && name.includes(basename(path)));
const big = (index: number, bytes: number): { type: string; payload: { index: number; text: string } } => ({ type: 'event_msg', payload: { index, text: 'x'.repeat(bytes) } });

describe('a failed sync', () => {
  test('P9: what it was to cover goes to a new file, which is synced; the thread is told of once and goes on', async () => {
    const disk = new FailingSyncs();
    const { thread, told } = await open(disk);
    for (const index of upTo(3)) thread.append(numbered(index));
    await thread.flush({ durability: 'synced' });
    const inode = inodeOf(thread.path);
    for (const index of upTo(4)) thread.append(numbered(3 + index));
    disk.fail(1);
    expect((await thread.flush({ durability: 'synced' })).nextOrdinal).toBe(8);
    expect(thread).toMatchObject({ state: 'open', synced: 8 });
    await until(() => told.length === 2, 'the end of the episode');
    expect(told).toEqual([
      { event: 'degraded', what: { threadId: thread.id, error: expect.objectContaining({ code: 'LASTWORD_SYNC_FAILED', context: { threadId: thread.id, path: thread.path, errno: -5 }, cause: expect.objectContaining({ code: 'EIO' }) }) } },
      { event: 'recovered', what: { threadId: thread.id } },
    ]);
    expect(inodeOf(thread.path)).not.toBe(inode);
    thread.append(numbered(7));
    await thread.close({ durability: 'synced' });
    expect(await itemsOf(thread.path)).toEqual(upTo(8).map(numbered));
    expect(besideOf(thread.path)).toEqual([]);
    expect(statSync(thread.path).mode & 0o777).toBe(0o600);
  });

  test('of the header alone is made good too', async () => {
    const disk = new FailingSyncs();
    const { thread, told } = await open(disk);
    disk.fail(1);
    await thread.flush({ durability: 'synced' });
    await thread.close();
    expect(await recordsOf(thread.path)).toHaveLength(1);
    expect(eventsOf(told)).toEqual(['degraded', 'recovered']);
  });

  test('of a resumed thread takes over what stood there', async () => {
    const disk = new FailingSyncs({ keeps: true });
    const { sidecar, thread } = await open(disk);
    for (const index of upTo(50)) thread.append(numbered(index));
    await thread.close();
    const again = await sidecar.resumeThread(thread.id);
    again.append(numbered(50));
    disk.fail(1);
    await again.close({ durability: 'synced' });
    expect(await itemsOf(thread.path)).toEqual(upTo(51).map(numbered));
  });

  test('holds up neither append() nor the other threads, and nothing is claimed until the new file is safe', async () => {
    const disk = new FailingSyncs();
    const { sidecar, thread, told } = await open(disk);
    const other = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush({ durability: 'synced' });
    disk.fill();
    disk.fail(1);
    thread.append(numbered(1));
    const synced = thread.flush({ durability: 'synced' });
    await until(() => told.length === 1, 'the failed sync');
    for (const index of upTo(2000)) {
      thread.append(numbered(2 + index));
      other.append(numbered(index));
      if (index % 500 === 0) await other.flush({ durability: 'synced' });
    }
    await other.flush({ durability: 'synced' });
    expect(thread).toMatchObject({ state: 'open', written: 3, synced: 2, accepted: 2003 });
    expect(await rejection(thread.flush({ timeoutMs: 100 }))).toMatchObject({ code: 'LASTWORD_TIMEOUT' });
    expect(await rejection(thread.close({ timeoutMs: 100 }))).toMatchObject({ code: 'LASTWORD_DRAIN_INCOMPLETE', cause: { code: 'LASTWORD_SYNC_FAILED' } });
    disk.empty();
    expect((await synced).nextOrdinal).toBe(3);
    await thread.close({ durability: 'synced' });
    expect(await itemsOf(thread.path)).toEqual(upTo(2002).map(numbered));
    expect(eventsOf(told)).toEqual(['degraded', 'recovered']);
  });

  test('that is followed by more of them is one episode', async () => {
    const disk = new FailingSyncs();
    const { thread, told } = await open(disk);
    thread.append(numbered(0));
    disk.fail(4);
    await thread.flush({ durability: 'synced' });
    await until(() => told.length === 2, 'the end of the episode');
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual([numbered(0)]);
    expect([eventsOf(told), besideOf(thread.path)]).toEqual([['degraded', 'recovered'], []]);
  });

  test('that cannot be made good fails the thread, and names what is not known to be on disk', async () => {
    const disk = new FailingSyncs({ refusal: { code: 'EROFS', errno: -30 } });
    const { thread } = await open(disk);
    thread.append(numbered(0));
    await thread.flush({ durability: 'synced' });
    for (const index of upTo(3)) thread.append(numbered(index));
    disk.fill();
    disk.fail(1);
    expect(await rejection(thread.flush({ durability: 'synced' }))).toMatchObject({
      code: 'LASTWORD_SYNC_FAILED', cause: { code: 'EROFS' }, context: { threadId: thread.id, errno: -30, unwritten: [{ threadId: thread.id, from: 2, to: 4 }] },
    });
    expect(thread).toMatchObject({ state: 'failed', synced: 2 });
    expect(await rejection(thread.close())).toMatchObject({ code: 'LASTWORD_SYNC_FAILED' });
  });

  test('beyond what could be held: the range is named, what is held is safe, and the old file stays beside', async () => {
    const disk = new FailingSyncs();
    const { thread } = await open(disk, { unsyncedBytes: 64 * 1024 });
    thread.append(big(0, 1000));
    await thread.flush({ durability: 'synced' });
    disk.hold();
    disk.fail(1);
    thread.append(big(1, 1000));
    const first = thread.flush({ durability: 'synced' });
    for (const index of upTo(299)) {
      thread.append(big(2 + index, 1000));
      await thread.flush();
    }
    const synced = rejection(thread.flush({ durability: 'synced' }));
    disk.letGo();
    // What it asked for is among what is held.
    expect((await first).nextOrdinal).toBe(3);
    const error = await synced as { code: string; context: { unwritten: [{ from: number; to: number }] } };
    const { from, to } = error.context.unwritten[0];
    expect([error.code, to, thread.state, thread.synced]).toEqual(['LASTWORD_SYNC_FAILED', 301, 'failed', from]);
    // Twice 64 KiB of lines of about 1.1 kB.
    expect(from).toBeGreaterThan(100);
    expect(from).toBeLessThan(130);
    expect((await recordsOf(thread.path)).map(({ ordinal }) => ordinal)).toEqual(upTo(from));
    expect(besideOf(thread.path)).toEqual([`${basename(thread.path)}.unsynced-1`]);
  });

  test('is noticed at the close of a file that is let go of, and at its opening again', async () => {
    const close: Patch = {
      file: 'worker/fs-ops.js', find: 'close: (descriptor) => { fs.closeSync(descriptor); },',
      replace: `close: (descriptor) => {
        const isBad = !globalThis.hasFailed && fs.fstatSync(descriptor).size > 5000;
        fs.closeSync(descriptor);
        globalThis.hasFailed ||= isBad;
        if (isBad) throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO', errno: -5, syscall: 'close' });
      },`,
    };
    const disk = new FailingSyncs({ more: [close] });
    const { sidecar, thread, told } = await open(disk, { openFilesMax: 1 });
    thread.append(big(0, 6000));
    await thread.flush();
    const other = await sidecar.createThread();
    await until(() => told.length === 2, 'the end of the episode');
    expect(told[0]).toMatchObject({ event: 'degraded', what: { threadId: thread.id, error: { code: 'LASTWORD_SYNC_FAILED', cause: { syscall: 'close' } } } });
    expect(thread.synced).toBe(2);
    thread.append(big(1, 10));
    other.append(numbered(0));
    await sidecar.flush({ durability: 'synced' });
    expect(await itemsOf(thread.path)).toEqual([big(0, 6000), big(1, 10)]);
  });

  test('is not what the lack of a descriptor for it is: that sync is made later', async () => {
    const emfile: Patch = {
      file: 'worker/fs-ops.js', find: 'openFile: (path) => {',
      replace: `openFile: (path) => {
        globalThis.opened = (globalThis.opened ?? 0) + (path.endsWith('.jsonl') ? 1 : 0);
        if (path.endsWith('.jsonl') && globalThis.opened > 2 && globalThis.opened <= 5) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE', errno: -24, syscall: 'open' });`,
    };
    const { sidecar, thread, told } = await open(new FailingSyncs({ more: [emfile] }), { openFilesMax: 1 });
    const inode = inodeOf(thread.path);
    thread.append(numbered(0));
    await thread.flush();
    const other = await sidecar.createThread();
    await thread.flush({ durability: 'synced' });
    expect([thread.synced, inodeOf(thread.path)]).toEqual([2, inode]);
    await until(() => told.length === 2, 'the end of the episode');
    expect(told[0]?.what.error).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { errno: -24 } });
    await other.close();
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual([numbered(0)]);
  });
});

/** A closed thread whose file's sync has failed, and cannot be made good while the disk is full. */
async function lingering(disk: FailingSyncs, options: Partial<SidecarOptions> = {}): ReturnType<typeof open> {
  const opened = await open(disk, { syncIntervalMs: 3_600_000, unsyncedBytes: 64 * 1024, ...options });
  const { sidecar, thread, told } = opened;
  thread.append(numbered(0));
  await thread.flush({ durability: 'synced' });
  thread.append(numbered(1));
  const other = await sidecar.createThread();
  await thread.close();
  disk.fill();
  // What the other one writes makes all syncs due.
  disk.fail(2);
  other.append(big(0, 70_000));
  await until(() => told.some(({ what }) => what.threadId === thread.id), 'the failed sync');
  return opened;
}

describe('a failed sync after the thread was closed', () => {
  test('is made good, under the lease, and a resume waits for it', async () => {
    const disk = new FailingSyncs();
    const { sidecar, thread, told } = await lingering(disk);
    const inode = inodeOf(thread.path);
    const again = sidecar.resumeThread(thread.id);
    disk.empty();
    const resumed = await again;
    await until(() => told.some(({ event, what }) => event === 'recovered' && what.threadId === thread.id), 'the end of the episode');
    expect(inodeOf(thread.path)).not.toBe(inode);
    resumed.append(numbered(2));
    await resumed.close({ durability: 'synced' });
    expect(await itemsOf(thread.path)).toEqual(upTo(3).map(numbered));
  });

  test('leaves a file alone that the host has deleted', async () => {
    const disk = new FailingSyncs();
    const { sidecar, thread } = await lingering(disk);
    await sidecar.deleteThread(thread.id);
    disk.empty();
    expect((await sidecar.close()).items).toBe(3);
    expect(existsSync(thread.path)).toBe(false);
  });

  test('that is not made good by the end is reported, with its range', async () => {
    const logged: object[] = [];
    const log = (members: object): void => { logged.push(members); };
    const silent = (): void => undefined;
    const disk = new FailingSyncs();
    const { sidecar, thread } = await lingering(disk, { logger: { debug: silent, info: silent, warn: silent, error: log } });
    await sidecar.close({ abandon: true });
    expect(logged).toContainEqual(expect.objectContaining({ code: 'LASTWORD_SYNC_FAILED', threadId: thread.id, unwritten: [{ threadId: thread.id, from: 2, to: 2 }] }));
  });
});

/** A host that ends while a file of it has a failed sync, and cannot be made anew. Returns the rollout's path. */
function endsUnsafe(): { directory: string; path: string } {
  const disk = new FailingSyncs({ keeps: true });
  disk.fill();
  disk.fail(1);
  const directory = temporaryFolder();
  const { lastwordUrl, writerUrl } = mutantPackage(...disk.patches);
  const path = execFileSync(process.execPath, ['--input-type=module', '-e', `
    import { once } from 'node:events';
    import { rmSync } from 'node:fs';
    import { openSidecar } from ${JSON.stringify(lastwordUrl)};
    const sidecar = await openSidecar({ directory: ${JSON.stringify(directory)}, writerUrl: new URL(${JSON.stringify(writerUrl)}), logger: false });
    const full = ${JSON.stringify(disk.full)};
    rmSync(full);
    const thread = await sidecar.createThread();
    (await import('node:fs')).writeFileSync(full, '');
    for (let index = 0; index < 20; index += 1) thread.append({ type: 'event_msg', payload: { index, text: 'item ' + index } });
    const degraded = once(sidecar, 'degraded');
    thread.flush({ durability: 'synced' }).catch(() => undefined);
    await degraded;
    process.stdout.write(thread.path);
    process.exit(0);`], { cwd: ROOT, encoding: 'utf8' });
  return { directory, path };
}

describe('a process that ended before a failed sync was made good', () => {
  test('leaves a mark, so that whoever resumes does not believe a sync of the same file', async () => {
    const { directory, path } = endsUnsafe();
    expect(besideOf(path)).toEqual([`${basename(path)}.unsynced`]);
    const inode = inodeOf(path);
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.resumeThread(basename(path).slice(-42, -6));
    expect(inodeOf(path)).not.toBe(inode);
    expect(besideOf(path)).toEqual([]);
    thread.append(numbered(20));
    await thread.close({ durability: 'synced' });
    expect(await itemsOf(path)).toEqual(upTo(21).map(numbered));
  });

  test('and whoever refers to it is refused until then', async () => {
    const { directory, path } = endsUnsafe();
    const sidecar = await openTestSidecar({ directory });
    const id = basename(path).slice(-42, -6);
    expect(await rejection(sidecar.forkThread(id))).toMatchObject({ code: 'LASTWORD_SYNC_FAILED' });
    await (await sidecar.resumeThread(id)).close();
    const fork = await sidecar.forkThread(id);
    await fork.close();
  });
});

const hasStrace = spawnSync('strace', ['-V']).status === 0;

describe('a sync that the kernel fails', () => {
  test.skipIf(!hasStrace)('is made good', () => {
    const directory = temporaryFolder();
    const id = '01936c1e-7b2a-7000-8000-000000000001';
    // The first one of the rollout in each of libuv's threads.
    const told = execFileSync('strace', ['-f', '-qq', '-o', '/dev/null', '-P', rolloutPath(directory, id), '-e', 'inject=fdatasync:error=EIO:when=1', process.execPath, '--input-type=module', '-e', `
      import { readdirSync } from 'node:fs';
      import { openSidecar } from 'lastword';
      const sidecar = await openSidecar({ directory: ${JSON.stringify(directory)}, logger: false, syncIntervalMs: 0 });
      const told = [];
      for (const event of ['degraded', 'recovered']) sidecar.on(event, (what) => { told.push(what.error?.code ?? event); });
      const thread = await sidecar.createThread({ id: '${id}' });
      for (let index = 0; index < 100; index += 1) thread.append({ type: 'event_msg', payload: { index, text: 'item ' + index } });
      const { nextOrdinal } = await thread.flush({ durability: 'synced', timeoutMs: 60_000 });
      thread.append({ type: 'event_msg', payload: { index: 100, text: 'item 100' } });
      await sidecar.close({ durability: 'synced' });
      process.stdout.write(JSON.stringify({ told, nextOrdinal, path: thread.path }));`], { cwd: ROOT, encoding: 'utf8' });
    const { told: events, nextOrdinal, path } = JSON.parse(told) as { told: string[]; nextOrdinal: number; path: string };
    expect([events.slice(0, 2), nextOrdinal]).toEqual([['LASTWORD_SYNC_FAILED', 'recovered'], 101]);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(103);
    expect(besideOf(path)).toEqual([]);
  });
});

describe('the control: the same test finds', () => {
  test.each<[string, Patch[]]>([
    ['a writer that tries the sync again', [{ file: 'worker/file-sync.js', find: 'this.poison(file, error, false);', replace: ';' }]],
    ['a writer that trusts what it reads of the file', [
      { file: 'worker/file-sync.js', find: 'sourceBytes, held: takesAll ? [] : held.read(), keep', replace: 'sourceBytes: file.wholeBytes, held: [], keep' },
    ]],
    ['a writer that claims what a sync was asked for when it begins', [{ file: 'worker/file-sync.js', find: 'await fs.syncFile(descriptor);', replace: 'file.synced = begun.written; this.#publish(file); await fs.syncFile(descriptor);' }]],
    ['a writer that does not hold what it writes', [{ file: 'worker/rollout-file.js', find: 'this.held.add(bytes, offset, length, this.wholeBytes, this.written);', replace: '' }]],
  ])('%s', async (_what, more) => {
    const disk = new FailingSyncs({ more });
    const { thread, told } = await open(disk, { closeTimeoutMs: 3000 });
    thread.append(numbered(0));
    await thread.flush({ durability: 'synced' });
    disk.fill();
    disk.fail(1);
    thread.append(numbered(1));
    const synced = thread.flush({ durability: 'synced' }).catch((error: unknown) => error);
    await until(() => told.length > 0 || thread.synced === 3, 'the failed sync');
    const isEarly = thread.synced === 3;
    thread.append(numbered(2));
    await rejection(thread.flush({ timeoutMs: 200 })).catch(() => undefined);
    disk.empty();
    await synced;
    await thread.close({ durability: 'synced' }).catch(() => undefined);
    const items = await itemsOf(thread.path).catch(() => []);
    const isWhole = !readFileSync(thread.path).includes(0) && JSON.stringify(items) === JSON.stringify(upTo(3).map(numbered));
    expect(isEarly || !isWhole).toBe(true);
    rmSync(thread.path);
  });
});
