/** A device whose writes fail: what was told to be synced is on it, whatever the page cache shows and whatever the file system says. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, type TestContext } from 'vitest';
import { complaintsAfterCrash } from '../support/crash/check.js';
import { FailingDisk, lackOf, PYTHON } from '../support/crash/disks.js';
import { startHost, startProgram } from '../support/crash/run.js';
import { mutantWriter } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { temporaryFolder } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

/** Of the device's writes, while it fails. */
const PERCENTS = process.env['LASTWORD_FAILING_PERCENT']?.split(',').map(Number) ?? [5, 10, 30, 60, 100];
const JOURNALS = ['inside', 'apart'] as const;
const TRIALS = Number(process.env['LASTWORD_FAILING_TRIALS'] ?? 4 * PERCENTS.length);
const TRIALS_CONTROL = 6;
const LACK = lackOf({ hasFuse: true, programs: ['nbdkit', 'nbdfuse', 'losetup', 'mkfs.ext4'] });

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

interface Device { readonly percent: number; readonly journal: (typeof JOURNALS)[number] }

interface Trial extends Device { readonly seed: number; readonly isHealed: boolean; readonly synced: number; readonly complaints: string[] }

/** A host on a device that fails some time later, and may be well again before the host is killed. */
async function failOnce(seed: number, { percent, journal }: Device, writerUrl?: string): Promise<Trial> {
  const next = randomFrom(seed);
  const disk = new FailingDisk(temporaryFolder());
  await disk.mount(percent, journal);
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
  const complaints = await complaintsAfterCrash(directory, { told, level: 'synced' });
  disk.release();
  return { seed, percent, journal, isHealed, synced: told.synced.reduce((sum, each) => sum + each, 0), complaints };
}

async function failOften(times: number, deviceOf: (trial: number) => Device, writerUrl?: string): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (let trial = 0; trial < times; trial += 1) trials.push(await failOnce(SEED + trial, deviceOf(trial), writerUrl));
  return trials;
}

/** A transaction with the end of a rollout cannot be committed, because of a sync of another file; then the rollout is synced. */
async function stopJournal(writerUrl?: string): Promise<{ codes: string[]; synced: number[]; complaints: string[] }> {
  const at = temporaryFolder();
  const disk = new FailingDisk(at);
  await disk.mount(100);
  const directory = join(disk.folder, 'root');
  const [host, stop] = ['stopped-journal.mjs', 'stop-journal.py'].map((name) => fileURLToPath(new URL(name, import.meta.url))) as [string, string];
  const load = { directory, writerUrl, stop: [PYTHON, stop, '<rollout>', join(disk.folder, 'neighbour'), disk.sign] };
  const { told } = await startProgram([process.execPath, host, JSON.stringify(load)]).ended;
  disk.remount();
  const { codes } = told as typeof told & { codes: string[] };
  return { codes, synced: told.synced, complaints: await complaintsAfterCrash(directory, { told, level: 'synced' }) };
}

function skipUnlessThere({ skip }: TestContext): void {
  if (LACK !== undefined) skip(LACK);
}

test('P9 P3: a device that fails: what was told to be synced is on it when it is mounted again', async (context) => {
  skipUnlessThere(context);
  counted(context.task, TRIALS);
  const deviceOf = (trial: number): Device => ({ percent: PERCENTS[trial % PERCENTS.length] ?? 100, journal: JOURNALS[Math.floor(trial / PERCENTS.length) % 2] ?? 'inside' });
  const trials = await failOften(TRIALS, deviceOf);
  expect(trials.filter(({ complaints }) => complaints.length > 0)).toEqual([]);
  expect(trials.filter(({ synced }) => synced > 2).length, 'trials with something synced').toBeGreaterThan(TRIALS / 2);
});

test('P9, the control: a writer that syncs again until it succeeds', async (context) => {
  skipUnlessThere(context);
  const { href } = mutantWriter({
    file: 'worker/fs-ops.js', find: 'syncFile: (descriptor) => datasync(descriptor),',
    replace: 'syncFile: (descriptor) => { const again = (tries) => datasync(descriptor).catch((error) => { if (tries > 20) throw error; return again(tries + 1); }); return again(0); },',
  });
  // Its journal goes on, so that the next sync succeeds.
  const trials = await failOften(TRIALS_CONTROL, () => ({ percent: 30, journal: 'apart' }), href);
  expect(trials.filter(({ complaints }) => complaints.join().includes('records are synced')).length).toBeGreaterThan(0);
});

test('P3 P9: ext4 whose journal has stopped, and says that syncs succeed: nothing is told to be synced that is not', async (context) => {
  skipUnlessThere(context);
  expect(await stopJournal()).toEqual({ codes: ['LASTWORD_SYNC_FAILED'], synced: [2], complaints: [] });
});

test('P3, the control: a writer that takes the word of ext4 for it', async (context) => {
  skipUnlessThere(context);
  const { href } = mutantWriter({ file: 'worker/confirmations.js', find: '            ended.some(({ descriptor }) => this.#fs.confirmSyncs(descriptor));\n', replace: '' });
  const { codes, synced, complaints } = await stopJournal(href);
  expect([codes, synced]).toEqual([['none'], [3]]);
  expect(complaints.join()).toMatch(/records are synced/);
});
