/** The control of the model: libraries that are wrong on purpose do not pass it. */
import fc from 'fast-check';
import type { openSidecar } from 'lastword';
import { expect, test } from 'vitest';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { SEED } from '../support/random.js';
import { Disagreement } from './run.js';
import { Runs } from './runs.js';

/** Most are caught within ten. */
const RUNS_MAX = 500;
const RUNS_MS_MAX = 120_000;

const CLOSE = 'src/lifecycle/thread-close.js';
const MUTANTS: Record<string, readonly Patch[]> = {
  'a thread that leaves the registry first': [{ file: 'src/lifecycle/registry.js', find: '    closeChildren(thread, plan) {', replace: '    closeChildren(thread, plan) {\n        this.#byId.delete(thread.id);' }],
  'a seal before tracked work has ended': [{ file: CLOSE, find: '        const work =', replace: '        seal(memory, thread.slot);\n        const work =' }],
  'no seal': [{ file: CLOSE, find: '        seal(memory, this.#thread.slot);', replace: '' }],
  'a close that waits for held work once': [{ file: 'src/thread.js', find: 'while (this.heldBy.length', replace: 'if (this.heldBy.length' }],
  'a parent that does not wait for its children': [{ file: CLOSE, find: 'children.length > 0 ? await failuresOf(children) : []', replace: '[]' }],
  'a claim that closes for all': [{ file: 'src/open-thread.js', find: 'if (this.#claims <= 0)', replace: 'if (true)' }],
  'a rollback that comes late and is not counted': [{ file: 'src/thread.js', find: 'rollback(from) {\n        if (this.progress.isSealed)\n            return this.#countLate(1);', replace: 'rollback(from) {\n        if (this.progress.isSealed)\n            return -1;' }],
  'a base that is deleted while a fork refers to it': [
    { file: 'src/lifecycle/stored-threads.js', find: 'throw referenced(threadId, head.id);', replace: 'continue;' },
    { file: 'src/lifecycle/trees.js', find: 'if (keeper !== undefined)', replace: 'if (false)' },
  ],
  'operations that do not wait in line': [{ file: 'src/lifecycle/operations.js', find: 'before.length === 0 ? operation()', replace: 'true ? operation()' }],
  'a lease that is not given back': [{ file: 'worker/lease/leases.js', find: 'removeFile(this.#parts.fs, lock);', replace: ';' }],
};

test.each(Object.entries(MUTANTS))('the model hears %s', async (mutant, patches) => {
  const { lastwordUrl, writerUrl } = mutantPackage(...patches);
  const { openSidecar: open } = (await import(/* @vite-ignore */ lastwordUrl)) as { openSidecar: typeof openSidecar };
  const runs = new Runs(open, { writerUrl: new URL(writerUrl) });
  const { failed, numRuns, errorInstance } = await fc.check(runs.property, { seed: SEED, numRuns: RUNS_MAX, endOnFailure: true, interruptAfterTimeLimit: RUNS_MS_MAX });
  await runs.close();
  console.log(`${mutant}, in run ${numRuns}: ${String(errorInstance)}`);
  expect(failed).toBe(true);
  // What the library throws where the model says that it answers is one too.
  expect(errorInstance instanceof Disagreement || (errorInstance as Error).name === 'LastwordError', String(errorInstance)).toBe(true);
});
