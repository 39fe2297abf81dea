/**
 * Every system call of the writer in a small run fails, once or from there on until the disk is well again: what fails says
 * so, typed; nothing is said to be written or synced that is not; and everything accepted is there in the end.
 */
import { expect, test } from 'vitest';
import { ERRORS, failEveryCall, type Choose } from '../support/crash/errors.js';
import { counted } from '../support/trials.js';
import { mutantWriter } from '../support/mutants.js';

/** Each call once and for some time, with one of the errors after the other; `npm run test:faults` has all of them at each. */
const inTurn: Choose = ({ at }) => [false, true].map((isPersistent) => ({ isPersistent, error: (at + Number(isPersistent)) % ERRORS.length }));

test('P1 P9: whichever system call fails, with EIO, ENOSPC or EACCES, nothing accepted is lost and no level is false', async ({ task }) => {
  const { calls, outcomes } = await failEveryCall(inTurn);
  counted(task, outcomes.length);
  expect(outcomes.filter(({ complaints }) => complaints.length > 0).map(({ fault, complaints }) => ({ ...fault, call: calls[fault.at - 1], complaints }))).toEqual([]);
  // Almost all of those that were to fail did: a call may come to nothing when an earlier one takes longer.
  expect(outcomes.filter(({ failed }) => failed === 0).length).toBeLessThan(outcomes.length / 20);
  expect(new Set(calls).size, 'kinds of calls').toBeGreaterThan(12);
});

test('P9, the control: a writer that syncs a file again whose sync has failed', async () => {
  const { href } = mutantWriter({
    file: 'worker/fs-ops.js', find: 'syncFile: (descriptor) => datasync(descriptor),', replace: 'syncFile: (descriptor) => datasync(descriptor).catch(() => datasync(descriptor)),',
  });
  const { outcomes } = await failEveryCall(({ kind }) => (kind === 'fdatasync' ? [{ isPersistent: false, error: 0 }] : []), href);
  expect(outcomes.flatMap(({ complaints }) => complaints)).toContain('a file was synced again whose sync had failed');
});

test('P1, the control: a writer that does not cut back what a failed write has left', async () => {
  const { href } = mutantWriter({ file: 'worker/rollout-file.js', find: 'fs.truncate(descriptor, this.wholeBytes);', replace: '' });
  const { outcomes } = await failEveryCall(({ kind }) => (kind === 'write' ? [{ isPersistent: false, error: 1 }] : []), href);
  expect(outcomes.flatMap(({ complaints }) => complaints).join()).toMatch(/ENOSPC may pass/);
});
