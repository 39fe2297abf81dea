/** Agents in other JavaScript threads, in a process of its own: producers-child.js <directory> <what as JSON>. Prints figures as JSON. */
import { Worker } from 'node:worker_threads';
import { openSidecar, type Sidecar, type Thread } from 'lastword';
import { beginUsage } from '../cells/usage.js';
import { LineVerifier } from '../cells/verify-lines.js';
import type { Load } from '../load/pool.js';
import { nothing } from '../peers/contender.js';
import { ACKNOWLEDGED_EVERY } from '../peers/kept-files.js';
import type { AgentsData, Ask, Told, Way } from './producers-agents.js';

export interface What {
  readonly way: Way;
  readonly workers: number;
  readonly agents: number;
  readonly items: number;
  /** Of one item now and then, while another thread has nothing to do, and then while it floods its ring; 0 for none. */
  readonly samples: number;
  readonly load: Load;
  readonly seed: number;
}

export interface Figures {
  readonly itemsPerSecond: number;
  /** Of the main thread's event loop, per item. */
  readonly mainUs: number;
  readonly alone: readonly number[];
  readonly besideFlood: readonly number[];
}

/** Warm-up, as a part of the items. */
const WARM_UP = 0.2;

const [directory = '', json = ''] = process.argv.slice(2);
const what = JSON.parse(json) as What;
const { way, workers, agents, items, samples, load, seed } = what;

/** A worker with its agents, and, where they send their items, the threads that main has open for them. */
class Agents {
  readonly threads: readonly Thread[];
  readonly #worker: Worker;
  readonly #sidecar: Sidecar;
  paths: readonly string[] = [];
  #waiting: ((latencies: readonly number[]) => void) | undefined;
  #unacknowledged = 0;

  private constructor(sidecar: Sidecar, worker: Worker, threads: readonly Thread[]) {
    this.#sidecar = sidecar;
    this.#worker = worker;
    this.threads = threads;
    worker.on('message', (told: Told) => { this.#told(told); });
  }

  static async start(sidecar: Sidecar): Promise<Agents> {
    const threads: Thread[] = [];
    while (way === 'messages' && threads.length < agents) threads.push(await sidecar.createThread());
    const port = sidecar.createProducerPort();
    const workerData: AgentsData = { way, port, agents, load, seed };
    const worker = new Worker(new URL('./producers-agents.js', import.meta.url), { workerData, transferList: [port.port] });
    const started = new Agents(sidecar, worker, threads);
    await new Promise<unknown>((resolve, reject) => {
      started.#waiting = resolve;
      worker.once('error', reject);
    });
    return started;
  }

  #told(told: Told): void {
    if (told.told === 'items') {
      this.threads[told.agent]?.append(told.item);
      this.#unacknowledged += 1;
      if (this.#unacknowledged % ACKNOWLEDGED_EVERY === 0) void this.#acknowledge();
      return;
    }
    if (told.told === 'ready') this.paths = way === 'messages' ? this.threads.map(({ path }) => path) : told.paths;
    this.#waiting?.(told.told === 'done' ? told.latencies : []);
  }

  async #acknowledge(): Promise<void> {
    if (this.#sidecar.needsDrain) await this.#sidecar.drained();
    this.#worker.postMessage(ACKNOWLEDGED_EVERY);
  }

  tell(ask: Ask): void {
    this.#worker.postMessage(ask);
  }

  async ask(ask: Ask): Promise<readonly number[]> {
    const done = new Promise<readonly number[]>((resolve) => { this.#waiting = resolve; });
    this.tell(ask);
    const latencies = await done;
    if (way === 'messages') await this.#sidecar.flush();
    return latencies;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

const sidecar = await openSidecar({ directory, logger: false, syncIntervalMs: 0, unsyncedBytes: 1 << 30 });
const all: Agents[] = [];
while (all.length < workers) all.push(await Agents.start(sidecar));
const runAll = (total: number): Promise<unknown> => Promise.all(all.map((each) => each.ask({ ask: 'run', items: total / workers })));

await runAll(items * WARM_UP);
const end = beginUsage();
await runAll(items);
const { wallMs, loopMs } = end();

const verifier = new LineVerifier(way, { paths: all.flatMap(({ paths }) => paths), headerLines: 1, append: () => true, drained: nothing, complete: nothing, close: nothing });
await verifier.verify(Array.from({ length: agents * workers }, () => (items * (1 + WARM_UP)) / workers / agents));

const latencies = { alone: [] as readonly number[], besideFlood: [] as readonly number[] };
const [quiet, other] = all;
if (samples > 0 && quiet !== undefined && other !== undefined) {
  latencies.alone = await quiet.ask({ ask: 'latencies', samples });
  const flooded = other.ask({ ask: 'flood' });
  latencies.besideFlood = await quiet.ask({ ask: 'latencies', samples });
  other.tell({ ask: 'rest' });
  await flooded;
}
const figures: Figures = { itemsPerSecond: (items * 1000) / wallMs, mainUs: (loopMs * 1000) / items, ...latencies };
await Promise.all(all.map((each) => each.stop()));
await sidecar.close();
process.stdout.write(JSON.stringify(figures));
