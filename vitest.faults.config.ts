/**
 * `npm run test:faults`: real disks that fail, machines that lose their power, long runs. Needs root, loop devices, FUSE and
 * the programs that are named where a test is skipped; takes up to 40 minutes, so it is no part of `npm test`.
 */
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './test/support/reporter.js';
import { TrialsReporter } from './test/support/trials-reporter.js';

export default defineConfig({
  test: {
    include: ['test/faults/*.test.ts'],
    pool: 'forks',
    // Disks, loop devices and the cores are shared: latencies would be each other's.
    maxWorkers: 1,
    testTimeout: 1_200_000,
    hookTimeout: 180_000,
    // A test here says what the machine lacks for it.
    reporters: ['default', new TallyReporter(({ note }) => note !== undefined), new TrialsReporter()],
    server: { deps: { external: [/\/dist\//] } },
  },
});
