/** Many runs on one sidecar. One that a run left in disorder is replaced. */
import fc from 'fast-check';
import type { openSidecar, SidecarOptions } from 'lastword';
import { upTo } from '../support/sidecars.js';
import { Bench } from './bench.js';
import { COMMANDS, stepsOf, type Steps } from './commands.js';
import { Coverage } from './coverage.js';
import { finish } from './finish.js';
import { Run } from './run.js';
import { create } from './thread-commands.js';

const STEPS_MAX = 30;
/** There when a run begins. */
const THREADS_FIRST = 2;

export class Runs {
  readonly coverage = new Coverage(COMMANDS);
  readonly #open: typeof openSidecar;
  readonly #options: Partial<SidecarOptions>;
  #bench: Bench | undefined;

  constructor(open: typeof openSidecar, options: Partial<SidecarOptions> = {}) {
    this.#open = open;
    this.#options = options;
  }

  /** That every sequence of steps goes as the model says. */
  get property(): fc.IAsyncProperty<[Steps]> {
    return fc.asyncProperty(stepsOf(STEPS_MAX), (steps) => this.#run(steps));
  }

  /** Closes the sidecar. Returns what is wrong then. */
  async close(): Promise<string[]> {
    return await this.#bench?.close() ?? [];
  }

  async #run(steps: Steps): Promise<void> {
    const bench = (this.#bench ??= await Bench.open(this.#open, this.#options));
    const run = new Run(bench);
    const before = bench.sidecar.stats().items;
    try {
      await Promise.all(upTo(THREADS_FIRST).map(() => create(run)));
      await fc.asyncModelRun(() => ({ model: run, real: this.coverage }), steps);
      await finish(run, before);
      bench.removeRollouts();
    } catch (error) {
      this.#bench = undefined;
      await bench.discard();
      throw error;
    }
  }
}
