/** A file system that has no room, and not a patch that says so. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { importSalvage, type ThreadCloseReceipt } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { itemsOf, openTestSidecar, recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';

/** A folder of so many bytes, until the test is over. */
function smallDisk(bytes: number): string {
  const folder = temporaryFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'lastword-test', folder]);
  onTestFinished(() => { execFileSync('umount', ['-l', folder]); });
  return folder;
}

const canMount = ((): boolean => {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'lastword-test', tmpdir()], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const item = (index: number): { type: string; payload: object } => ({ type: 'event_msg', payload: { index, text: 'x'.repeat(1000 + (index * 37) % 900) } });

describe('a disk that is really full', () => {
  test.skipIf(!canMount)('takes what fits, the rest is salvaged, and put back once there is room: no gap, no duplicate, no glued lines (needs the right to mount)', async () => {
    const directory = smallDisk(512 * 1024);
    const ballast = join(directory, 'ballast');
    writeFileSync(ballast, Buffer.alloc(256 * 1024));
    const sidecar = await openTestSidecar({ directory });
    const threads = [await sidecar.createThread(), await sidecar.createThread(), await sidecar.createThread()];
    const receipts = new Map<string, ThreadCloseReceipt>();
    sidecar.on('threadClosed', (receipt) => { receipts.set(receipt.threadId, receipt); });
    const degraded = once(sidecar, 'degraded');
    for (const index of upTo(300)) for (const thread of threads) thread.append(item(index));
    await degraded;
    expect(await sidecar.close({ abandon: true })).toMatchObject({ threads: 3, items: 900 });
    const salvages = threads.map(({ id }) => receipts.get(id)?.salvage);
    const there = await Promise.all(threads.map(async ({ path }) => (await recordsOf(path)).length - 1));
    expect(salvages.every((salvage) => salvage === undefined || dirname(salvage) === tmpdir())).toBe(true);
    expect(there.some((records) => records > 0)).toBe(true);
    expect(there.filter((records) => records < 300).length).toBe(salvages.filter((salvage) => salvage !== undefined).length);
    rmSync(ballast);
    execFileSync('mount', ['-o', 'remount,size=4M', directory]);
    for (const [which, salvage] of salvages.entries()) {
      if (salvage === undefined) continue;
      expect(await importSalvage(salvage, directory)).toEqual({ records: 300 - (there[which] ?? 0), alreadyThere: 0 });
      rmSync(salvage);
    }
    for (const { path } of threads) expect(await itemsOf(path)).toEqual(upTo(300).map(item));
  });
});
