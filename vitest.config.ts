import { defineConfig } from 'vitest/config';
import { MAY_SKIP } from './test/support/may-skip.js';
import { TallyReporter } from './test/support/reporter.js';
import { TrialsReporter } from './test/support/trials-reporter.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/fixtures/**', 'test/codex/**', 'test/faults/**', 'test/matrix/**'],
    setupFiles: process.env['NODE_V8_COVERAGE'] === undefined ? [] : ['test/support/coverage.ts'],
    // Exit hooks, signals and working directories are those of a process.
    pool: 'forks',
    maxWorkers: 2,
    // A bound on what hangs, not on what is slow: shared machines stand still for a minute.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    reporters: ['default', new TallyReporter(MAY_SKIP), new TrialsReporter()],
    // `import 'lastword'` is the built package, run by Node itself as a host would run it.
    server: { deps: { external: [/\/dist\//] } },
  },
});
