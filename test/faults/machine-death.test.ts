/** A kernel that is killed, with a host on it: user-mode Linux with a disk of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, type TestContext } from 'vitest';
import { complaintsAfterCrash } from '../support/crash/check.js';
import { lackOf, makeImage, mounted, run } from '../support/crash/disks.js';
import { CRASH_HOST, hear, nothingTold, type Load } from '../support/crash/run.js';
import { NEVER_SYNCS } from '../support/crash/never-syncs.js';
import { mutantWriter } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { temporaryFolder } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

const KILLS = Number(process.env['LASTWORD_MACHINE_KILLS'] ?? 100);
const KILLS_CONTROL = 3;
/** Until the host has said something. */
const START_MS = 60_000;
const MEBIBYTES = 256;
const INIT = fileURLToPath(new URL('uml-init.sh', import.meta.url));
const LACK = lackOf({ programs: ['linux.uml', 'mkfs.ext4'] });

interface Trial { readonly synced: number; readonly complaints: string[] }

async function killMachine(at: string, base: string, seed: number, writerUrl?: string): Promise<Trial> {
  const next = randomFrom(seed);
  const [image, tellPath] = [join(at, 'disk.img'), join(at, 'told')];
  run('cp', '--sparse=always', base, image);
  writeFileSync(tellPath, '');
  const load: Load = {
    directory: '/run/disk/root', seed, threads: 2, shape: 'loop', itemBytes: 300, flushEach: 4, durability: 'synced', itemsMax: 1e9,
    options: { syncIntervalMs: 5, ringBytes: 256 * 1024, overflowBytes: 1 << 20, itemBytesMax: 64 * 1024 }, tellPath, writerUrl,
  };
  writeFileSync(join(at, 'load.json'), JSON.stringify(load));
  writeFileSync(join(at, 'program'), process.execPath);
  writeFileSync(join(at, 'host'), CRASH_HOST);
  writeFileSync(join(at, 'hostname'), hostname());
  const args = ['mem=512M', 'rootfstype=hostfs', 'rootflags=/', 'rw', `init=${INIT}`, `WD=${at}`, `ubd0=${image}`, 'con=null', 'con0=null,fd:1', 'con1=null', 'ssl=null', 'quiet'];
  const machine = spawn('linux.uml', args, { cwd: at, detached: true, stdio: ['ignore', 'ignore', 'ignore'] });
  const ended = once(machine, 'exit');
  const kill = (): void => {
    try {
      process.kill(-(machine.pid ?? 0), 'SIGKILL');
    } catch (error) {
      // All of it has ended.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  onTestFinished(kill);
  const deadline = performance.now() + START_MS;
  while (!readFileSync(tellPath, 'utf8').includes('synced')) {
    if (performance.now() > deadline) throw new Error('the machine did not start');
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  await new Promise((resolve) => { setTimeout(resolve, next(900)); });
  kill();
  await ended;
  const told = nothingTold();
  for (const line of readFileSync(tellPath, 'utf8').split('\n')) hear(told, line);
  told.paths = told.paths.map((path) => path.replace('/run/disk', join(at, 'after')));
  const complaints = await mounted(image, join(at, 'after'), () => complaintsAfterCrash(join(at, 'after', 'root'), { told, level: 'synced' }));
  return { synced: told.synced.reduce((sum, each) => sum + each, 0), complaints: complaints ?? ['the file system is gone'] };
}

async function killOften(times: number, writerUrl?: string): Promise<Trial[]> {
  const at = temporaryFolder();
  const base = join(at, 'base.img');
  makeImage(base, MEBIBYTES);
  const trials: Trial[] = [];
  for (let trial = 0; trial < times; trial += 1) trials.push(await killMachine(at, base, SEED + trial, writerUrl));
  return trials;
}

function skipUnlessThere({ skip }: TestContext): void {
  if (LACK !== undefined) skip(LACK);
}

test('P3 P7: a machine that is killed: what was told to be synced is on its disk', async (context) => {
  skipUnlessThere(context);
  counted(context.task, KILLS);
  const trials = await killOften(KILLS);
  expect(trials.filter(({ complaints }) => complaints.length > 0)).toEqual([]);
  expect(trials.filter(({ synced }) => synced > 2).length, 'machines with something synced').toBeGreaterThan(KILLS / 2);
});

test('P3, the control: a machine that is killed under a writer that says synced and has not synced', async (context) => {
  skipUnlessThere(context);
  const trials = await killOften(KILLS_CONTROL, mutantWriter(...NEVER_SYNCS).href);
  expect(trials.flatMap(({ complaints }) => complaints).join()).toMatch(/synced/);
});
