/** A file system that is full, and then is not: on a small tmpfs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sidecar } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mutantWriter } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { counted } from '../support/trials.js';
import { itemsOf, openTestSidecar, temporaryFolder, until, upTo } from '../support/sidecars.js';

const TRIALS = 5;
const DISK_KIB = 512;

function mountable(): boolean {
  if (process.getuid?.() !== 0) return false;
  return spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
}

/** A disk of its own for this test. */
function smallDisk(): string {
  const folder = temporaryFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_KIB}k`, 'tmpfs', folder]);
  onTestFinished(() => { execFileSync('umount', ['-l', folder]); });
  return folder;
}

const item = (index: number, bytes: number): { type: string; payload: object } => ({ type: 'event_msg', payload: { index, text: 'x'.repeat(bytes) } });

/** Fills the disk but for a part of the items, lets them queue, frees it. Returns what was accepted and what is there. */
async function fillAndFree(seed: number, writerUrl?: URL): Promise<{ accepted: object[]; found: object[]; told: string[] }> {
  const next = randomFrom(seed);
  const disk = smallDisk();
  const sidecar: Sidecar = await openTestSidecar({ directory: join(disk, 'root'), overflowBytes: 1 << 20, itemBytesMax: 64 * 1024, ...writerUrl === undefined ? {} : { writerUrl } });
  const told: string[] = [];
  sidecar.on('degraded', ({ error }) => { told.push(`degraded ${error.context.errno}`); });
  sidecar.on('recovered', () => { told.push('recovered'); });
  const thread = await sidecar.createThread();
  const ballast = join(disk, 'ballast');
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - next(40_000) - 8192)));
  const accepted = upTo(100).map((index) => item(index, 1 + next(2000)));
  for (const one of accepted) thread.append(one);
  await until(() => told.length > 0, 'a full disk');
  rmSync(ballast);
  await thread.flush().catch(() => undefined);
  await until(() => told.length > 1, 'room', 3_000).catch(() => undefined);
  await thread.close({ timeoutMs: 3_000 }).catch(() => undefined);
  expect(existsSync(thread.path)).toBe(true);
  return { accepted, found: await itemsOf(thread.path).catch(() => []), told };
}

describe.skipIf(!mountable())('a disk that is full for a while', () => {
  test('P1 P2: ends in no gap and no torn line, and events degraded and recovered come once', async ({ task }) => {
    counted(task, TRIALS);
    for (const trial of upTo(TRIALS)) {
      const { accepted, found, told } = await fillAndFree(SEED + trial);
      expect(told).toEqual(['degraded -28', 'recovered']);
      expect(found).toEqual(accepted);
    }
  });

  test('P1, the control: a writer that does not cut back what the full disk took of a write', async () => {
    const writerUrl = mutantWriter({ file: 'worker/rollout-file.js', find: 'fs.truncate(descriptor, this.wholeBytes);', replace: '' });
    const { accepted, found } = await fillAndFree(SEED, writerUrl);
    expect(found).not.toEqual(accepted);
  });
});
