/**
 * The last word of a test run: what was skipped, by name, and how many tests passed, failed and were skipped. A run in
 * which a test was skipped that may not be, or in which none ran, fails.
 */
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import type { MaySkip } from './may-skip.js';

export class TallyReporter implements Reporter {
  readonly #maySkip: readonly MaySkip[];
  #isFiltered = false;

  constructor(maySkip: readonly MaySkip[]) {
    this.#maySkip = maySkip;
  }

  onInit(vitest: Vitest): void {
    // `-t` skips all other tests on purpose.
    this.#isFiltered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    // A module that could not be loaded and an error outside of any test count as one failure each.
    let failed = unhandledErrors.length;
    const skipped: string[] = [];
    for (const module of modules) {
      failed += module.errors().length;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (state === 'failed') failed += 1;
        else skipped.push(test.fullName);
      }
    }
    const problems = this.#isFiltered ? [] : this.#judgeSkipped(skipped);
    if (passed + failed === 0) problems.push('no test ran');

    const lines = [...skipped.map((name) => `skipped: ${name}`), ...problems.map((problem) => `error: ${problem}`)];
    lines.push(`tests: ${passed} passed, ${failed} failed, ${skipped.length} skipped`);
    process.stdout.write(`${lines.join('\n')}\n`);
    if (problems.length > 0 || failed > 0) process.exitCode = 1;
  }

  #judgeSkipped(skipped: readonly string[]): string[] {
    const allowed = new Set(this.#maySkip.map(({ name }) => name));
    return skipped.filter((name) => !allowed.has(name)).map((name) => `skipped and not in the list of those that may be: ${name}`);
  }
}
