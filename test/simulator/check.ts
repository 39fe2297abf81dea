/** Histories by the thousand, and what is told of one that disagrees. */
import fc from 'fast-check';
import { Disagreement, History, type Schedule } from './history.js';
import type { System } from './system.js';

const STEPS_MAX = 60;
const NUMBER_MAX = 0x7fff_ffff;

const schedules: fc.Arbitrary<Schedule> = fc.noBias(fc.record({
  seed: fc.nat(NUMBER_MAX), steps: fc.array(fc.nat(NUMBER_MAX), { minLength: 1, maxLength: STEPS_MAX, size: 'max' }),
}));

export interface Outcome {
  readonly histories: number;
  /** The smallest schedule found that disagrees. */
  readonly schedule: Schedule | undefined;
  /** What is wrong with it. */
  readonly error: unknown;
}

/** Runs so many histories from the seed, or up to the first that disagrees, which is made smaller unless told otherwise. */
export async function check(system: System, seed: number, histories: number, { isShrunk = true } = {}): Promise<Outcome> {
  const property = fc.asyncProperty(schedules, ({ seed: own, steps }) => new History(system, own).run(steps));
  const { stackTraceLimit } = Error;
  // Errors are made by the thousand, and nobody looks where.
  Error.stackTraceLimit = 0;
  try {
    const { counterexample, errorInstance, numRuns } = await fc.check(property, { seed, numRuns: histories, endOnFailure: !isShrunk });
    return { histories: numRuns, schedule: counterexample?.[0], error: errorInstance ?? undefined };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Runs one history again. Returns what happened in it, and what was wrong at its end. */
export async function replay(system: System, { seed, steps }: Schedule): Promise<{ trace: string; wrong: string | undefined }> {
  const history = new History(system, seed, true);
  const wrong = await history.run(steps).then(() => undefined, (error: unknown) => {
    if (error instanceof Disagreement) return error.message;
    throw error;
  });
  return { trace: history.trace.join('\n'), wrong };
}
