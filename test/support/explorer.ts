/**
 * Tries the schedules of a few simulated threads, all of them up to a number of preemptions (CHESS): depth first, each
 * run from the beginning. Finds wrong results, bytes touched by two threads at once, and sleepers that nobody wakes.
 *
 * Threads are interrupted before operations on words that others use too; the search begins anew when another word turns
 * out to be one. A run is given up where it comes to a state that was met before with as many preemptions left: state is the memory,
 * all that each thread has seen, and what is ordered before what. So threads may share nothing but the memory, and must
 * do the same when they see the same.
 */
import { ASLEEP, SETUP, memory, type Operation, type Simulation } from './simulated-memory.js';

const ENDLESS = 'a loop that never ends';

export interface Threads {
  readonly threads: Readonly<Record<string, Simulation<void>>>;
  /** By name: a thread that may die before anything it does that others could see, or asleep, once; these steps come after it. */
  readonly successors?: Readonly<Record<string, () => Simulation<void>>>;
  /** Throws where the outcome of a run is wrong. */
  readonly atEnd: () => void;
}

export interface ExploreOptions {
  /** Sets the memory up and returns threads that have not begun. Called before each run. */
  readonly start: () => Threads;
  /** How many threads `start` returns. */
  readonly count: number;
  /** How often a thread that could go on is interrupted. Default 3. */
  readonly preemptionsMax?: number;
  readonly schedulesMax?: number;
  /** Steps of one run; more are taken for a loop that never ends. */
  readonly stepsMax?: number;
}

export interface Exploration {
  readonly schedules: number;
  readonly states: number;
  readonly steps: number;
  /** Nothing is left to try within the number of preemptions. */
  readonly isExhausted: boolean;
  readonly violation: { readonly message: string; readonly trace: readonly string[] } | undefined;
}

interface Choice {
  readonly options: readonly number[];
  taken: number;
}

interface Thread {
  readonly name: string;
  steps: Simulation<void>;
  successor: (() => Simulation<void>) | undefined;
  next: Operation | undefined;
  isAsleep: boolean;
}

/** Kinds of operations of which nothing remains. */
const TRACELESS: readonly Operation['kind'][] = ['load', 'wait', 'waitAsync', 'settle'];
/** Number of no thread. */
const NOBODY = -1;

/** Runs steps that belong to no thread, before the threads begin. */
export function runAlone<Result>(steps: Simulation<Result>): Result {
  for (let answer: unknown; ;) {
    const { done, value } = steps.next(answer);
    if (done === true) return value;
    answer = memory.execute(SETUP, value);
    if (answer === ASLEEP) throw new Error('setting up cannot sleep');
  }
}

export function explore(options: ExploreOptions): Exploration {
  const search = new Search(options);
  const exploration = search.run();
  memory.reset(0);
  return exploration;
}

class Search {
  readonly #options: ExploreOptions;
  readonly #preemptionsMax: number;
  /** Choices of the present run, and of the one before up to where they part. */
  readonly #choices: Choice[] = [];
  /** Most preemptions that were left when a state was met. */
  readonly #met = new Map<number, number>();
  #steps = 0;
  #trace: string[] | undefined;

  constructor(options: ExploreOptions) {
    this.#options = options;
    this.#preemptionsMax = options.preemptionsMax ?? 3;
  }

  run(): Exploration {
    const schedulesMax = this.#options.schedulesMax ?? 200_000;
    memory.forget();
    for (let schedules = 1, contended = 0; ; schedules += 1) {
      const message = this.#tryOne();
      if (message === undefined && memory.contended > contended) {
        // A word is not private after all: what was tried did not interrupt there.
        contended = memory.contended;
        this.#choices.length = 0;
        this.#met.clear();
        continue;
      }
      const isExhausted = message === undefined && !this.#advance();
      if (message === undefined && !isExhausted && schedules < schedulesMax) continue;
      const violation = message === undefined ? undefined : { message, trace: this.#replay() };
      return { schedules, states: this.#met.size, steps: this.#steps, isExhausted, violation };
    }
  }

  /** The same run again, with names for what happens. */
  #replay(): string[] {
    this.#trace = [];
    this.#tryOne();
    return this.#trace;
  }

  /** Steps to the next schedule; false when there is none. */
  #advance(): boolean {
    for (let last = this.#choices.at(-1); last !== undefined; last = this.#choices.at(-1)) {
      last.taken += 1;
      if (last.taken < last.options.length) return true;
      this.#choices.pop();
    }
    return false;
  }

  /** One run by the choices made so far, then by the first option each. Returns what is wrong. */
  #tryOne(): string | undefined {
    memory.reset(this.#options.count);
    const { threads: steps, successors, atEnd } = this.#options.start();
    const threads = Object.entries(steps).map(([name, thread]): Thread =>
      ({ name, steps: thread, successor: successors?.[name], next: undefined, isAsleep: false }));
    if (threads.length !== this.#options.count) throw new Error(`${threads.length} threads, not ${this.#options.count}`);
    try {
      threads.forEach((thread, i) => {
        memory.thread = i;
        this.#resume(thread, undefined);
      });
      return this.#schedule(threads, atEnd);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      memory.thread = SETUP;
    }
  }

  #schedule(threads: readonly Thread[], atEnd: () => void): string | undefined {
    let current = 0;
    let preemptions = this.#preemptionsMax;
    const replayed = this.#choices.length;
    const stepsMax = this.#options.stepsMax ?? 5_000;
    for (let made = 0, steps = 0; ; steps += 1) {
      const running = threads[current];
      const isAlone = running?.next !== undefined && !running.isAsleep && memory.isPrivate(running.next) && canRun(running, current);
      const mortal = threads.flatMap((thread, i) => (canDie(thread, i, current) ? [deathOf(i)] : []));
      if (isAlone && !mortal.includes(deathOf(current))) {
        if (steps >= stepsMax) return ENDLESS;
        this.#step(running, current);
        continue;
      }
      const ready = threads.flatMap((thread, i) => (canRun(thread, i) ? [i] : []));
      if (ready.length === 0) {
        const asleep = threads.filter(({ next }) => next !== undefined);
        if (asleep.length > 0) return `asleep for ever: ${asleep.map(({ name }) => name).join(', ')}`;
        atEnd();
        return undefined;
      }
      if (steps >= stepsMax) return ENDLESS;
      const canGoOn = ready.includes(current);
      const others = canGoOn && (isAlone || preemptions === 0) ? [] : ready.filter((i) => i !== current);
      const options = [...(canGoOn ? [current] : []), ...others, ...(isAlone ? [deathOf(current)] : mortal)];
      // Choices that are made again were looked at the first time.
      if (!isAlone && made >= replayed && this.#trace === undefined && this.#wasMet(current, preemptions)) return undefined;
      let picked = options[0] ?? 0;
      if (options.length > 1) {
        const choice = this.#choices[made] ?? { options, taken: 0 };
        if (made === this.#choices.length) this.#choices.push(choice);
        picked = choice.options[choice.taken] ?? picked;
        made += 1;
      }
      if (picked < NOBODY) {
        this.#die(threads[deathOf(picked)], deathOf(picked));
        if (deathOf(picked) === current) current = NOBODY;
        continue;
      }
      if (canGoOn && picked !== current) preemptions -= 1;
      current = picked;
      this.#step(threads[current], current);
    }
  }

  #die(thread: Thread | undefined, index: number): void {
    if (thread?.successor === undefined) throw new Error('a thread that cannot die was picked');
    this.#trace?.push(`${thread.name}: dies`);
    memory.kill(index);
    memory.thread = index;
    thread.steps = thread.successor();
    thread.successor = undefined;
    thread.isAsleep = false;
    this.#resume(thread, undefined);
  }

  #wasMet(current: number, preemptions: number): boolean {
    const key = memory.stateKey(current);
    const before = this.#met.get(key);
    if (before !== undefined && before >= preemptions) return true;
    this.#met.set(key, preemptions);
    return false;
  }

  #step(thread: Thread | undefined, index: number): void {
    if (thread?.next === undefined) throw new Error('a thread without a next step was picked');
    this.#steps += 1;
    memory.thread = index;
    if (thread.isAsleep) {
      thread.isAsleep = false;
      this.#trace?.push(`${thread.name}: woken`);
      this.#resume(thread, memory.wake(index));
      return;
    }
    const op = thread.next;
    const result = memory.execute(index, op);
    this.#trace?.push(`${thread.name}: ${describe(op)} -> ${describeResult(result)}`);
    if (result === ASLEEP) thread.isAsleep = true;
    else this.#resume(thread, result);
  }

  #resume(thread: Thread, result: unknown): void {
    const { done, value } = thread.steps.next(result);
    thread.next = done === true ? undefined : value;
  }
}

function canRun({ next, isAsleep }: Thread, index: number): boolean {
  if (next === undefined) return false;
  return isAsleep ? !memory.isAsleep(index) : memory.canRun(next);
}

function canDie({ successor, next, isAsleep }: Thread, index: number, current: number): boolean {
  if (successor === undefined || next === undefined) return false;
  if (isAsleep) return memory.isAsleep(index);
  return next.kind === 'settle' ? !memory.canRun(next) : index === current && !TRACELESS.includes(next.kind);
}

/** How the death of thread i is written among choices, and back. */
function deathOf(i: number): number {
  return -2 - i;
}

function describe({ kind, array, index, value, expected }: Operation): string {
  if (kind === 'settle') return 'await';
  const args = kind === 'load' ? '' : kind === 'compareExchange' ? `, ${expected} -> ${value}` : `, ${value}`;
  return `${kind} byte ${array.byteOffset + index * array.BYTES_PER_ELEMENT}${args}`;
}

function describeResult(result: unknown): string {
  return typeof result === 'object' && result !== null ? 'waits' : String(result);
}
