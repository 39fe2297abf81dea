/**
 * The last word of a test run: what was skipped, by name, and how many tests passed, failed and were skipped. A run in
 * which a test was skipped that may not be fails, and so does one in which none ran; unless all of them may be skipped.
 */
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import type { MaySkip } from './may-skip.js';

/** A test that was skipped, and the reason that it gave itself. */
export interface Skipped { readonly name: string; readonly note: string | undefined }

export class TallyReporter implements Reporter {
  readonly #maySkip: (skipped: Skipped) => boolean;
  #isFiltered = false;

  /** Which tests may be skipped: a list, or what tells of each whether it may. */
  constructor(maySkip: readonly MaySkip[] | ((skipped: Skipped) => boolean)) {
    this.#maySkip = typeof maySkip === 'function' ? maySkip : (skipped) => maySkip.some(({ name }) => name === skipped.name);
  }

  onInit(vitest: Vitest): void {
    // `-t` skips all other tests on purpose.
    this.#isFiltered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    // A module that could not be loaded and an error outside of any test count as one failure each.
    let failed = unhandledErrors.length;
    const skipped: Skipped[] = [];
    for (const module of modules) {
      failed += module.errors().length;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed += 1;
        else if (result.state === 'failed') failed += 1;
        else skipped.push({ name: test.fullName, note: result.state === 'skipped' ? result.note : undefined });
      }
    }
    const problems = this.#isFiltered ? [] : this.#judgeSkipped(skipped);
    if (passed + failed === 0 && (this.#isFiltered || skipped.length === 0)) problems.push('no test ran');

    const lines = [
      ...skipped.map(({ name, note }) => `skipped: ${name}${note === undefined ? '' : ` (${note})`}`),
      ...problems.map((problem) => `error: ${problem}`),
      `tests: ${passed} passed, ${failed} failed, ${skipped.length} skipped`,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
    if (problems.length > 0 || failed > 0) process.exitCode = 1;
  }

  #judgeSkipped(skipped: readonly Skipped[]): string[] {
    return skipped.filter((test) => !this.#maySkip(test)).map(({ name }) => `skipped and not in the list of those that may be: ${name}`);
  }
}
