/** What goes wrong in a host of the soak, and is well again after a while: its writer dies, its disk refuses, fails or is full. */
import fs from 'node:fs';
import { setEnvironmentData } from 'node:worker_threads';
import { FAULTY } from '../crash/writer-words.mjs';
import { closeGate, createRig, DEATHS, openGate, rigDisk, setFull } from '../exits/rig.mjs';

const { CALLS, FAILS_AT, IS_PERSISTENT, ERROR } = FAULTY;
const WORDS = 1 << 10;
export const ERRORS = [{ code: 'EIO', errno: -5 }, { code: 'ENOSPC', errno: -28 }, { code: 'EMFILE', errno: -24, only: 'open' }];
/** Between two faults, at most. */
const PAUSE_MS = 1_200;
/** A writer that dies thrice in ten seconds has no further successor. */
const DEATH_PAUSE_MS = 4_000;

export class Faults {
  /** The writer of `openSidecar()`. */
  writerUrl = new URL('../crash/faulty-writer.mjs', import.meta.url);
  #rig;
  #disk = new Int32Array(new SharedArrayBuffer(4 * WORDS));
  #next;
  #writer = undefined;
  #diedMs = -Infinity;
  #kinds;

  /** `flavour`: what may go wrong in this process, as `soak.ts` has it. */
  constructor({ directory, flavour, writerUrl, calls }, next) {
    this.#next = next;
    this.#kinds = flavour.faults;
    this.#rig = createRig(writerUrl);
    setEnvironmentData('lastword-test-faults', {
      words: this.#disk, directory, errors: ERRORS, kinds: calls, spared: flavour.spared, writerUrl: new URL('../exits/rigged-writer.mjs', import.meta.url).href,
    });
    rigDisk(fs, this.#rig, false);
    process.on('worker', (worker) => { this.#writer = worker; });
  }

  /** One after the other until it is over; everything is well then. */
  async run(isOver, pause) {
    while (!isOver() && this.#kinds.length > 0) {
      await pause(this.#next(PAUSE_MS));
      await this[this.#kinds[this.#next(this.#kinds.length)]](pause);
      this.heal();
    }
  }

  heal() {
    Atomics.store(this.#disk, FAILS_AT, 0);
    setFull(this.#rig, 'nothing');
  }

  /** The writer dies at its next write, or by its next pass. */
  death() {
    if (!this.#mayDie()) return;
    const deaths = DEATHS.slice(1, 5);
    closeGate(this.#rig, { death: deaths[this.#next(deaths.length)] });
    openGate(this.#rig);
  }

  /** The host ends the worker, wherever it is. */
  termination() {
    if (this.#mayDie()) void this.#writer?.terminate();
  }

  #mayDie() {
    if (performance.now() - this.#diedMs < DEATH_PAUSE_MS) return false;
    this.#diedMs = performance.now();
    return true;
  }

  /** One of the next calls of the writer's fails, whatever it is. */
  async call(pause) {
    this.#fail(Atomics.load(this.#disk, CALLS) + 1 + this.#next(60), 0);
    await pause(200 + this.#next(400));
  }

  /** All of them, for a while. */
  async disk(pause) {
    this.#fail(1, 1);
    await pause(this.#next(600));
  }

  #fail(at, isPersistent) {
    Atomics.store(this.#disk, ERROR, this.#next(ERRORS.length));
    Atomics.store(this.#disk, IS_PERSISTENT, isPersistent);
    Atomics.store(this.#disk, FAILS_AT, at);
  }

  /** No room for a while; for salvage files perhaps. */
  async full(pause) {
    setFull(this.#rig, this.#next(2) === 0 ? 'rollouts' : 'everything');
    await pause(this.#next(800));
  }
}
