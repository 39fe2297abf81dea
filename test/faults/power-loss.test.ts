/** Power that is lost: what was told to be synced is there on every disk that may be left. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type TestContext } from 'vitest';
import { complaintsAfterCrash } from '../support/crash/check.js';
import { DroppingDisk, lackOf, mounted, RecordedDisk } from '../support/crash/disks.js';
import { NEVER_SYNCS } from '../support/crash/never-syncs.js';
import { startHost, type Load } from '../support/crash/run.js';
import { mutantWriter } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { temporaryFolder } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

const RECORDINGS = 4;
const STATES_EACH = 125;
const STATES_CONTROL = 30;
const LOSSES = 40;
const RECORDING_MS = 2_500;
/** So many syncs make commits of which each holds every name. */
const COMMITS_MANY = 100;

function skipUnless({ skip }: TestContext, lack: string | undefined): void {
  if (lack !== undefined) skip(lack);
}

const loadOf = (directory: string, seed: number, more: Partial<Load>): Load => ({
  directory, seed, threads: 2, shape: 'loop', itemBytes: 300, flushEach: 4, durability: 'synced', itemsMax: 1e9, options: { syncIntervalMs: 5 }, ...more,
});

/**
 * Undefined where the file system itself is lost. It cannot be mounted, as its superblock was torn; or it is as it was when it was made,
 * without a single one of the commits that hundreds of syncs were told of: its journal was not replayed. The names of the files were in
 * each of them, so this says nothing of the library, which loses names on other disks here.
 */
interface State { readonly cut: number; readonly synced: number; readonly complaints: string[] | undefined }

/** A host under load on a recorded disk, and disks as they may be after a loss of power at any moment of it. */
async function crashStates(seed: number, states: number, writerUrl?: string): Promise<State[]> {
  const at = temporaryFolder();
  const disk = new RecordedDisk(at);
  await disk.mount();
  const next = randomFrom(seed);
  const shape = (['loop', 'burst'] as const)[next(2)] ?? 'loop';
  const host = startHost(loadOf(join(disk.folder, 'root'), seed, { tellPath: disk.mark, shape, writerUrl }));
  await new Promise((resolve) => { setTimeout(resolve, RECORDING_MS); });
  host.child.kill('SIGKILL');
  await host.ended;
  const events = await disk.unmount();
  const found: State[] = [];
  for (let state = 0; state < states; state += 1) {
    const cut = next(events.length + 1);
    const image = join(at, 'crash.img');
    const told = disk.crash(events, cut, next, image);
    told.paths = told.paths.map((path) => path.replace(disk.folder, join(at, 'after')));
    const synced = told.synced.reduce((sum, each) => sum + each, 0);
    const complaints = await mounted(image, join(at, 'after'), () => {
      const directory = join(at, 'after', 'root');
      if (synced > COMMITS_MANY && !existsSync(directory)) return Promise.resolve(undefined);
      return complaintsAfterCrash(directory, { told, level: 'synced' });
    });
    found.push({ cut, synced, complaints });
  }
  return found;
}

test('P3 P7: ext4, any part of what was not flushed lost or torn: everything synced is there, and threads are whole once opened again', async (context) => {
  skipUnless(context, lackOf({ hasFuse: true, programs: ['losetup', 'mkfs.ext4'] }));
  counted(context.task, RECORDINGS * STATES_EACH);
  for (let recording = 0; recording < RECORDINGS; recording += 1) {
    const states = await crashStates(SEED + recording, STATES_EACH);
    expect(states.filter(({ complaints }) => complaints !== undefined && complaints.length > 0)).toEqual([]);
    const lost = states.filter(({ complaints }) => complaints === undefined);
    console.log(`${lost.length} of ${STATES_EACH} states without a file system, ${lost.filter(({ synced }) => synced > COMMITS_MANY).length} of them after hundreds of commits`);
    expect(lost.length, 'states without a file system').toBeLessThan(STATES_EACH / 20);
    expect(states.filter(({ synced }) => synced > 10).length, 'states with something synced').toBeGreaterThan(STATES_EACH / 2);
  }
});

test('P3, the control: ext4 under a writer that says synced and has not synced', async (context) => {
  skipUnless(context, lackOf({ hasFuse: true, programs: ['losetup', 'mkfs.ext4'] }));
  const states = await crashStates(SEED, STATES_CONTROL, mutantWriter(...NEVER_SYNCS).href);
  expect(states.filter(({ complaints }) => complaints?.some((one) => one.includes('synced'))).length).toBeGreaterThan(STATES_CONTROL / 2);
});

/** A host on a disk that forgets everything that was not synced, the names of files too, when the host is killed. */
async function loseNames(seed: number, writerUrl?: string): Promise<State> {
  const next = randomFrom(seed);
  const disk = new DroppingDisk(temporaryFolder());
  await disk.mount();
  const directory = join(disk.folder, 'root');
  const host = startHost(loadOf(directory, seed, { threads: 1 + next(4), shape: 'paced', writerUrl }));
  await host.ready;
  await new Promise((resolve) => { setTimeout(resolve, next(600)); });
  host.child.kill('SIGKILL');
  const { told } = await host.ended;
  disk.losePower();
  const synced = told.synced.reduce((sum, each) => sum + each, 0);
  return { cut: 0, synced, complaints: await complaintsAfterCrash(directory, { told, level: 'synced' }) };
}

async function loseNamesOften(times: number, writerUrl?: string): Promise<State[]> {
  const states: State[] = [];
  for (let loss = 0; loss < times; loss += 1) states.push(await loseNames(SEED + loss, writerUrl));
  return states;
}

test('P3: names that no sync covered are lost: every thread with something synced is found', async (context) => {
  skipUnless(context, lackOf({ hasFuse: true }));
  counted(context.task, LOSSES);
  const states = await loseNamesOften(LOSSES);
  expect(states.filter(({ complaints }) => complaints !== undefined && complaints.length > 0)).toEqual([]);
  expect(states.filter(({ synced }) => synced > 2).length, 'losses with something synced').toBeGreaterThan(LOSSES / 2);
});

test('P3, the control: a writer that syncs files and not the folders that name them', async (context) => {
  skipUnless(context, lackOf({ hasFuse: true }));
  const [, noFolders] = NEVER_SYNCS;
  const states = await loseNamesOften(4, noFolders === undefined ? undefined : mutantWriter(noFolders).href);
  expect(states.flatMap(({ complaints }) => complaints ?? []).join()).toMatch(/and it is gone/);
});
