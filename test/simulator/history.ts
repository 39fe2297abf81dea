/** One history: a process, its disk and its host, step by step as the schedule says, through crashes and recoveries to a quiet end. */
import { markOf } from '../../worker/rewrite.js';
import { randomFrom } from '../support/random.js';
import { finish, recoverAll } from './ends.js';
import { Host } from './host.js';
import type { CrashOrder } from './inode.js';
import { Machine } from './machine.js';
import { move } from './moves.js';
import { RING_SIZES, SharedMemory } from './shared-memory.js';
import type { Death, Stage } from './stage.js';
import type { System } from './system.js';

export interface Schedule {
  /** Of what may fail, how often, and of the sizes of things. */
  readonly seed: number;
  /** Each decides one step: what happens, and all that is drawn in it. */
  readonly steps: readonly number[];
}

/** What the simulation found. */
export class Disagreement extends Error {}

/** A successor that has died as often is left alone by the faults. */
const SUCCESSORS_MAX = 4;

const memories = new WeakMap<System, Map<number, SharedMemory>>();

/** Reserved once for each size. */
function memoryOf(system: System, ringBytes: number): SharedMemory {
  const own = memories.get(system) ?? new Map<number, SharedMemory>();
  memories.set(system, own);
  const memory = own.get(ringBytes) ?? new SharedMemory(system, ringBytes);
  own.set(ringBytes, memory);
  return memory;
}

export class History implements Stage {
  readonly host: Host;
  readonly machine: Machine;
  readonly trace: string[] = [];
  death: Death | undefined;
  readonly #deaths: number;
  readonly #order: CrashOrder;

  constructor(system: System, seed: number, isTraced = false) {
    const chance = randomFrom(seed ^ 0x5f3759df);
    this.machine = new Machine(seed);
    if (isTraced) this.machine.say = (what) => { this.trace.push(what); };
    this.host = new Host(system, this.machine, memoryOf(system, RING_SIZES[chance(RING_SIZES.length)] ?? RING_SIZES[0]), {
      openFilesMax: [1, 2, 8][chance(3)] ?? 8, syncIntervalMs: [0, 50, 1000][chance(3)] ?? 0, unsyncedBytes: [2 << 10, 8 << 20][chance(2)] ?? 0,
    });
    this.#deaths = chance(3) * 2;
    // A process that comes second does not know that the first one died before it synced the names above the directory.
    if (this.#deaths > 0) this.machine.furnish();
    this.#order = chance(3) === 0 ? 'ordered' : 'any';
  }

  /** @throws Disagreement at the first thing that is wrong */
  async run(steps: readonly number[]): Promise<void> {
    await this.rest();
    for (const step of steps) {
      this.machine.chance = randomFrom(step);
      if (this.host.isReady) move(this, this.#deaths, this.machine.chance);
      else this.host.start();
      await this.rest();
    }
    await finish(this);
  }

  rest = async (): Promise<void> => {
    await new Promise((resolve) => { setImmediate(resolve); });
    const { host, machine } = this;
    const { writer } = host.process;
    if (writer.isDead) writer.bury();
    host.observe();
    if (writer.isDead) await this.#die();
    const [complaint] = machine.complaints;
    if (complaint !== undefined) throw new Disagreement(complaint);
  };

  async #die(): Promise<void> {
    const { host, machine } = this;
    // Nothing but a further boot helps a file system whose journal has stopped.
    const death = machine.journal === 'goes' ? this.death ?? 'process' : 'power';
    this.death = undefined;
    machine.say(`${death} died`);
    // Nobody is left who knows that a sync failed, where the dead one has not marked it.
    for (const { path, refused } of host.threads) if (machine.disk.file(path)?.isLossy === true && machine.disk.file(markOf(path)) === undefined) refused();
    if (death === 'writer') {
      this.#replaceWriter();
      return;
    }
    if (death === 'power') machine.powerLost(this.#order);
    else machine.processDied();
    for (const truth of host.threads) if (machine.disk.file(`${truth.path}.unsynced-1`) !== undefined) truth.keptBeside();
    for (const truth of host.threads) machine.complaints.push(...truth.settle(host.bytesOf(truth), death === 'power' ? 'synced' : 'written'));
    host.restart();
    if (machine.chance(2) === 0) await recoverAll(this);
  }

  /** A successor that cannot begin dies too. */
  #replaceWriter(): void {
    const { host, machine } = this;
    for (let tries = 1; ; tries += 1) {
      if (tries === SUCCESSORS_MAX) machine.faults.isOn = false;
      machine.clock.forget();
      try {
        host.replaceWriter();
        return;
      } catch (error) {
        if (machine.faults.injected === 0 || tries > SUCCESSORS_MAX) throw error;
      }
    }
  }
}
