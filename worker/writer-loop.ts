import { beat, exitRequests, park, salvageAnswers, salvageRequests, syncRequests, unpark, wakeWriter, writerGeneration } from '../src/ring/doorbell.js';
import { figureOf } from '../src/ring/figures.js';
import type { Engine } from './engine.js';

/** Empty looks before the writer parks: waking it costs the host more than these cost the writer. */
const EMPTY_LOOKS_MAX = 20;

/** What becomes of requests of a process that ends, once an empty pass has shown that nothing more can be written now. */
export interface EndAnswers {
  exits(request: number): void;
  /** False when it is to be called again. */
  salvages(request: number, isAgain: boolean): boolean;
}

/** Keeps the writer's own pace: a bounded pass, then a turn for commands; parks when some looks in a row find nothing. */
export class WriterLoop {
  readonly #engine: Engine;
  readonly #answers: EndAnswers;
  #isStopped = false;
  #exitsAnswered = 0;
  #salvagesAnswered: number;
  #salvagesTried = 0;
  /** Who waits for the end of a pass. */
  #passWaiters: ((frames: number) => void)[] = [];

  constructor(engine: Engine, answers: EndAnswers) {
    this.#engine = engine;
    this.#answers = answers;
    this.#salvagesAnswered = salvageAnswers(engine.sidecar);
  }

  /** The next pass, and how many frames it took. */
  nextPass = (): Promise<number> => new Promise((resolve) => {
    this.#passWaiters.push(resolve);
    wakeWriter(this.#engine.sidecar);
  });

  stop = (): void => {
    this.#isStopped = true;
    wakeWriter(this.#engine.sidecar);
  };

  async run(): Promise<void> {
    const { sidecar, syncs, writer } = this.#engine;
    let emptyLooks = 0;
    while (!this.#isStopped) {
      const generation = writerGeneration(sidecar);
      const requests = syncRequests(sidecar);
      const exits = exitRequests(sidecar);
      const salvages = salvageRequests(sidecar);
      beat(sidecar);
      const waiters = this.#passWaiters;
      this.#passWaiters = [];
      const frames = writer.pass();
      for (const resolve of waiters) resolve(frames);
      syncs.step(requests, figureOf(sidecar, 'bytesUnsynced'));
      if (frames === 0 && exits !== this.#exitsAnswered) {
        this.#exitsAnswered = exits;
        this.#answers.exits(exits);
      }
      if (frames === 0 && salvages !== this.#salvagesAnswered) {
        const isAgain = salvages === this.#salvagesTried;
        this.#salvagesTried = salvages;
        if (this.#answers.salvages(salvages, isAgain)) this.#salvagesAnswered = salvages;
      }
      emptyLooks = frames > 0 ? 0 : emptyLooks + 1;
      if (emptyLooks <= EMPTY_LOOKS_MAX) {
        await turn();
        continue;
      }
      const wait = park(sidecar, writer.rings.filter((ring) => !ring.isStalled).map((ring) => ring.consumer), generation, requests);
      if (wait === undefined) {
        await turn();
        continue;
      }
      if (wait.async) await wait.value;
      unpark(sidecar);
      emptyLooks = 0;
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}
