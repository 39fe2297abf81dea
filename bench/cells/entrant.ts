import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { RolloutItem } from 'lastword';
import { poolOf, type Load } from '../load/pool.js';
import { Prng } from '../load/prng.js';
import type { Contender, Recording } from '../peers/contender.js';
import { collectGarbage } from '../scenarios/support.js';
import { syncSideBySide } from './sync-side-by-side.js';
import { beginUsage, peakBytes, resetPeak, type Usage } from './usage.js';
import { LineVerifier } from './verify-lines.js';

/** What is recorded, in what order: round robin over all threads, each gets a burst in its turn. */
export interface CellLoad {
  readonly load: Load;
  readonly threads: number;
  readonly burst: number;
  readonly seed: number;
}

/** One run, until write() has returned for its last item. */
export interface Run extends Usage {
  readonly items: number;
  readonly bytes: number;
  /** Until the data syncs had returned, ms from the start. */
  readonly syncedMs: number;
  /** The most memory the process had; Node and the load's items are in it, the same for everybody. */
  readonly peakBytes: number;
}

/** Milliseconds. */
export interface Quantiles { readonly p50: number; readonly p99: number; readonly max: number }

/** A host that gives a burst in every turn of its loop, as fast as it is taken. */
export interface LoopFigures { readonly itemsPerSecond: number; readonly idle: Quantiles; readonly loaded: Quantiles }

// A peer may wait without keeping the process alive (pino's worker is unreferenced); a host has other work that does.
const ALIVE_MS = 60_000;
/** Between two items of a system that is idle, ms: at least, and so many more at most. */
const PAUSE_MS = { least: 1, spread: 3 } as const;

/** One contender with its files, which stay open from run to run, as those of a host do. */
export class Entrant {
  readonly #recording: Recording;
  readonly #directory: string;
  readonly #load: CellLoad;
  readonly #pool: readonly RolloutItem[];
  readonly #verifier: LineVerifier;
  readonly #alive = setInterval(() => undefined, ALIVE_MS);
  /** Items each thread has. */
  readonly #recorded: number[];
  #thread = 0;
  #next = 0;

  private constructor(contender: Contender, recording: Recording, directory: string, load: CellLoad, pool: readonly RolloutItem[]) {
    this.#recording = recording;
    this.#directory = directory;
    this.#load = load;
    this.#pool = pool;
    this.#recorded = Array.from({ length: load.threads }, () => 0);
    this.#verifier = new LineVerifier(contender.name, recording);
  }

  static async open(contender: Contender, directory: string, load: CellLoad): Promise<Entrant> {
    const pool = poolOf(load.load, load.seed);
    collectGarbage();
    return new Entrant(contender, await contender.open(directory, load.threads), directory, load, pool);
  }

  /**
   * The clock stops when write() has returned for the last item; then all is synced, so that nobody's next run meets what the kernel still
   * has to write, and every line is looked for. Whole bursts only.
   */
  async run(items: number): Promise<Run> {
    const recording = this.#recording;
    const bursts = Math.ceil(items / this.#load.burst);
    collectGarbage();
    resetPeak();
    let end = beginUsage();
    await this.#append(bursts);
    if (recording.prepare !== undefined) {
      recording.prepare();
      end = beginUsage();
    }
    await recording.complete();
    const usage = end();
    await (recording.sync?.() ?? syncSideBySide(this.#directory));
    const syncedMs = end().wallMs;
    const peak = peakBytes();
    const bytes = await this.#verifier.verify(this.#recorded);
    return { ...usage, items: bursts * this.#load.burst, bytes, syncedMs, peakBytes: peak };
  }

  /** Delays of the event loop, without load and then with it. */
  async loop(ms: number): Promise<LoopFigures> {
    const idle = await delaysOf(ms / 2, () => undefined);
    let bursts = 0;
    const begin = performance.now();
    const loaded = await delaysOf(ms, () => {
      bursts += 1;
      return this.#append(1);
    });
    const itemsPerSecond = (bursts * this.#load.burst * 1000) / (performance.now() - begin);
    this.#recording.prepare?.();
    await this.#recording.complete();
    await this.#verifier.verify(this.#recorded);
    return { itemsPerSecond, idle, loaded };
  }

  /** From append() until write() has returned, one item at a time, ms. */
  async latencies(samples: number): Promise<number[]> {
    const prng = new Prng(this.#load.seed);
    const times: number[] = [];
    while (times.length < samples) {
      await pause(PAUSE_MS.least + prng.below(PAUSE_MS.spread));
      const begin = performance.now();
      await this.#append(1);
      await this.#recording.complete();
      times.push(performance.now() - begin);
    }
    await this.#verifier.verify(this.#recorded);
    return times;
  }

  async close(): Promise<void> {
    await this.#recording.close();
    clearInterval(this.#alive);
  }

  /** Waits only where the contender asks for it. */
  async #append(bursts: number): Promise<void> {
    const recording = this.#recording;
    const pool = this.#pool;
    const { threads, burst } = this.#load;
    for (let left = bursts; left > 0; left -= 1) {
      const thread = this.#thread;
      const first = (this.#recorded[thread] ?? 0) + 1;
      const end = first + burst;
      this.#recorded[thread] = end - 1;
      this.#thread = thread + 1 === threads ? 0 : thread + 1;
      for (let ordinal = first; ordinal < end; ordinal += 1) {
        const item = pool[this.#next];
        this.#next = this.#next + 1 === pool.length ? 0 : this.#next + 1;
        if (item !== undefined && !recording.append(thread, ordinal, item)) await recording.drained();
      }
    }
  }
}

async function delaysOf(ms: number, turn: () => Promise<void> | undefined): Promise<Quantiles> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const end = performance.now() + ms;
  delays.enable();
  while (performance.now() < end) {
    await turn();
    await nextTurn();
  }
  delays.disable();
  return quantilesOf(delays);
}

const quantilesOf = (delays: IntervalHistogram): Quantiles =>
  ({ p50: delays.percentile(50) / 1e6, p99: delays.percentile(99) / 1e6, max: delays.max / 1e6 });
