/**
 * The writer, its recovery and its syncs over a disk that loses power, refuses, tears and reorders: the same seed, the same history.
 * LASTWORD_SEED runs the same histories again, LASTWORD_SIM_HISTORIES more of them.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SEED } from '../support/random.js';
import { Disagreement, History, type Schedule } from './history.js';
import { loadSystem } from './system.js';

const HISTORIES = Number(process.env['LASTWORD_SIM_HISTORIES'] ?? 20_000);
const STEPS_MAX = 60;

const schedules: fc.Arbitrary<Schedule> = fc.noBias(fc.record({ seed: fc.nat(0x7fff_ffff), steps: fc.array(fc.nat(0x7fff_ffff), { minLength: 1, maxLength: STEPS_MAX, size: 'max' }) }));

const REPLAY = process.env['LASTWORD_SIM_SCHEDULE'];

test.runIf(REPLAY !== undefined)('the history of LASTWORD_SIM_SCHEDULE', async () => {
  const { seed, steps } = JSON.parse(REPLAY ?? '') as Schedule;
  const history = new History(await loadSystem(), seed, true);
  const outcome = await history.run(steps).then(() => 'passes', String);
  console.log(history.trace.join('\n'));
  expect(outcome).toBe('passes');
});

test.skipIf(REPLAY !== undefined)(`${HISTORIES} histories leave on disk what was promised`, async () => {
  const system = await loadSystem();
  const begin = performance.now();
  const { failed, counterexample, errorInstance, numRuns } = await fc.check(fc.asyncProperty(schedules, ({ seed, steps }) => new History(system, seed).run(steps)), { seed: SEED, numRuns: HISTORIES });
  const seconds = (performance.now() - begin) / 1000;
  console.log(`${numRuns} histories in ${seconds.toFixed(1)} s, ${Math.round(numRuns / seconds)} a second`);
  if (failed && counterexample !== null) {
    const [schedule] = counterexample;
    const history = new History(system, schedule.seed, true);
    const again = await history.run(schedule.steps).then(() => 'passes', String);
    console.log(`${JSON.stringify(schedule)}\n${history.trace.join('\n')}\n${again}`);
    expect(errorInstance).toBeInstanceOf(Disagreement);
  }
  expect(errorInstance).toBeUndefined();
}, 3_600_000);
