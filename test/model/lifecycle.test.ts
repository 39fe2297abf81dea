/**
 * Random commands from several handles of several threads, awaited or not, up to three in one tick, against the built library and its
 * real writer. A model says what each answers, and what is on disk in the end. LASTWORD_SEED runs the same commands again, and
 * LASTWORD_MODEL_PATH and LASTWORD_MODEL_REPLAY, as a failure prints them, only those that failed.
 */
import fc from 'fast-check';
import { openSidecar } from 'lastword';
import { expect, test } from 'vitest';
import { SEED } from '../support/random.js';
import { counted } from '../support/trials.js';
import { Runs } from './runs.js';

const RUNS = Number(process.env['LASTWORD_MODEL_RUNS'] ?? 1_000);
const { LASTWORD_MODEL_PATH: path } = process.env;
/** Below the bound of a test, so that the commands are printed. */
const RUNS_MS_MAX = Math.max(160_000, RUNS * 100);

test(`P1 P2: ${RUNS} runs of random commands on threads answer, and leave on disk, what the model says, in every state that they can meet`, { timeout: 2 * RUNS_MS_MAX }, async ({ task }) => {
  counted(task, RUNS);
  const runs = new Runs(openSidecar);
  const begin = performance.now();
  await fc.assert(runs.property, {
    seed: SEED, numRuns: RUNS, interruptAfterTimeLimit: RUNS_MS_MAX, markInterruptAsFailure: true, ...path === undefined ? {} : { path },
  });
  expect(await runs.close()).toEqual([]);
  console.log(`${RUNS} runs in ${Math.round((performance.now() - begin) / 1000)} s\n${String(runs.coverage)}`);
  expect(runs.coverage.complaints).toEqual([]);
});
