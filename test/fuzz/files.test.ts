/** Files made at random, in a process with little memory: what is whole is read, verified and continued, whatever stands beside it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { counted } from '../support/trials.js';
import { SEED } from '../support/random.js';
import { rejection, temporaryFolder } from '../support/sidecars.js';

const CASES = 2500;
const PROCESSES = 2;
/** Of the JavaScript heap, which ends the process when it is full. */
const HEAP_MB = 64;
const RSS_BYTES_MAX = 400e6;
const RUN = fileURLToPath(new URL('run.mjs', import.meta.url));

interface Met { met: Record<string, number>; outcomes: Record<string, number>; maxRssBytes: number }

async function run(seed: number, cases: number, packageUrl = 'lastword'): Promise<Met> {
  const args = [`--max-old-space-size=${HEAP_MB}`, RUN, temporaryFolder(), String(seed), String(cases), packageUrl];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 150_000 });
  return JSON.parse(stdout) as Met;
}

test(`P8 P18: ${CASES} files with damage of every kind: every whole record is read in both directions, verified and continued, and nothing else is changed`, async ({ task }) => {
  counted(task, CASES);
  const each = CASES / PROCESSES;
  const runs = await Promise.all(Array.from({ length: PROCESSES }, (_, index) => run(SEED + index * each, each)));
  for (const { met, outcomes, maxRssBytes } of runs) {
    for (const [piece, count] of [...Object.entries(met), ...Object.entries(outcomes)]) expect(count, piece).toBeGreaterThan(0);
    expect(outcomes['resumed'] ?? 0).toBeGreaterThan(each / 2);
    expect(maxRssBytes).toBeLessThan(RSS_BYTES_MAX);
  }
});

test.each<[string, Patch, string]>([
  ['a reader that ends at the first damaged line', {
    file: 'src/rollout/scan.js', find: 'const scanned = this.#examine(line);', replace: 'const scanned = this.#heldLines > 0 ? undefined : this.#examine(line);',
  }, 'forward'],
  ['a reader that gives up what is glued to a fragment', {
    file: 'src/rollout/scan.js', find: 'let start = content.lastIndexOf(RECORD_START);', replace: 'let start = -1;',
  }, 'forward'],
  ['a reader from the end that loses a record at the border of a block', {
    file: 'src/reader/backward-stream.js', find: 'this.#entries = entries.slice(place);', replace: 'this.#entries = entries.slice(place + 1);',
  }, 'backward'],
  ['a recovery that cuts damage in the middle too', {
    file: 'worker/recovery/find-end.js', find: 'while (end > 0 && ', replace: 'while (end > 0 && (wholeBytes = Math.min(wholeBytes, end), true) && ',
  }, 'AssertionError'],
  ['a recovery that leaves a torn end', {
    file: 'worker/recovery/resume-rollout.js', find: 'if (tornBytes > 0)', replace: 'if (tornBytes < 0)',
  }, 'LASTWORD_WRITE_FAILED'],
])('P8 P18, the control: the same run finds %s', async (_what, patch, where) => {
  const { lastwordUrl } = mutantPackage(patch);
  expect(await rejection(run(SEED, 400, lastwordUrl))).toMatchObject({ stderr: expect.stringMatching(new RegExp(`case \\d+ of seed[^]*${where}`)) });
});
