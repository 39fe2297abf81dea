/**
 * Random commands from several handles of several threads, awaited or not, against the built library and its real writer.
 * A model says what each answers and what is on disk in the end. LASTWORD_SEED runs the same commands again.
 */
import fc from 'fast-check';
import { openSidecar, type SidecarOptions } from 'lastword';
import { afterAll, expect, test } from 'vitest';
import { SEED } from '../support/random.js';
import { Bench } from './bench.js';
import { COMMANDS, stepsOf } from './commands.js';
import { Coverage } from './coverage.js';
import { finish } from './finish.js';
import { Run } from './run.js';

const RUNS = Number(process.env['LASTWORD_MODEL_RUNS'] ?? 1_000);
const STEPS_MAX = 30;
const SHRINK_MS_MAX = 60_000;

/** Benches that a run left in disorder are replaced. */
class Benches {
  #current: Bench | undefined;
  #open: typeof openSidecar;
  readonly #options: Partial<SidecarOptions>;

  constructor(open: typeof openSidecar, options: Partial<SidecarOptions> = {}) {
    this.#open = open;
    this.#options = options;
  }

  async run(commands: Iterable<fc.AsyncCommand<Run, Coverage>>, coverage: Coverage): Promise<void> {
    this.#current ??= await Bench.open(this.#open, this.#options);
    const bench = this.#current;
    const before = bench.sidecar.stats().items;
    const run = new Run(bench);
    try {
      await fc.asyncModelRun(() => ({ model: run, real: coverage }), commands);
      await finish(run, before);
      bench.removeRollouts();
    } catch (error) {
      this.#current = undefined;
      await bench.discard();
      throw error;
    }
  }

  get current(): Bench | undefined {
    return this.#current;
  }

  async discard(): Promise<void> {
    await this.#current?.discard();
  }
}

const benches = new Benches(openSidecar);
afterAll(async () => { await benches.discard(); });

test(`${RUNS} runs of random commands on threads answer, and leave on disk, what the model says`, async () => {
  const coverage = new Coverage(COMMANDS);
  const begin = performance.now();
  await fc.assert(fc.asyncProperty(stepsOf(STEPS_MAX), (commands) => benches.run(commands, coverage)), {
    seed: SEED, numRuns: RUNS, ...(process.env['MODEL_PATH'] === undefined ? {} : { path: process.env['MODEL_PATH'] }), interruptAfterTimeLimit: 150_000, markInterruptAsFailure: true,
  });
  console.log(`${RUNS} runs in ${Math.round((performance.now() - begin) / 1000)} s\n${String(coverage)}`);
  expect(coverage.complaints).toEqual([]);
});
void SHRINK_MS_MAX;
