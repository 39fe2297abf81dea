/**
 * A random load with random faults for some minutes: hosts that are killed or close, one after the other over one directory, with writers
 * that die, calls that fail, disks that are full, and files that others change. LASTWORD_SEED draws the same again, LASTWORD_SOAK_MINUTES for longer.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mutantPackage } from '../support/mutants.js';
import { SEED } from '../support/random.js';
import { temporaryFolder } from '../support/sidecars.js';
import { soak } from '../support/soak/soak.js';
import { counted } from '../support/trials.js';

const MINUTES = Number(process.env['LASTWORD_SOAK_MINUTES'] ?? 10);
/** Until the control must be found. */
const CONTROL_MINUTES = 3;
const TIMEOUT_MS = (MINUTES + CONTROL_MINUTES + 5) * 60_000;

test('P1 P2 P4 P7 P10 P13: whatever is done to threads while whatever fails, nothing written is lost, and nothing is left behind', { timeout: TIMEOUT_MS }, async ({ task }) => {
  const soaked = await soak({ directory: join(temporaryFolder(), 'root'), seed: SEED, ms: MINUTES * 60_000 });
  console.log(`${soaked.rounds} processes, ${soaked.killed.length} killed, ${soaked.restarts} writers that died, ${soaked.written} records looked for`);
  expect(soaked.complaints).toEqual([]);
  expect(soaked.killed.length).toBeGreaterThan(0);
  counted(task, soaked.rounds);
});

test('P1 P4 P10, the control: a library that loses a record when it takes over from a dead writer is found within minutes', { timeout: TIMEOUT_MS }, async () => {
  const mutant = mutantPackage({
    file: 'worker/takeover.js', find: 'writer.findEnd(file);', replace: 'writer.findEnd(file);\n        if (file.written < accepted)\n            file.written += 1;',
  });
  const soaked = await soak({ directory: join(temporaryFolder(), 'root'), seed: SEED, ms: CONTROL_MINUTES * 60_000, flavours: ['deaths'], ...mutant });
  console.log(`after ${soaked.rounds} processes: ${soaked.complaints.join('; ')}`);
  expect(soaked.complaints).not.toEqual([]);
});
