/** The commands of a run: each draws what it is about from what the run has by then. */
import fc from 'fast-check';
import type { ThreadId } from 'lastword';
import { stateOf, type Coverage, type State } from './coverage.js';
import { HANDLE_ACTS, hold } from './handle-commands.js';
import type { Opening } from './model.js';
import type { Run } from './run.js';
import { create, flushAll, THREAD_ACTS } from './thread-commands.js';

/** A command, and the numbers that it makes its choices with. */
export interface Draw { readonly command: Command; readonly pick: number; readonly option: number }

/** The numbers are below this: divisible by whatever they choose from. */
const CHOICES_MAX = 59;

/** A command on its target. What it returns resolves when it is over; undefined where it is over at once. */
export type Act<Target> = (run: Run, target: Target, draw: Draw) => Promise<void> | void;

/** Rollouts of one run. */
const THREADS_MAX = 6;

interface Command {
  readonly name: string;
  readonly isImpossible: (state: State) => string | undefined;
  /** How often it is drawn. */
  readonly weight: number;
  readonly isPossible: (run: Run) => boolean;
  /** Undefined where there is nothing to wait for. */
  readonly act: (run: Run, draw: Draw, met: (state: State) => void) => Promise<void> | void;
}

const isNotFull = ({ threads, pending }: Run): boolean => threads.size + [...pending].filter(({ isOpening }) => isOpening).length < THREADS_MAX;
const picked = <T>(list: readonly T[], pick: number): T | undefined => list[pick % list.length];
const needsThread = (state: State): string | undefined => (state === 'none' ? 'it is about a thread' : undefined);
const WEIGHTS: Readonly<Record<string, number>> = { append: 2, hold: 2, close: 4, resume: 3, archive: 3, unarchive: 2, delete: 3, recreate: 2, spawn: 2, fork: 2, read: 2, 'resume or create': 2 };
const MAKES_THREADS = ['spawn', 'fork', 'resume or create'];

const withoutThread = (name: string, act: (run: Run) => Promise<void>, isPossible: (run: Run) => boolean): Command => ({
  name, weight: 2, isPossible,
  isImpossible: (state) => (state === 'none' ? undefined : 'it is about no thread'),
  act: (run, _draw, met) => { met('none'); return act(run); },
});

const onHandle = ([name, act]: [string, Act<Opening>]): Command => ({
  name, weight: WEIGHTS[name] ?? 1, isImpossible: needsThread,
  isPossible: ({ openings }) => openings.length > 0,
  act: (run, draw, met) => {
    const opening = picked(run.openings, draw.pick);
    if (opening === undefined) return undefined;
    met(stateOf(run, opening.thread.id, opening));
    return act(run, opening, draw);
  },
});

const onThread = ([name, act]: [string, Act<ThreadId>]): Command => ({
  name, weight: WEIGHTS[name] ?? 1,
  isImpossible: (state) => (state === 'reopened' ? 'an id has no handle that could be stale' : needsThread(state)),
  isPossible: (run) => run.threads.size > 0 && (!MAKES_THREADS.includes(name) || isNotFull(run)),
  act: (run, draw, met) => {
    const id = picked([...run.threads.keys()], draw.pick);
    if (id === undefined) return undefined;
    met(stateOf(run, id));
    return act(run, id, draw);
  },
});

/** Work that was tracked or held ends, with a last word. */
const endWork: Command = {
  name: 'end work', weight: 3, isImpossible: needsThread,
  isPossible: ({ work }) => work.length > 0,
  act: (run, { pick, option }, met) => {
    const work = picked(run.work, pick);
    if (work === undefined) return;
    run.work.splice(run.work.indexOf(work), 1);
    met(stateOf(run, work.opening.thread.id, work.opening));
    work.end(option % 3 === 0 ? () => { hold(run, work.opening, 'next tool'); } : undefined);
  },
};

export const COMMANDS: readonly Command[] = [
  withoutThread('create', create, isNotFull),
  ...Object.entries<Act<ThreadId>>(THREAD_ACTS).map(onThread),
  ...Object.entries<Act<Opening>>(HANDLE_ACTS).map(onHandle),
  endWork,
  withoutThread('flush all', flushAll, () => true),
];

/** Commands that come in one tick of the event loop: none of them sees what another one brings about. */
class Step implements fc.AsyncCommand<Run, Coverage> {
  readonly #draws: readonly Draw[];
  readonly #isAwaited: boolean;

  constructor(draws: readonly Draw[], isAwaited: boolean) {
    this.#draws = draws;
    this.#isAwaited = isAwaited;
  }

  check(run: Run): boolean {
    return this.#draws.some(({ command }) => command.isPossible(run));
  }

  async run(run: Run, coverage: Coverage): Promise<void> {
    const endings = this.#draws.map((draw) => {
      const { command: { name, act, isPossible } } = draw;
      if (!isPossible(run)) return undefined;
      coverage.count(name, run.isIdle ? 'alone' : 'overlapping');
      return act(run, draw, (state) => { coverage.count(name, state); });
    });
    // What waits for held work is left to go on: a later command ends that.
    if (this.#isAwaited && !run.isBlocked) await Promise.all(endings.map((ending) => Promise.resolve(ending)));
    run.assertRight();
  }

  toString(): string {
    const commands = this.#draws.map(({ command: { name }, pick, option }) => `${name}(${pick}, ${option})`).join(' & ');
    return this.#isAwaited ? `await ${commands}` : commands;
  }
}

const STEP_COMMANDS_MAX = 3;
const drawn = fc.record({
  command: fc.oneof(...COMMANDS.map((command) => ({ weight: command.weight, arbitrary: fc.constant(command) }))),
  pick: fc.nat(CHOICES_MAX), option: fc.nat(CHOICES_MAX),
});

export type Steps = Iterable<fc.AsyncCommand<Run, Coverage>>;

/** Sequences of up to so many steps. */
export function stepsOf(stepsMax: number): fc.Arbitrary<Steps> {
  const step = fc.tuple(fc.array(drawn, { minLength: 1, maxLength: STEP_COMMANDS_MAX, size: 'max' }), fc.boolean())
    .map(([draws, isAwaited]) => new Step(draws, isAwaited));
  const { LASTWORD_MODEL_REPLAY: replayPath } = process.env;
  return fc.commands([step], { maxCommands: stepsMax, size: 'max', ...replayPath === undefined ? {} : { replayPath } });
}
