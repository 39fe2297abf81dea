/** `npm run test:codex`: the tests that run the real codex binary. They fetch it once, so they are no part of `npm test`. */
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './test/support/reporter.js';

export default defineConfig({
  test: {
    include: ['test/codex/*.test.ts'],
    globalSetup: ['test/codex/setup.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Every test here needs the binary, and says what the machine lacks for it.
    reporters: ['default', new TallyReporter(({ note }) => note !== undefined)],
    server: { deps: { external: [/\/dist\//] } },
  },
});
