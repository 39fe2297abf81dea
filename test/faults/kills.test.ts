/** What `test/crash` has in small: 1,000 kills at random moments, one at every system call, and every error at every call. */
import { expect, test } from 'vitest';
import { ERRORS, failEveryCall } from '../support/crash/errors.js';
import { killOften } from '../support/crash/kills.js';
import { ALL_CALLS, faultAtEveryCall, hasStrace } from '../support/crash/strace.js';
import { SEED } from '../support/random.js';
import { counted } from '../support/trials.js';

const KILLS = 1_000;

test('P4 P6 P7: hosts killed at random moments leave everything written, and whole lines once they are opened again', async ({ task }) => {
  counted(task, KILLS);
  const killed = await killOften(KILLS, SEED);
  expect(killed.filter(({ complaints }) => complaints.length > 0)).toEqual([]);
});

test('P4 P7: a host killed at any system call, those that change nothing too', async ({ skip, task }) => {
  if (!hasStrace()) skip('no strace');
  const killed = await faultAtEveryCall({ calls: ALL_CALLS, fault: 'signal=SIGKILL' });
  counted(task, killed.length);
  expect(killed.filter(({ complaints, end }) => complaints.length > 0 || end !== 'SIGKILL')).toEqual([]);
});

test('P1 P9: whichever system call fails, with each of the errors, nothing accepted is lost and no level is false', async ({ task }) => {
  const { outcomes } = await failEveryCall(() => [false, true].flatMap((isPersistent) => ERRORS.map((_, error) => ({ isPersistent, error }))));
  counted(task, outcomes.length);
  expect(outcomes.filter(({ complaints }) => complaints.length > 0)).toEqual([]);
});
