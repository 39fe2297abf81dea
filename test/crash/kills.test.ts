/** SIGKILL at any moment, under any load: what was written is there, and the rest is as if it had never been appended. */
import { expect, test } from 'vitest';
import { killOften } from '../support/crash/kills.js';
import { mutantPackage, mutantWriter } from '../support/mutants.js';
import { counted } from '../support/trials.js';
import { SEED } from '../support/random.js';

const KILLS = 50;
/** At a time, until a control finds something: where a kill falls is the machine's to decide. */
const CONTROL_KILLS = 6;
/** Thirty kills were too few once, with other tests beside them. Most controls end with the first rounds. */
const CONTROL_ROUNDS = 25;

/** What is complained of, from the first round on in which that is what is looked for. */
async function complained(pattern: RegExp, ...[options, more]: [Parameters<typeof killOften>[2]?, Parameters<typeof killOften>[3]?]): Promise<string> {
  let said = '';
  for (let round = 0; round < CONTROL_ROUNDS && !pattern.test(said); round += 1) {
    const killed = await killOften(CONTROL_KILLS, SEED + round, options, more);
    said = killed.flatMap(({ complaints }) => complaints).join('\n');
  }
  return said;
}

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
  const found = /records are written, and the file has/;
  expect(await complained(found, { writerUrl: href })).toMatch(found);
});

test('P7, the control: a recovery that leaves a torn end', async () => {
  const { lastwordUrl } = mutantPackage({ file: 'worker/recovery/resume-rollout.js', find: 'if (tornBytes > 0)', replace: 'if (tornBytes < 0)' });
  // A write of a megabyte is cut short by a kill that falls into it.
  const found = /opened again/;
  expect(await complained(found, { itemBytes: 512 * 1024, shape: 'burst' }, { lastwordUrl })).toMatch(found);
});

test('P7, the control: a recovery that keeps no torn bytes', async () => {
  const { lastwordUrl } = mutantPackage({ file: 'worker/recovery/resume-rollout.js', find: 'done += writeAll(fs, descriptor, bytes);', replace: 'done += bytes.length;' });
  const found = /the torn bytes are not kept/;
  expect(await complained(found, { itemBytes: 512 * 1024, shape: 'burst' }, { lastwordUrl })).toMatch(found);
});
