/**
 * The writer, its recovery and its syncs over a disk that refuses, tears and reorders, and loses power: the same seed, the same
 * histories. LASTWORD_SEED runs them again, LASTWORD_SIM_HISTORIES more of them, LASTWORD_SIM_SCHEDULE one as a failure prints it.
 */
import { expect, test } from 'vitest';
import { SEED } from '../support/random.js';
import { counted } from '../support/trials.js';
import { check, replay } from './check.js';
import type { Schedule } from './history.js';
import { FOUND } from './found.js';
import { loadSystem } from './system.js';

const HISTORIES = Number(process.env['LASTWORD_SIM_HISTORIES'] ?? 20_000);
const GIVEN = process.env['LASTWORD_SIM_SCHEDULE'];
const schedules: [string, Schedule][] = GIVEN === undefined ? FOUND : [['LASTWORD_SIM_SCHEDULE', JSON.parse(GIVEN) as Schedule]];
/** Of 2 ms each, on a machine that has other work, and for making one smaller. */
const TIMEOUT_MS = 180_000 + HISTORIES * 30;

test('what was found once is found no more, and each history goes the same way each time', async () => {
  const system = await loadSystem();
  for (const [what, schedule] of schedules) {
    const { trace, wrong } = await replay(system, schedule);
    expect(wrong, `${what}:\n${trace}`).toBeUndefined();
    expect((await replay(system, schedule)).trace, what).toBe(trace);
  }
});

test(`P1 P2 P3 P4 P7 P9: ${HISTORIES} histories keep what was promised`, async ({ task }) => {
  counted(task, HISTORIES);
  const system = await loadSystem();
  const begin = process.cpuUsage();
  const { error, histories, schedule } = await check(system, SEED, HISTORIES);
  const { user, system: kernel } = process.cpuUsage(begin);
  const seconds = (user + kernel) / 1e6;
  console.log(`${histories} histories in ${seconds.toFixed(1)} s of a processor, ${Math.round(histories / seconds)} a second`);
  if (schedule === undefined) return;
  const { trace, wrong } = await replay(system, schedule);
  expect.fail(`LASTWORD_SIM_SCHEDULE='${JSON.stringify(schedule)}'\n${trace}\n${wrong ?? String(error)}`);
}, TIMEOUT_MS);
