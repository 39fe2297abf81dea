/** Every thread is closed while items come in: what was accepted is on disk, what came late is counted, and nothing is left behind. */
import { describe, expect, test } from 'vitest';
import { closeUnderLoad, type LoadOutcome } from '../support/closing-load.js';
import { DROPS_A_FRAME, mutantWriter, type Patch } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';

test('1,000 threads closed while 20,000 appends a second come in: accepted is on disk, late is counted, nothing stays open', async () => {
  const outcome = await closeUnderLoad({
    threads: 1000, perSecond: 20_000, closeAt: 20_000, heldFor: 10_000, lateAfter: 2_000, random: randomFrom(SEED),
  });
  const { appends, taken, takenWhileClosing, late, appendsPerSecond, complaints } = outcome;
  console.log(`${appends} appends, ${Math.round(appendsPerSecond)} a second: ${taken} taken, ${takenWhileClosing} of them while closing, ${late} late`);
  expect(complaints).toEqual([]);
  expect(taken + late).toBe(appends);
  expect(taken).toBeGreaterThan(20_000);
  expect(takenWhileClosing).toBeGreaterThan(1_000);
  expect(late).toBeGreaterThan(5_000);
});

describe('the control: the same check hears', () => {
  const small = async (patch: Patch): Promise<LoadOutcome> => closeUnderLoad({
    threads: 40, perSecond: 20_000, closeAt: 2_000, heldFor: 500, lateAfter: 200, random: randomFrom(SEED), sidecar: { writerUrl: mutantWriter(patch) },
  });
  /** True once, in the writer. */
  const ONCE = '(globalThis.hits = (globalThis.hits ?? 0) + 1) === 1';

  test.each<[string, Patch, string]>([
    ['a writer that drops one frame', DROPS_A_FRAME, 'close() rejected with LASTWORD_DRAIN_INCOMPLETE'],
    ['a writer that counts a record it did not write', {
      file: 'worker/writer.js', find: 'output.line(groups',
      replace: `if (groups.frameCount === 5 && ${ONCE}) { file.written += 1; continue; }\n            output.line(groups`,
    }, 'its rollout cannot be read'],
    ['a descriptor that is not closed', {
      file: 'worker/file-table.js', find: 'this.#fs.close(descriptor);\n        }', replace: `if (!(${ONCE})) this.#fs.close(descriptor);\n        }`,
    }, 'what is left of the threads'],
    ['a lease that is not released', {
      file: 'worker/lease/leases.js', find: 'removeFile(this.#parts.fs, lock);', replace: `if (!(${ONCE})) removeFile(this.#parts.fs, lock);`,
    }, 'what is left of the threads'],
  ])('%s', async (_what, patch, complaint) => {
    const { complaints } = await small(patch);
    expect(complaints).toContainEqual(expect.stringContaining(complaint));
  });
});
