/** SIGKILL at every system call of a small run: one that resumes, creates, appends, syncs, archives, deletes and closes. */
import { describe, expect, test } from 'vitest';
import { CHANGING, faultAtEveryCall, hasStrace } from '../support/crash/strace.js';
import { counted } from '../support/trials.js';
import { mutantWriter } from '../support/mutants.js';

const KILL = { calls: CHANGING, fault: 'signal=SIGKILL' };

describe.skipIf(!hasStrace())('a host killed at a system call', () => {
  test('P4 P7: leaves everything written, and threads that are whole once they are opened again, whichever call it was', async ({ task }) => {
    const killed = await faultAtEveryCall(KILL);
    counted(task, killed.length);
    expect(killed.filter(({ complaints, end }) => complaints.length > 0 || end !== 'SIGKILL')).toEqual([]);
    // Every kind of call that the library makes was met.
    expect([...new Set(killed.map(({ call }) => call))].sort()).toEqual(['fdatasync', 'fsync', 'ftruncate', 'link', 'mkdir', 'rename', 'unlink', 'write']);
    expect(killed.length).toBeGreaterThan(40);
  });

  test('P4, the control: a header that gets its name before it is written', async () => {
    const file = 'worker/create-rollout.js';
    const { href } = mutantWriter(
      { file, find: 'const bytes = writeHeader(', replace: 'fs.link(temporary, command.path);\n        const bytes = writeHeader(' },
      { file, find: 'fs.link(temporary, path);', replace: '' },
    );
    const killed = await faultAtEveryCall({ ...KILL, calls: ['write'], writerUrl: href });
    expect(JSON.stringify(killed)).toMatch(/LASTWORD_ROLLOUT_CORRUPT/);
  });

  test('P7, the control: an archive that takes the old name away first', async () => {
    const { href } = mutantWriter({
      file: 'worker/stored-rollouts.js', find: 'fs.link(path, to);', replace: 'fs.link(path, `${to}.moving`), fs.unlink(path), fs.rename(`${to}.moving`, to), fs.link(to, path);',
    });
    const killed = await faultAtEveryCall({ ...KILL, calls: ['rename'], writerUrl: href });
    expect(killed.flatMap(({ complaints }) => complaints).join()).toMatch(/and it is gone/);
  });
});
