/** A device whose writes fail: what was told to be synced is on it, whatever the page cache shows. */
import { join } from 'node:path';
import { expect, test, type TestContext } from 'vitest';
import { complaintsAfterCrash } from '../support/crash/check.js';
import { FailingDisk, lackOf } from '../support/crash/disks.js';
import { startHost } from '../support/crash/run.js';
import { mutantWriter } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { temporaryFolder } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

const TRIALS = 20;
const TRIALS_CONTROL = 6;
/** Of the device's writes, while it fails. Below 100, ext4's own writes fail in part too: see docs/reliability.md. */
const FAILING_PERCENT = Number(process.env['LASTWORD_FAILING_PERCENT'] ?? 100);
const LACK = lackOf({ hasFuse: true, programs: ['nbdkit', 'nbdfuse', 'losetup', 'mkfs.ext4'] });

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

interface Trial { readonly seed: number; readonly isHealed: boolean; readonly synced: number; readonly complaints: string[] }

/** A host on a device that fails some time later, and may be well again before the host is killed. */
async function failOnce(seed: number, percent: number, writerUrl?: string): Promise<Trial> {
  const next = randomFrom(seed);
  const disk = new FailingDisk(temporaryFolder());
  await disk.mount(percent);
  const directory = join(disk.folder, 'root');
  const host = startHost({
    directory, seed, threads: 2, shape: 'paced', itemBytes: 300, flushEach: 4, durability: 'synced', itemsMax: 1e9, options: { syncIntervalMs: 10 }, writerUrl,
  });
  await host.ready;
  await pause(200 + next(300));
  disk.fail();
  await pause(200 + next(800));
  const isHealed = next(2) === 0;
  if (isHealed) {
    disk.heal();
    await pause(500);
  }
  host.child.kill('SIGKILL');
  const { told } = await host.ended;
  disk.remount();
  return { seed, isHealed, synced: told.synced.reduce((sum, each) => sum + each, 0), complaints: await complaintsAfterCrash(directory, { told, level: 'synced' }) };
}

async function failOften(times: number, percent: number, writerUrl?: string): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (let trial = 0; trial < times; trial += 1) trials.push(await failOnce(SEED + trial, percent, writerUrl));
  return trials;
}

function skipUnlessThere({ skip }: TestContext): void {
  if (LACK !== undefined) skip(LACK);
}

test('P9 P3: a device that fails: what was told to be synced is on it when it is mounted again', async (context) => {
  skipUnlessThere(context);
  counted(context.task, TRIALS);
  const trials = await failOften(TRIALS, FAILING_PERCENT);
  expect(trials.filter(({ complaints }) => complaints.length > 0)).toEqual([]);
  expect(trials.filter(({ synced }) => synced > 2).length, 'trials with something synced').toBeGreaterThan(TRIALS / 2);
});

test('P9, the control: a writer that syncs again until it succeeds', async (context) => {
  skipUnlessThere(context);
  const { href } = mutantWriter({
    file: 'worker/fs-ops.js', find: 'syncFile: (descriptor) => datasync(descriptor),',
    replace: 'syncFile: (descriptor) => { const again = (tries) => datasync(descriptor).catch((error) => { if (tries > 20) throw error; return again(tries + 1); }); return again(0); },',
  });
  const trials = await failOften(TRIALS_CONTROL, 30, href);
  expect(trials.flatMap(({ complaints }) => complaints).join()).toMatch(/records are synced/);
});
