/** SIGKILL at any moment, under any load: what was written is there, and the rest is as if it had never been appended. */
import { expect, test } from 'vitest';
import { killOften, type Killed } from '../support/crash/kills.js';
import { mutantPackage, mutantWriter } from '../support/mutants.js';
import { counted } from '../support/trials.js';
import { SEED } from '../support/random.js';

const KILLS = 50;
/** Of those that a control must find something in. */
const CONTROL_KILLS = 6;

const complained = (killed: readonly Killed[]): string => killed.flatMap(({ complaints }) => complaints).join('\n');

test('P4 P6 P7: a host killed at a random moment leaves everything written, and whole lines once it is opened again', async ({ task }) => {
  counted(task, KILLS);
  const killed = await killOften(KILLS, SEED);
  expect(killed.filter(({ complaints }) => complaints.length > 0)).toEqual([]);
  expect(killed.filter(({ written }) => written > 10).length, 'hosts that had written something').toBeGreaterThan(KILLS / 2);
});

test('P4, the control: a writer that says that it has written what it keeps back', async () => {
  const { href } = mutantWriter(
    { file: 'worker/group-output.js', find: 'file.append(fs, this.descriptor, this.#memory.bytes, OUTPUT_OFFSET, length);', replace: '' },
    { file: 'worker/writer.js', find: 'if (file.isUncut(state.size))\n            file.cutBack(fs, descriptor);\n        else if (!file.isUntouched(state) && !isInPlace(file))\n            return false;', replace: '' },
  );
  expect(complained(await killOften(CONTROL_KILLS, SEED, { writerUrl: href }))).toMatch(/records are written, and the file has/);
});

test('P7, the control: a recovery that leaves a torn end', async () => {
  const { lastwordUrl } = mutantPackage({ file: 'worker/recovery/resume-rollout.js', find: 'if (tornBytes > 0)', replace: 'if (tornBytes < 0)' });
  // A write of a megabyte is cut short by almost every kill.
  const killed = await killOften(CONTROL_KILLS, SEED, { itemBytes: 512 * 1024, shape: 'burst' }, { lastwordUrl });
  expect(complained(killed)).toMatch(/opened again/);
});

test('P7, the control: a recovery that keeps no torn bytes', async () => {
  const { lastwordUrl } = mutantPackage({ file: 'worker/recovery/resume-rollout.js', find: 'done += writeAll(fs, descriptor, bytes);', replace: 'done += bytes.length;' });
  const killed = await killOften(CONTROL_KILLS, SEED, { itemBytes: 512 * 1024, shape: 'burst' }, { lastwordUrl });
  expect(complained(killed)).toMatch(/the torn bytes are not kept/);
});
