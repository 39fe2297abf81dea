/** A process of the simulation: a producer, the memory it shares with its writer, and the writer itself, on one thread. */
import type { Opening, Reply, WriterControl, WriterEvent } from '../../src/control/protocol.js';
import type { ItemProducer } from '../../src/producer/item-producer.js';
import type { SlotTable } from '../../src/slot-table.js';
import type { Engine, EngineData } from '../../worker/engine.js';
import type { Clock, ProcessIdentity } from '../../worker/seams.js';
import type { Machine } from './machine.js';
import { OVERFLOW_BYTES, type SharedMemory } from './shared-memory.js';
import type { System } from './system.js';
import { VirtualFs, type Caller } from './virtual-fs.js';

export const DIRECTORY = '/home/threads';
const TEMPORARY_FOLDER = '/tmp';

export interface ProcessOptions {
  readonly openFilesMax: number;
  readonly syncIntervalMs: number;
  readonly unsyncedBytes: number;
}

/** A writer over the memory. It may die at any call of a seam; what it does after that, in a handler, never happened. */
class LivingWriter implements Caller {
  readonly engine: Engine;
  readonly control: WriterControl;
  isDead = false;
  /** Calls that it still makes; undefined while it lives on. */
  callsLeft: number | undefined;
  #restore: (() => void) | undefined;
  readonly #memory: SharedMemory;
  readonly #system: System;
  #passWaiters: ((frames: number) => void)[] = [];

  constructor(process: VirtualProcess, system: System, machine: Machine, data: EngineData, tell: (event: WriterEvent) => void) {
    this.#memory = process.memory;
    this.#system = system;
    const { clock } = machine;
    // Who dies here goes on up to the next call of the disk: nothing of that is seen.
    const own: Clock = {
      nowMs: () => { this.isDying(); return clock.nowMs(); },
      monotonicUs: () => { this.isDying(); return clock.monotonicUs(); },
      after: (ms, callback) => this.isDead ? () => undefined : clock.after(ms, () => { this.#unlessDead(callback); }),
    };
    const rng = { uint32: () => machine.draws++ };
    const seams = { fs: new VirtualFs(machine, this), clock: own, rng, processes: process.processes };
    this.engine = system.engine.createEngine(data, seams, (event) => { if (!this.isDying()) tell(event); });
    const nextPass = (): Promise<number> => new Promise((resolve) => { this.#passWaiters.push(resolve); });
    this.control = new system.control.Control({ ...this.engine, nextPass, stop: () => undefined });
  }

  isDying(): boolean {
    if (this.isDead) return true;
    if (this.callsLeft === undefined) return false;
    this.callsLeft -= 1;
    if (this.callsLeft > 0) return false;
    this.isDead = true;
    this.#restore = this.#memory.keep();
    return true;
  }

  /** One turn of the loop of `worker/main.ts`. What it throws would end the writer. */
  turn(): void {
    this.#unlessDead(() => { this.#turn(); });
  }

  #unlessDead(act: () => void): void {
    if (this.isDead) return;
    try {
      act();
    } catch (error) {
      if (!this.isDead) throw error;
    }
  }

  #turn(): void {
    const { doorbell, figures } = this.#system;
    const { sidecar, syncs, writer } = this.engine;
    const requests = doorbell.syncRequests(sidecar);
    const waiters = this.#passWaiters;
    this.#passWaiters = [];
    const frames = writer.pass();
    for (const resolve of waiters) resolve(frames);
    syncs.step(requests, figures.figureOf(sidecar, 'bytesUnsynced'));
  }

  /** What its handlers did to the memory after its death is taken back. */
  bury(): void {
    this.#restore?.();
    this.#restore = undefined;
  }
}

/** To the writer, and again to its successor. */
type Command = (control: WriterControl, isAgain: boolean) => Promise<Reply<unknown>>;

export class VirtualProcess {
  readonly memory: SharedMemory;
  readonly producer: ItemProducer;
  readonly slots: SlotTable;
  readonly processes;
  writer: LivingWriter;
  readonly #system: System;
  readonly #newWriter: () => LivingWriter;
  /** Commands that nobody has answered. */
  readonly #inFlight = new Map<Command, (reply: Reply<unknown>) => void>();

  constructor(system: System, machine: Machine, memory: SharedMemory, options: ProcessOptions, tell: (event: WriterEvent) => void) {
    memory.clear();
    this.memory = memory;
    this.#system = system;
    const { ring, sidecar, wasm } = memory;
    const encoder = new system.encode.Encoder({ itemBytesMax: OVERFLOW_BYTES, memory: ring.buffer });
    this.producer = new system.itemProducer.ItemProducer(ring, sidecar, encoder, {
      itemBytesMax: OVERFLOW_BYTES, overflowBytes: OVERFLOW_BYTES, whenFull: 'throw', fullTimeoutMs: 0, depth: () => 2,
    });
    this.slots = new system.slotTable.SlotTable(sidecar);
    const identity: ProcessIdentity = { pid: machine.pid, start: String(machine.pid), boot: `boot ${machine.boots}`, namespace: 'one', host: 'here' };
    this.processes = { self: () => identity, isAlive: ({ pid }: { pid: number }) => pid === machine.pid, findFlock: () => undefined };
    const data: EngineData = {
      sidecar: sidecar.buffer, rings: [{ producer: 0, memory: wasm, ringBytes: ring.layout.ringBytes, overflowBytes: OVERFLOW_BYTES }], transcoder: system.transcoder, ...options,
      temporaryFolder: TEMPORARY_FOLDER,
      owner: { instance: (machine.draws++).toString(16).padStart(16, '0'), since: '' },
    };
    this.#newWriter = () => new LivingWriter(this, system, machine, data, tell);
    this.writer = this.#newWriter();
  }

  /** Sends a command; the answer comes when the schedule has brought about what it waits for, or never. */
  send<T>(command: (control: WriterControl, isAgain: boolean) => Promise<Reply<T>>, answered: (reply: Reply<T>) => void): void {
    this.#inFlight.set(command, answered as (reply: Reply<unknown>) => void);
    this.#send(command, false);
  }

  #send(command: Command, isAgain: boolean): void {
    const { writer } = this;
    void command(writer.control, isAgain).then((reply) => {
      const answered = this.#inFlight.get(command);
      if (writer.isDead || answered === undefined) return;
      this.#inFlight.delete(command);
      answered(reply);
    });
  }

  /** The writer is dead: another one takes over, as long as it lives. */
  replaceWriter(openings: readonly Opening[]): void {
    this.#system.figures.resetWriter(this.memory.sidecar);
    this.writer = this.#newWriter();
    const { writer } = this;
    this.#system.takeover.takeOver(writer.engine, DIRECTORY, openings);
    for (const command of [...this.#inFlight.keys()]) this.#send(command, true);
  }
}
