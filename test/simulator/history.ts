/** One history: a process, its disk and its host, step by step as the schedule says, through crashes and recoveries to a quiet end. */
import { randomFrom } from '../support/random.js';
import type { Chance } from './chance.js';
import { Host, type Opening } from './host.js';
import type { CrashOrder } from './inode.js';
import { Machine } from './machine.js';
import { RING_SIZES, SharedMemory } from './shared-memory.js';
import type { System } from './system.js';
import type { Truth } from './truth.js';

export interface Schedule {
  readonly seed: number;
  readonly steps: readonly number[];
}

/** What the simulation found. */
export class Disagreement extends Error {}

/** Who dies: the writer, and with it the process, and with that what the machine has in its caches. */
const DEATHS = ['writer', 'process', 'power'] as const;
type Death = (typeof DEATHS)[number];

const THREADS_MAX = 4;
/** Turns in which everything comes to rest, once nothing fails. */
const TURNS_MAX = 400;

const memories = new WeakMap<System, Map<number, SharedMemory>>();

/** Reserved once for each size. */
function memoryOf(system: System, ringBytes: number): SharedMemory {
  const own = memories.get(system) ?? new Map<number, SharedMemory>();
  memories.set(system, own);
  const memory = own.get(ringBytes) ?? new SharedMemory(system, ringBytes);
  own.set(ringBytes, memory);
  return memory;
}

export class History {
  readonly #host: Host;
  readonly #machine: Machine;
  readonly #deaths: number;
  readonly #order: CrashOrder;
  /** How the process dies, once its writer's calls are used up. */
  #death: Death | undefined;
  readonly trace: string[] = [];
  readonly #isTraced: boolean;

  constructor(system: System, seed: number, isTraced = false) {
    const chance = randomFrom(seed ^ 0x5f3759df);
    this.#machine = new Machine(seed);
    this.#isTraced = isTraced;
    if (isTraced) this.#machine.say = (what) => { this.trace.push(`  ${what}`); };
    this.#host = new Host(system, this.#machine, memoryOf(system, RING_SIZES[chance(RING_SIZES.length)] ?? RING_SIZES[0]), {
      openFilesMax: [1, 2, 8][chance(3)] ?? 8, syncIntervalMs: [0, 50, 1000][chance(3)] ?? 0, unsyncedBytes: [2 << 10, 8 << 20][chance(2)] ?? 0,
    });
    this.#deaths = chance(3);
    this.#order = chance(3) === 0 ? 'ordered' : 'any';
  }

  async run(steps: readonly number[]): Promise<void> {
    await this.#rest();
    for (const step of steps) {
      this.#machine.chance = randomFrom(step);
      await this.#step(this.#machine.chance);
    }
    await this.#finish();
  }

  async #step(chance: Chance): Promise<void> {
    if (!this.#host.isReady) this.#host.start();
    else this.#move(chance);
    await this.#rest();
  }

  #move(chance: Chance): void {
    const host = this.#host;
    const machine = this.#machine;
    const openings = [...host.openings.values()];
    const open = openings.filter(({ state }) => state === 'open');
    const one = open[chance(open.length)];
    const kind = chance(100);
    if (kind < 24) {
      if (one !== undefined) this.#say(`append ${nameOf(one.truth)}: ${host.append(one, [sizeOf(chance)])}`);
    } else if (kind < 30) {
      if (one !== undefined) this.#say(`appendAll ${nameOf(one.truth)}: ${host.append(one, Array.from({ length: 2 + chance(5) }, () => sizeOf(chance)))}`);
    } else if (kind < 52) {
      this.#say('turn');
      host.process.writer.turn();
    } else if (kind < 60) {
      if (one !== undefined) {
        this.#say(`flush ${nameOf(one.truth)}`);
        host.flush(one);
        host.process.writer.turn();
      }
    } else if (kind < 72) {
      this.#say(`end a sync of ${machine.syncs.length}`);
      if (machine.syncs.length > 0) machine.endSync(chance(machine.syncs.length));
    } else if (kind < 77) {
      const ms = Math.min(machine.clock.untilNextMs ?? 100, 60_000);
      this.#say(`${ms} ms pass`);
      machine.clock.advance(ms);
    } else if (kind < 83) {
      this.#openOne(chance);
    } else if (kind < 87) {
      const failed = openings.find(({ state }) => state === 'failed');
      const unreleased = openings.find(({ state }) => state === 'unreleased');
      if (unreleased !== undefined) host.release(unreleased, { sync: chance(2) === 0, abandon: false });
      else if (failed !== undefined) this.#abandon(failed);
      else if (one !== undefined) this.#close(one, chance(2) === 0);
    } else if (kind < 92) {
      machine.faults.isOn = !machine.faults.isOn;
      this.#say(`faults ${machine.faults.isOn ? 'on' : 'off'}`);
    } else if (kind < 94) {
      machine.disk.room = chance(2) === 0 ? Infinity : chance(3000);
      this.#say(`room for ${machine.disk.room} bytes`);
    } else if (kind < 94 + this.#deaths * 2) {
      this.#doom(chance);
    }
  }

  #openOne(chance: Chance): void {
    const { stored, threads } = this.#host;
    const thread = stored[chance(stored.length)];
    if (thread !== undefined && (threads.size >= THREADS_MAX || chance(2) === 0)) {
      this.#say(`resume ${nameOf(thread)}`);
      this.#host.resume(thread);
    } else if (threads.size < THREADS_MAX) {
      this.#say('create');
      this.#host.create();
    }
  }

  #close(opening: Opening, sync: boolean): void {
    this.#say(`close ${nameOf(opening.truth)}${sync ? ', synced' : ''}`);
    this.#host.close(opening, sync);
  }

  #abandon(opening: Opening): void {
    this.#say(`abandon ${nameOf(opening.truth)}`);
    this.#host.abandon(opening);
  }

  /** The process dies now, or at a call that its writer is about to make. */
  #doom(chance: Chance): void {
    this.#death ??= DEATHS[chance(DEATHS.length)] ?? 'process';
    const { writer } = this.#host.process;
    writer.callsLeft = 1 + chance(3) * chance(12);
    this.#say(`${this.#death} dies at call ${writer.callsLeft}`);
    if (writer.callsLeft === 1) writer.isDying();
  }

  /** Whatever the step made possible without a further step has happened. */
  async #rest(): Promise<void> {
    await new Promise((resolve) => { setImmediate(resolve); });
    const host = this.#host;
    const { writer } = host.process;
    if (writer.isDead) writer.bury();
    host.observe();
    if (writer.isDead) await this.#die();
    this.#check();
  }

  async #die(): Promise<void> {
    const host = this.#host;
    const machine = this.#machine;
    const death = this.#death ?? 'process';
    this.#death = undefined;
    if (death === 'writer') {
      this.#replaceWriter();
      return;
    }
    for (const truth of host.threads) if (machine.disk.file(truth.path)?.isLossy === true) truth.refused();
    if (death === 'power') machine.powerLost(this.#order);
    else machine.processDied();
    this.#say(`${death} died`);
    for (const truth of host.threads) machine.complaints.push(...truth.settle(host.bytesOf(truth), death === 'power' ? 'synced' : 'written'));
    host.restart();
    if (machine.chance(2) === 0) await this.#recoverAll();
  }

  /** A successor that cannot begin dies too. */
  #replaceWriter(): void {
    this.#say('writer died');
    this.#machine.clock.forget();
    for (let tries = 0; tries < TURNS_MAX; tries += 1) {
      if (tries > 3) this.#machine.faults.isOn = false;
      try {
        this.#host.replaceWriter();
        return;
      } catch (error) {
        if (this.#machine.faults.injected === 0) throw error;
        this.#machine.clock.forget();
      }
    }
  }

  /** Every thread twice, and the second time changes nothing. */
  async #recoverAll(): Promise<void> {
    const host = this.#host;
    await this.#calm();
    const before = new Map<Truth, Buffer>();
    for (const round of [1, 2]) {
      this.#say(`recovery ${round}`);
      for (const truth of [...host.threads]) await this.#reopen(truth);
      for (const truth of host.threads) {
        const bytes = host.bytesOf(truth);
        if (bytes === undefined) continue;
        const was = before.get(truth);
        if (round === 1) before.set(truth, Buffer.from(bytes));
        else if (was?.equals(bytes) !== true) this.#machine.complaints.push(`${nameOf(truth)}: a second recovery changed it from ${was?.length} to ${bytes.length} bytes`);
      }
    }
  }

  async #reopen(truth: Truth): Promise<void> {
    const host = this.#host;
    for (let tries = 0; tries < 3 && host.threads.has(truth) && !host.openings.has(truth); tries += 1) {
      host.resume(truth);
      await this.#until(() => host.openings.get(truth)?.state !== 'opening', `${nameOf(truth)} to be resumed`);
    }
    const opening = host.openings.get(truth);
    if (opening === undefined) {
      if (host.threads.has(truth)) this.#machine.complaints.push(`${nameOf(truth)} could not be resumed`);
      return;
    }
    this.#machine.complaints.push(...truth.settle(host.bytesOf(truth), 'written'));
    host.close(opening, false);
    await this.#until(() => !host.openings.has(truth), `${nameOf(truth)} to be closed`);
  }

  /** Nothing fails any more, and everything accepted reaches the disk. */
  async #finish(): Promise<void> {
    const host = this.#host;
    const { writer } = host.process;
    writer.callsLeft = undefined;
    this.#death = undefined;
    await this.#calm();
    await this.#until(() => [...host.openings.values()].every(({ state }) => state !== 'opening'), 'openings to end');
    for (const opening of host.openings.values()) if (opening.state === 'open') this.#close(opening, true);
    await this.#until(() => [...host.openings.values()].every(({ state }) => state === 'failed'), 'closes to end');
    for (const opening of host.openings.values()) this.#abandon(opening);
    await this.#until(() => host.openings.size === 0, 'failed threads to be given up');
    for (const truth of host.threads) this.#machine.complaints.push(...truth.settle(host.bytesOf(truth), 'written'));
    this.#check();
    this.#death = 'power';
    host.process.writer.callsLeft = 1;
    host.process.writer.isDying();
    await this.#rest();
    await this.#recoverAll();
    this.#check();
  }

  async #calm(): Promise<void> {
    const machine = this.#machine;
    machine.faults.isOn = false;
    machine.disk.room = Infinity;
    for (let turn = 0; turn < TURNS_MAX && !this.#host.isReady; turn += 1) {
      this.#host.start();
      await this.#rest();
    }
  }

  /** Lets everything happen that can, in turn. */
  async #until(isReached: () => boolean, what: string): Promise<void> {
    const machine = this.#machine;
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      await this.#rest();
      if (isReached()) return;
      for (const opening of this.#host.openings.values()) if (opening.state === 'unreleased') this.#host.release(opening, { sync: false, abandon: false });
      this.#host.process.writer.turn();
      while (machine.syncs.length > 0) {
        machine.endSync(0);
        await this.#rest();
      }
      machine.clock.advance(500);
    }
    machine.complaints.push(`waited in vain for ${what}`);
    this.#check();
  }

  #check(): void {
    const [complaint] = this.#machine.complaints;
    if (complaint !== undefined) throw new Disagreement(complaint);
  }

  #say(what: string): void {
    if (this.#isTraced) this.trace.push(what);
  }
}

/** Mostly small, some of several sectors, a few larger than what the ring takes. */
function sizeOf(chance: Chance): number {
  return [40, 40, 700, 700, 3_000, 20_000][chance(6)] === 20_000 ? chance(20_000) : chance([40, 700, 3_000][chance(3)] ?? 40);
}

function nameOf({ threadId }: Truth): string {
  return threadId.slice(-4);
}
