/** P10: the writer's worker dies at random moments of a host's life, in every way there is; the host notices nothing but an event. */
import { expect, test } from 'vitest';
import { dieOften } from '../support/crash/deaths.js';
import type { Patch } from '../support/mutants.js';
import { SEED } from '../support/random.js';
import { counted } from '../support/trials.js';

/** A mutant is to be found among so many. */
const TRIALS_CONTROL = 60;
const TRIALS = Number(process.env['LASTWORD_DEATHS'] ?? 40);

test(`P10: writers that die at random, ${TRIALS} times over, lose and double nothing, answer every call, and leave nothing behind`, async ({ task }) => {
  const trials = await dieOften(TRIALS, SEED);
  counted(task, TRIALS);
  const ways = new Map<string, number>();
  for (const way of trials.flatMap((trial) => trial.ways)) ways.set(way, (ways.get(way) ?? 0) + 1);
  console.log([...ways].map(([way, count]) => `${way}: ${count}`).join('; '));
  expect(trials.filter(({ complaints }) => complaints.length > 0)).toEqual([]);
  expect(ways.size, 'ways to die').toBe(7);
});

test.each<[string, Patch, RegExp]>([
  ['a successor that believes the watermark', { file: 'worker/writer.js', find: 'takeOverEnd(fs, file, descriptor, held);', replace: 'file.found({ wholeBytes: fs.size(descriptor), isNumbered: true }, file.written, held);' }, /duplicate|its ordinals on disk/],
  ['a successor that leaves the torn line', { file: 'worker/takeover.js', find: 'makeWhole(fs, descriptor, end)', replace: 'fs.size(descriptor)' }, /cannot be read|records on disk|deaths|rejected/],
  ['a sidecar that does not send commands again', { file: 'src/control/writer-link.js', find: 'if (!isExit(error) || peer === this.#peer)', replace: 'if (true)' }, /LASTWORD_WRITER_EXITED/],
])('P10, the control: %s', async (_what, patch, complaint) => {
  const trials = await dieOften(TRIALS_CONTROL, SEED, { patches: [patch], found: complaint });
  console.log(`found in trial ${trials.length}`);
  expect(trials.flatMap(({ complaints }) => complaints).join('\n')).toMatch(complaint);
});
