/**
 * With LASTWORD_TRIALS=write in the environment: keeps how often the tests of a run tried what they promise, for the
 * table in docs/reliability.md. Files with a test that failed or was skipped keep what they had.
 */
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import { promisesIn, readTrials, TRIALS_FILE } from './promises-table.js';
import { ROOT } from './source.js';

export class TrialsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (process.env['LASTWORD_TRIALS'] !== 'write') return;
    const kept = readTrials();
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      if (tests.some((test) => test.result().state !== 'passed')) continue;
      const counts: Record<string, { tests: number; trials: number }> = {};
      for (const test of tests) {
        const { promises, isControl } = promisesIn(test.fullName);
        for (const promise of isControl ? [] : promises) {
          const { tests: before, trials } = counts[promise] ?? { tests: 0, trials: 0 };
          counts[promise] = { tests: before + 1, trials: trials + (test.meta().trials ?? 1) };
        }
      }
      if (Object.keys(counts).length > 0) kept[relative(ROOT, module.moduleId)] = counts;
    }
    const sorted = Object.fromEntries(Object.entries(kept).sort(([one], [other]) => (one < other ? -1 : 1)));
    writeFileSync(join(ROOT, TRIALS_FILE), `${JSON.stringify(sorted, undefined, 2)}\n`);
  }
}
