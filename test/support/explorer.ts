/**
 * Tries the schedules of a few simulated threads, all of them up to a number of preemptions (CHESS): depth first, each
 * run from the beginning. Finds wrong results, bytes touched by two threads at once, and sleepers that nobody wakes.
 *
 * A run is given up where it comes to a state that was met before with as many preemptions left: state is the memory,
 * all that each thread has seen, and what is ordered before what. So threads may share nothing but the memory, and must
 * do the same when they see the same.
 */
import { ASLEEP, SETUP, memory, type Operation, type Simulation } from './simulated-memory.js';

export interface Threads {
  readonly threads: Readonly<Record<string, Simulation<void>>>;
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
  readonly steps: Simulation<void>;
  next: Operation | undefined;
  isAsleep: boolean;
}

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
    for (let schedules = 1; ; schedules += 1) {
      const message = this.#tryOne();
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
    const { threads: steps, atEnd } = this.#options.start();
    const threads = Object.entries(steps).map(([name, thread]): Thread => ({ name, steps: thread, next: undefined, isAsleep: false }));
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
    for (let made = 0, steps = 0; ; steps += 1) {
      const ready = threads.flatMap((thread, i) => (canRun(thread, i) ? [i] : []));
      if (ready.length === 0) {
        const asleep = threads.filter(({ next }) => next !== undefined);
        if (asleep.length > 0) return `asleep for ever: ${asleep.map(({ name }) => name).join(', ')}`;
        atEnd();
        return undefined;
      }
      if (steps >= (this.#options.stepsMax ?? 5_000)) return 'a loop that never ends';
      const canGoOn = ready.includes(current);
      const options = canGoOn ? [current, ...(preemptions > 0 ? ready.filter((i) => i !== current) : [])] : ready;
      if (made >= replayed || options.length > 1) {
        // A choice made before was looked at when it was made, and what followed from it is new.
        if (made >= replayed && this.#trace === undefined && this.#wasMet(current, preemptions)) return undefined;
      }
      let picked = options[0] ?? 0;
      if (options.length > 1) {
        const choice = this.#choices[made] ?? { options, taken: 0 };
        if (made === this.#choices.length) this.#choices.push(choice);
        picked = choice.options[choice.taken] ?? picked;
        made += 1;
      }
      if (canGoOn && picked !== current) preemptions -= 1;
      current = picked;
      this.#step(threads[current], current);
    }
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

function describe({ kind, array, index, value, expected }: Operation): string {
  if (kind === 'settle') return 'await';
  const args = kind === 'load' ? '' : kind === 'compareExchange' ? `, ${expected} -> ${value}` : `, ${value}`;
  return `${kind} byte ${array.byteOffset + index * array.BYTES_PER_ELEMENT}${args}`;
}

function describeResult(result: unknown): string {
  return typeof result === 'object' && result !== null ? 'waits' : String(result);
}
