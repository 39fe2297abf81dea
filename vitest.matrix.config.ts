/**
 * `npm run test:matrix`: the other lines of Node, with binaries that npm has, and the bundlers that are too large for the test command. Fetches
 * them, and runs the tests of `test/integration` on each line: half an hour on two cores. LASTWORD_NODES=22,24 takes some of them.
 */
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './test/support/reporter.js';

export default defineConfig({
  test: {
    include: ['test/matrix/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 3_600_000,
    hookTimeout: 300_000,
    reporters: ['default', new TallyReporter(({ note }) => note !== undefined)],
    server: { deps: { external: [/\/dist\//] } },
  },
});
