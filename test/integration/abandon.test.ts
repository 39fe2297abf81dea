/** close({ abandon: true }): what cannot be written goes to a salvage file, is named, and the thread is released. */
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { LATE, type Sidecar, type SidecarOptions, type Thread, type ThreadCloseReceipt } from 'lastword';
import { describe, expect, test } from 'vitest';
import { openRecorded, type LogLine } from '../support/ledger.js';
import { mutantWriter, type Patch } from '../support/mutants.js';
import { RiggedDisk } from '../support/rigged-disk.js';
import { ordinalsIn, salvagedIn, salvageFiles } from '../support/salvage.js';
import { itemsOf, lostLibrary, numbered, rejection, temporaryFolder, thrown, until, upTo } from '../support/sidecars.js';

const CANARY = 'canary-7d1e';
const bad = (index: number, bytes = 10): { type: string; payload: { index: number; text: string } } => ({ type: 'event_msg', payload: { index, text: `${CANARY} BAD${'x'.repeat(bytes)}` } });

interface Scene { sidecar: Sidecar; sick: Thread; well: Thread; lines: readonly LogLine[] }

async function scene(options: Partial<SidecarOptions> = {}, lastwordUrl?: string): Promise<Scene> {
  const { sidecar, lines } = await openRecorded(options, lastwordUrl);
  return { sidecar, lines, sick: await sidecar.createThread(), well: await sidecar.createThread() };
}

/** A thread with one record on disk and so many items that the disk refuses. */
async function degraded(disk: RiggedDisk, items: readonly object[], options: Partial<SidecarOptions> = {}): Promise<Scene> {
  const open = await scene({ writerUrl: disk.writerUrl, ...options });
  open.sick.append(numbered(0));
  await open.sick.flush();
  disk.refuse();
  const told = once(open.sidecar, 'degraded');
  for (const item of items) open.sick.append(item as ReturnType<typeof numbered>);
  await told;
  return open;
}

/** Of a writer that notices what was done to the file when it writes, not while the items are being packed. */
async function failed(items: readonly object[], ...patches: Patch[]): Promise<Scene> {
  const open = await scene({ writerUrl: mutantWriter({ file: 'worker/interference.js', find: 'this.#look();', replace: '' }, ...patches) });
  open.sick.append(numbered(0));
  await open.sick.flush();
  appendFileSync(open.sick.path, 'foreign\n');
  open.sick.appendAll(items as ReturnType<typeof numbered>[]);
  await rejection(open.sick.flush());
  expect(open.sick.state).toBe('failed');
  return open;
}

/** Of a disk that takes nothing of it, until not even memory does. Returns the items that were accepted. */
async function flooded(more: Patch[] = []): Promise<Scene & { items: object[] }> {
  const disk = new RiggedDisk('ENOSPC', { word: 'BAD', takesSalvage: true, more });
  const open = await degraded(disk, [bad(0)], { ringBytes: 4 << 20, overflowBytes: 512 * 1024, itemBytesMax: 256 * 1024, fullTimeoutMs: 200 });
  const items: object[] = [bad(0)];
  const full = thrown(() => {
    for (let index = 1; index < 100_000; index += 1) {
      open.sick.append(bad(index));
      items.push(bad(index));
    }
  });
  expect(full).toMatchObject({ code: 'LASTWORD_RING_FULL' });
  return { ...open, items };
}

/** Writers die, and main cannot write either: the sidecar is failed. */
async function lost(items: readonly object[], patches: Patch[] = []): Promise<Scene> {
  const { lastwordUrl, writerUrl } = lostLibrary(...patches);
  const open = await scene({ writerUrl }, lastwordUrl);
  open.sick.append(numbered(0));
  await open.sick.flush();
  open.sick.appendAll([{ type: 'BREAK' }, ...items as ReturnType<typeof numbered>[]]);
  await until(() => open.sidecar.state === 'failed', 'the sidecar fails');
  return open;
}

/** The file is a whole and private copy of what is missing, and the log names it without payload. */
function expectSalvaged({ lines }: Scene, { salvage = '', threadId, nextOrdinal }: ThreadCloseReceipt, items: readonly object[]): void {
  const entries = salvagedIn(salvage);
  expect(entries.map(({ line: { timestamp, ordinal, crc, ...item } }) => item)).toEqual(items);
  expect(entries.map(({ line: { ordinal } }) => ordinal)).toEqual(items.map((_, place) => nextOrdinal + place));
  expect(new Set(entries.map((entry) => entry.threadId))).toEqual(new Set([threadId]));
  expect([basename(salvage).includes(threadId), statSync(salvage).mode & 0o777]).toEqual([true, 0o600]);
  const told = lines.filter(({ level, message }) => level === 'error' && message.startsWith('close gave up'));
  const unwritten = [{ threadId, from: nextOrdinal, to: nextOrdinal + items.length - 1 }];
  expect(told.map(({ members }) => members)).toEqual([{ threadId, unwritten, salvage, records: items.length }]);
  expect(JSON.stringify(lines)).not.toContain(CANARY);
}

/** Nothing is left of it: another opening of the sidecar's, or of another process, gets it at once. */
async function expectReleased({ sidecar, sick, well }: Scene): Promise<void> {
  expect([sick.state, sidecar.liveThread(sick.id), existsSync(join(sidecar.directory, 'locks', `${sick.id}.lock`))]).toEqual(['closed', undefined, false]);
  expect(sick.append(numbered(9))).toBe(LATE);
  well.append(numbered(1));
  await well.close();
  expect(await itemsOf(well.path)).toEqual([numbered(1)]);
}

const REFUSES_ALL: Patch = { file: 'worker/salvage.js', find: 'dirname(path), parts.temporaryFolder', replace: "'/nowhere/at/all'" };

describe('close with option abandon', () => {
  test('of a thread whose disk is full: what is unwritten is salvaged and named without being waited for, the thread is released, and its room is others\'', async () => {
    const disk = new RiggedDisk('ENOSPC', { word: 'BAD', takesSalvage: true });
    const items = upTo(300).map((index) => bad(index, index % 50 === 0 ? 100_000 : 10));
    // Were the disk waited for, this test would not end.
    const open = await degraded(disk, items, { closeTimeoutMs: 600_000, overflowBytes: 1 << 20 });
    const closed = once(open.sidecar, 'threadClosed');
    const receipt = await open.sick.close({ abandon: true });
    expect(receipt).toMatchObject({ items: 301, nextOrdinal: 2, durability: 'written', forced: false, late: 0 });
    expect(dirname(receipt.salvage ?? '')).toBe(dirname(open.sick.path));
    expect(await closed).toEqual([receipt]);
    expectSalvaged(open, receipt, items);
    expect(await itemsOf(open.sick.path)).toEqual([numbered(0)]);
    for (const round of upTo(3)) {
      for (const index of upTo(8)) open.well.append(numbered(round * 8 + index));
      await open.well.flush();
    }
    expect(open.sidecar.stats().bytes).toMatchObject({ ringUsed: 0, overflow: 0 });
    const again = await open.sidecar.resumeThread(open.sick.id);
    expect(again.accepted).toBe(2);
  });

  test('asks the disk once more: what it takes by now is written, and nothing is salvaged', async () => {
    const disk = new RiggedDisk('ENOSPC', { word: 'BAD', takesSalvage: true, more: [{ file: 'worker/troubles.js', find: 'RETRY_FIRST_MS = 50', replace: 'RETRY_FIRST_MS = 3_600_000' }] });
    const open = await degraded(disk, upTo(3).map((index) => bad(index)));
    disk.take();
    expect(await open.sick.close({ abandon: true })).toMatchObject({ items: 4, nextOrdinal: 5, salvage: undefined });
    expect(await itemsOf(open.sick.path)).toEqual([numbered(0), ...upTo(3).map((index) => bad(index))]);
    expect(salvageFiles(dirname(open.sick.path))).toEqual([]);
  });

  test('after a close that rejected: may be called again with it, children and their parents too', async () => {
    const disk = new RiggedDisk('EIO', { word: 'BAD', takesSalvage: true });
    const open = await degraded(disk, upTo(5).map((index) => bad(index)));
    const child = await open.sidecar.createThread({ parentId: open.sick.id });
    child.append(bad(9));
    expect(await rejection(open.sick.close({ timeoutMs: 200 }))).toMatchObject({ code: 'LASTWORD_DRAIN_INCOMPLETE' });
    const closed: ThreadCloseReceipt[] = [];
    open.sidecar.on('threadClosed', (receipt) => { closed.push(receipt); });
    const receipt = await open.sick.close({ abandon: true });
    expect(closed.map(({ threadId }) => threadId)).toEqual([child.id, open.sick.id]);
    expect(closed.map(({ salvage = '' }) => ordinalsIn(salvage))).toEqual([[1], [2, 3, 4, 5, 6]]);
    expect(closed[1]).toEqual(receipt);
    await expectReleased(open);
  });

  test('of a thread that failed: without it close() rejects, with it it resolves, and what could not be written is all there', async () => {
    const items = upTo(200).map((index) => bad(index, index === 100 ? 20_000_000 : 10));
    const open = await failed(items);
    expect(await rejection(open.sick.close())).toMatchObject({ code: 'LASTWORD_WRITE_FAILED' });
    const closed = once(open.sidecar, 'threadClosed');
    const receipt = await open.sick.close({ abandon: true });
    expect(receipt).toMatchObject({ items: 201, nextOrdinal: 2, durability: 'written', forced: false });
    expect(await closed).toEqual([receipt]);
    expectSalvaged(open, receipt, items);
    await expectReleased(open);
    expect(await open.sick.close()).toBe(receipt);
  });

  test('of a thread that has filled all memory there is: every item that was accepted is salvaged, and the others go on', async () => {
    const { items, ...open } = await flooded();
    expectSalvaged(open, await open.sick.close({ abandon: true }), items);
    await expectReleased(open);
  });

  test('puts the salvage file into the temporary folder where the rollout\'s own takes none', async () => {
    const open = await failed([bad(0)], { ...REFUSES_ALL, replace: "'/nowhere/at/all', parts.temporaryFolder" });
    const { salvage = '' } = await open.sick.close({ abandon: true });
    expect(dirname(salvage)).toBe(tmpdir());
    expect(ordinalsIn(salvage)).toEqual([2]);
    rmSync(salvage);
  });

  test('where no place takes a salvage file: rejects, lets go of nothing, and is asked again', async () => {
    const disk = new RiggedDisk('ENOSPC', { word: 'BAD' });
    const open = await degraded(disk, upTo(5).map((index) => bad(index)));
    const error = await rejection(open.sick.close({ abandon: true }));
    expect(error).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { threadId: open.sick.id, errno: -28, unwritten: [{ threadId: open.sick.id, from: 2, to: 6 }] } });
    expect([open.sick.state, salvageFiles(dirname(open.sick.path))]).toEqual(['closing', []]);
    expect(open.lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual(['close could not finish']);
    disk.take();
    expect(await open.sick.close({ abandon: true })).toMatchObject({ nextOrdinal: 7, salvage: undefined });
  });

  test('of a thread that is well, is a close like any other', async () => {
    const open = await scene();
    open.well.append(numbered(1));
    const receipt = await open.well.close({ abandon: true, durability: 'synced' });
    expect(receipt).toEqual({ threadId: open.well.id, durability: 'synced', nextOrdinal: 2, items: 1, late: 0, forced: false, heldBy: [], salvage: undefined });
    expect(open.lines.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  test('of a thread whose sync failed: everything is written, so nothing is salvaged, and nothing is said to be synced', async () => {
    const open = await scene({ writerUrl: mutantWriter({ file: 'worker/fs-ops.js', find: 'syncFile: (descriptor) => datasync(descriptor),', replace: "syncFile: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO', errno: -5 }))," }) });
    open.sick.append(numbered(0));
    await rejection(open.sick.flush({ durability: 'synced', timeoutMs: 300 }));
    expect(await open.sick.close({ abandon: true, durability: 'synced' })).toMatchObject({ durability: 'written', nextOrdinal: 2, salvage: undefined });
  });

  test('of the sidecar: every thread in trouble is salvaged, the others are whole, and it is closed', async () => {
    const disk = new RiggedDisk('ENOSPC', { word: 'BAD', takesSalvage: true });
    const open = await degraded(disk, upTo(5).map((index) => bad(index)));
    const broken = await open.sidecar.createThread();
    appendFileSync(broken.path, 'foreign\n');
    broken.append(bad(7));
    await rejection(broken.flush());
    open.well.append(numbered(1));
    const closed = new Map<string, ThreadCloseReceipt>();
    open.sidecar.on('threadClosed', (receipt) => { closed.set(receipt.threadId, receipt); });
    expect(await rejection(open.sidecar.close({ timeoutMs: 300 }))).toMatchObject({ code: expect.stringMatching(/DRAIN_INCOMPLETE|WRITE_FAILED/) });
    expect(await open.sidecar.close({ abandon: true })).toMatchObject({ threads: 3, items: 8 });
    expect(open.sidecar.state).toBe('closed');
    const salvaged = [open.sick, broken, open.well].map(({ id }) => closed.get(id)?.salvage);
    expect(salvaged.map((path) => (path === undefined ? undefined : ordinalsIn(path)))).toEqual([[2, 3, 4, 5, 6], [1], undefined]);
    expect(await itemsOf(open.well.path)).toEqual([numbered(1)]);
    expect(readdirSync(join(open.sidecar.directory, 'locks'))).toEqual([]);
  });

  test('of a sidecar that failed, since nobody can write: main salvages every thread, and it is closed', async () => {
    const items = upTo(300).map((index) => bad(index, index % 100 === 0 ? 300_000 : 10));
    const open = await lost(items);
    expect(await rejection(open.sidecar.close())).toMatchObject({ code: 'LASTWORD_WRITER_EXITED' });
    const closed = new Map<string, ThreadCloseReceipt>();
    open.sidecar.on('threadClosed', (receipt) => { closed.set(receipt.threadId, receipt); });
    expect(await open.sidecar.close({ abandon: true })).toMatchObject({ threads: 2, items: 302 });
    expect([open.sidecar.state, open.sick.state, [...open.sidecar.liveThreads()]]).toEqual(['closed', 'closed', []]);
    const receipt = closed.get(open.sick.id) as ThreadCloseReceipt;
    expect([receipt.nextOrdinal, closed.get(open.well.id)?.salvage]).toEqual([2, undefined]);
    expectSalvaged(open, receipt, [{ type: 'BREAK' }, ...items]);
    expect(readdirSync(join(open.sidecar.directory, 'locks')).filter((name) => name.endsWith('.lock'))).toEqual([]);
    expect(await rejection(open.sidecar.createThread())).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
  });

  test('of one thread of a sidecar that failed: the same, and the others are left', async () => {
    const open = await lost([bad(0)]);
    expect(await rejection(open.sick.close())).toMatchObject({ code: 'LASTWORD_WRITER_EXITED' });
    const receipt = await open.sick.close({ abandon: true });
    expectSalvaged(open, receipt, [{ type: 'BREAK' }, bad(0)]);
    expect([open.sick.state, open.well.state, open.sidecar.state]).toEqual(['closed', 'failed', 'failed']);
    expect(await open.well.close({ abandon: true })).toMatchObject({ nextOrdinal: 1, salvage: undefined });
  });

  test('of the sidecar on a file system that has become read-only: salvaged elsewhere, closed, and what is left of its leases ends with the process', async () => {
    const sign = join(temporaryFolder(), 'read-only');
    const refuses = `if (fs.existsSync(${JSON.stringify(sign)})) throw Object.assign(new Error('EROFS'), { code: 'EROFS', errno: -30, syscall: 'write' });`;
    const spared = "Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).includes('threadId')";
    const writerUrl = mutantWriter(
      {
        file: 'worker/fs-ops.js', find: 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),',
        replace: `write: (descriptor, bytes, offset, length) => {
          if (!${spared}) { ${refuses} }
          return fs.writeSync(descriptor, bytes, offset, length);
        },`,
      },
      { file: 'worker/fs-ops.js', find: 'unlink: (path) => {', replace: `unlink: (path) => { ${refuses}` },
      { file: 'worker/salvage.js', find: 'dirname(path), parts.temporaryFolder', replace: 'parts.temporaryFolder' },
    );
    const open = await scene({ writerUrl });
    open.sick.append(numbered(0));
    await open.sidecar.flush();
    writeFileSync(sign, '');
    open.sick.append(bad(0));
    expect(await rejection(open.sick.flush())).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { errno: -30 } });
    expect(open.sick.state).toBe('failed');
    const closed = once(open.sidecar, 'threadClosed');
    const receipt = await open.sick.close({ abandon: true });
    expect(await closed).toEqual([receipt]);
    expectSalvaged(open, receipt, [bad(0)]);
    // The lease is this sidecar's still, and so it gets the thread.
    const again = await open.sidecar.resumeThread(open.sick.id);
    expect(again.accepted).toBe(2);
    expect(await open.sidecar.close({ abandon: true })).toMatchObject({ threads: 3 });
    rmSync(receipt.salvage ?? '');
  });

  test('is true or false', async () => {
    const { sidecar, well } = await scene();
    for (const one of [sidecar, well]) {
      expect(await rejection(one.close({ abandon: 'yes' as never }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'abandon', value: 'yes' } });
    }
  });
});

describe('the control: the same tests find', () => {
  const ITEMS = upTo(200).map((index) => bad(index, 100_000));

  test.each<[string, Patch]>([
    ['a writer that lets go of what a failed thread had queued', { file: 'worker/writer.js', find: 'if (file === undefined)\n                continue;', replace: 'if (file === undefined || file.failure !== undefined)\n                continue;' }],
    ['a writer that leaves out what is parked', { file: 'worker/salvage-frames.js', find: 'of ring.parking.frames', replace: 'of []' }],
    ['a writer that takes the line\'s newline along', { file: 'worker/salvage-frames.js', find: 'end - OUTPUT_OFFSET - 1', replace: 'end - OUTPUT_OFFSET' }],
  ])('%s', async (_what, patch) => {
    const open = await failed(ITEMS, patch);
    open.well.append(numbered(0));
    await open.well.flush();
    const found = await open.sick.close({ abandon: true }).then(({ salvage = '' }) => ordinalsIn(salvage)).catch((error: unknown) => error);
    expect(found).not.toEqual(ITEMS.map((_, index) => index + 2));
  });

  test.each<[string, Patch]>([
    ['a writer that salvages only what is parked', { file: 'worker/salvage-frames.js', find: 'for (let isMore = true;', replace: 'for (let isMore = false;' }],
    ['a writer that looks at one batch only', { file: 'worker/salvage-frames.js', find: 'isMore = batch.head', replace: 'isMore = batch === undefined && batch.head' }],
  ])('%s', async (_what, patch) => {
    const { items, sick } = await flooded([patch]);
    const { salvage = '' } = await sick.close({ abandon: true });
    expect(ordinalsIn(salvage)).not.toEqual(items.map((_, index) => index + 2));
  });
});
