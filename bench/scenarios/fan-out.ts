import type { RolloutItem } from 'lastword';
import type { Contender, Recording } from '../peers/contender.js';
import { collectGarbage } from './support.js';
import { LineVerifier } from './verify-files.js';

/** Who gets how many items in a run, in what order: round robin over all threads, each gets a burst in its turn. */
export interface FanOut {
  readonly threads: number;
  readonly itemsPerThread: number;
  readonly burst: number;
  /** The items are these, over and over. */
  readonly pool: readonly RolloutItem[];
}

export interface Run { readonly itemsPerSecond: number; readonly megabytesPerSecond: number }

// A peer may wait without keeping the process alive (pino's worker is unreferenced); a host has other work that does.
const ALIVE_MS = 60_000;

/** Nobody's run takes a tenth of it; a contender that does not come back is named. */
const RUN_MS_MAX = 60_000;

async function within<T>(ms: number, work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`${what} did not end in ${ms} ms`)); }, ms);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** One contender with its files, which stay open from run to run, as those of a host do. */
export class Entrant {
  readonly name: string;
  readonly #recording: Recording;
  readonly #load: FanOut;
  readonly #verifier: LineVerifier;
  readonly #alive = setInterval(() => undefined, ALIVE_MS);
  /** Items each thread has. */
  #recorded = 0;

  private constructor(contender: Contender, recording: Recording, load: FanOut) {
    this.name = contender.name;
    this.#recording = recording;
    this.#load = load;
    this.#verifier = new LineVerifier(contender.name, recording.paths, recording.headerLines);
  }

  static async open(contender: Contender, directory: string, load: FanOut): Promise<Entrant> {
    return new Entrant(contender, await contender.open(directory, load.threads), load);
  }

  /** The clock stops when write() has returned for the last item; then every line is looked for in its file. */
  run(): Promise<Run> {
    return within(RUN_MS_MAX, this.#run(), `a run of ${this.name}`);
  }

  async #run(): Promise<Run> {
    const { threads, itemsPerThread } = this.#load;
    collectGarbage();
    let begin = performance.now();
    await this.#append();
    if (this.#recording.prepare !== undefined) {
      this.#recording.prepare();
      begin = performance.now();
    }
    await this.#recording.complete();
    const ms = performance.now() - begin;
    this.#recorded += itemsPerThread;
    const bytes = this.#verifier.verify(this.#recorded);
    return { itemsPerSecond: (threads * itemsPerThread * 1000) / ms, megabytesPerSecond: bytes / 1000 / ms };
  }

  async close(): Promise<void> {
    await this.#recording.close();
    clearInterval(this.#alive);
  }

  async #append(): Promise<void> {
    const { pool, threads, burst, itemsPerThread } = this.#load;
    const recording = this.#recording;
    const last = this.#recorded + itemsPerThread;
    let next = 0;
    for (let first = this.#recorded + 1; first <= last; first += burst) {
      const end = Math.min(first + burst, last + 1);
      for (let thread = 0; thread < threads; thread += 1) {
        for (let ordinal = first; ordinal < end; ordinal += 1) {
          const item = pool[next];
          next = next + 1 === pool.length ? 0 : next + 1;
          if (item !== undefined && !recording.append(thread, ordinal, item)) await recording.drained();
        }
      }
    }
  }
}
