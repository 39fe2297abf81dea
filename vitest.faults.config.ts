/**
 * `npm run test:faults`: real disks that fail, machines that lose their power, long runs, and larger runs of what the test command has
 * in small. Needs root, loop devices, FUSE and the programs that are named where a test is skipped; takes up to 40 minutes, so it is
 * no part of `npm test`.
 */
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './test/support/reporter.js';
import { TrialsReporter } from './test/support/trials-reporter.js';

/** Tests of the test command, and how large they are here; what is in the environment goes before. */
const LARGER = {
  'test/simulator/simulator.test.ts': { LASTWORD_SIM_HISTORIES: '100000' },
  'test/models/models.test.ts': { LASTWORD_MODELS: 'full' },
  'test/unit/ring-explorer.test.ts': { LASTWORD_PREEMPTIONS: '3' },
  'test/model/lifecycle.test.ts': { LASTWORD_MODEL_RUNS: '5000' },
  'test/crash/deaths.test.ts': { LASTWORD_DEATHS: '300' },
  'test/crash/jobs.test.ts': { LASTWORD_JOB_KILLS: '50' },
  'test/stress/producers.test.ts': { LASTWORD_PRODUCER_SEEDS: '200' },
  'test/integration/producer-ends.test.ts': { LASTWORD_PRODUCER_CYCLES: '500', LASTWORD_PRODUCER_ENDS: '1000' },
  'test/integration/races.test.ts': { LASTWORD_RACES: '50' },
  'test/integration/resources.test.ts': { LASTWORD_CYCLES: '300' },
  'test/integration/hostile-items.test.ts': { LASTWORD_HOSTILE_RUNS: '50000' },
};
const env = Object.fromEntries(Object.values(LARGER).flatMap((sizes) => Object.entries(sizes)).map(([name, size]) => [name, process.env[name] ?? size]));

export default defineConfig({
  test: {
    include: ['test/faults/*.test.ts', ...Object.keys(LARGER)],
    env,
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 1_200_000,
    hookTimeout: 180_000,
    // A test here says what the machine lacks for it.
    reporters: ['default', new TallyReporter(({ note }) => note !== undefined), new TrialsReporter()],
    server: { deps: { external: [/\/dist\//] } },
  },
});
