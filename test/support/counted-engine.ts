/**
 * The engine of a writer and the producer that feeds it, over one memory on one thread, on a real folder: a pass comes when it is
 * called, and every call of the file system is counted, with the bytes that are written and those that are copied.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RingData } from '../../src/control/protocol.js';
import type { ItemProducer } from '../../src/producer/item-producer.js';
import type { Engine } from '../../worker/engine.js';
import type { FsOps } from '../../worker/seams.js';
import { loadModules, type Modules } from '../simulator/system.js';
import { mutantPackage, type Patch } from './mutants.js';
import { temporaryFolder } from './sidecars.js';

const RING_BYTES = 8 << 20;
const OVERFLOW_BYTES = 8 << 20;
/** Nothing is synced but on request. */
const OPTIONS = { openFilesMax: 64, syncIntervalMs: 0, unsyncedBytes: 64 << 20 };

export interface Work {
  /** Of each call of FsOps, how often. */
  readonly calls: Readonly<Record<string, number>>;
  readonly bytesWritten: number;
  readonly bytesCopied: number;
}

interface Opened { readonly slot: number; readonly incarnation: number }

export class CountedEngine {
  readonly #modules: Modules;
  readonly #engine: Engine;
  readonly #sidecar;
  readonly #producers: ItemProducer[] = [];
  readonly #slots;
  readonly #control;
  readonly #directory = join(temporaryFolder(), 'root');
  #calls: Record<string, number> = {};
  #bytesWritten = 0;
  #made = 0;
  #passWaiters: ((frames: number) => void)[] = [];

  private constructor(modules: Modules, transcoder: WebAssembly.Module) {
    this.#modules = modules;
    const { control, engine, fsOps, memory, processes, slotTable } = modules;
    const sidecar = memory.createSidecarMemory();
    this.#sidecar = sidecar;
    const rings = [this.#newRing()];
    this.#slots = new slotTable.SlotTable(sidecar);
    const data = {
      ...OPTIONS, sidecar: sidecar.buffer, rings, transcoder,
      temporaryFolder: this.#directory, owner: { instance: '0'.repeat(16), since: '' },
    };
    const seams = { fs: this.#counted(fsOps.nodeFsOps), clock: fsOps.systemClock, rng: fsOps.systemRng, processes: processes.systemProcesses };
    this.#engine = engine.createEngine(data, seams, () => undefined);
    const nextPass = (): Promise<number> => new Promise((resolve) => { this.#passWaiters.push(resolve); });
    this.#control = new control.Control({ ...this.#engine, nextPass, stop: () => undefined });
    onTestFinished(async () => {
      await this.#engine.syncs.stop();
      this.#engine.files.closeAll();
      this.#engine.leases.releaseAll();
    });
  }

  /** With `threads` that are open. */
  static async create(threads: number, ...patches: readonly Patch[]): Promise<{ engine: CountedEngine; opened: Opened[] }> {
    const folder = new URL('../', mutantPackage(...patches).lastwordUrl);
    const transcoder = new WebAssembly.Module(readFileSync(new URL('worker/transcode/transcoder.wasm', folder)));
    const engine = new CountedEngine(await loadModules(folder), transcoder);
    await engine.#control.openDirectory(engine.#directory);
    const opened: Opened[] = [];
    while (opened.length < threads) opened.push(await engine.#open());
    return { engine, opened };
  }

  /** A ring, and who appends to it: number 0 is there from the beginning. */
  async addProducer(): Promise<number> {
    const added = await this.#control.addRing(this.#newRing());
    if (!added.ok) throw new Error(added.error.message);
    return this.#producers.length - 1;
  }

  #newRing(): RingData {
    const { encode, itemProducer, memory } = this.#modules;
    const wasm = memory.createProducerWasmMemory(RING_BYTES, OVERFLOW_BYTES);
    const ring = memory.viewProducerMemory(wasm.buffer, RING_BYTES, OVERFLOW_BYTES);
    const itemBytesMax = OVERFLOW_BYTES;
    const made = new itemProducer.ItemProducer(ring, this.#sidecar, new encode.Encoder({ itemBytesMax, memory: ring.buffer }), {
      itemBytesMax, overflowBytes: OVERFLOW_BYTES, whenFull: 'throw', fullTimeoutMs: 0, depth: () => 2,
    });
    return { producer: this.#producers.push(made) - 1, memory: wasm, ringBytes: RING_BYTES, overflowBytes: OVERFLOW_BYTES };
  }

  async #open(): Promise<Opened> {
    const { slot, incarnation } = this.#slots.take();
    this.#made += 1;
    const threadId = `01932b2e-0000-7000-8000-${String(this.#made).padStart(12, '0')}`;
    const header = this.#own.encode({ type: 'session_meta', payload: { id: threadId } });
    const path = join(this.#directory, 'sessions', '2026', '01', '01', `rollout-2026-01-01T00-00-00-${threadId}.jsonl`);
    const made = await this.#control.createThread({ slot, incarnation, threadId, path, base: 1, header, timestampMs: 0, isAgain: false });
    if (!made.ok) throw new Error(made.error.message);
    this.#modules.slots.setBase(this.#sidecar, slot, 1);
    return { slot, incarnation };
  }

  get #own(): ItemProducer {
    const [own] = this.#producers;
    if (own === undefined) throw new Error('there is no producer yet');
    return own;
  }

  append({ slot, incarnation }: Opened, item: object, producer = 0): void {
    this.#producers[producer]?.append(slot, incarnation, item);
  }

  /** Items that write() took. */
  written({ slot }: Opened): number {
    return this.#modules.slots.writtenOf(this.#sidecar, slot);
  }

  /** What one pass does. */
  pass(): Work {
    return this.#work(() => { this.#engine.writer.pass(); });
  }

  /** What it takes until all that is written is synced. */
  async sync(opened: readonly Opened[]): Promise<Work> {
    const { doorbell, figures, slots } = this.#modules;
    const sidecar = this.#sidecar;
    for (const { slot } of opened) slots.wantSynced(sidecar, slot, slots.acceptedIn(slots.sealWordOf(sidecar, slot)));
    doorbell.requestSync(sidecar);
    this.#calls = {};
    this.#engine.syncs.step(doorbell.syncRequests(sidecar), figures.figureOf(sidecar, 'bytesUnsynced'));
    for (const { slot } of opened) while (slots.syncedOf(sidecar, slot) < slots.writtenOf(sidecar, slot)) await new Promise((resolve) => { setImmediate(resolve); });
    return { calls: this.#calls, bytesWritten: 0, bytesCopied: 0 };
  }

  #work(act: () => void): Work {
    this.#calls = {};
    this.#bytesWritten = 0;
    const bytesCopied = copiedDuring(act);
    return { calls: this.#calls, bytesWritten: this.#bytesWritten, bytesCopied };
  }

  #counted(ops: FsOps): FsOps {
    const count = (name: string, call: (...args: never[]) => unknown) => (...args: never[]): unknown => {
      this.#calls[name] = (this.#calls[name] ?? 0) + 1;
      const result = call(...args);
      if (name === 'write') this.#bytesWritten += result as number;
      return result;
    };
    return Object.fromEntries(Object.entries(ops).map(([name, call]) => [name, count(name, call as (...args: never[]) => unknown)])) as unknown as FsOps;
  }
}

/** Bytes that are copied from array to array. */
function copiedDuring(act: () => void): number {
  const { set, slice, copyWithin } = Uint8Array.prototype;
  const { copy, fill } = Buffer.prototype as { copy: Buffer['copy']; fill: (this: Buffer, value: unknown, ...range: number[]) => Buffer };
  let bytes = 0;
  Uint8Array.prototype.set = function counted(source, offset) { bytes += source.length; set.call(this, source, offset); };
  Uint8Array.prototype.slice = function counted(...args) { const made = slice.apply(this, args); bytes += made.length; return made; };
  Uint8Array.prototype.copyWithin = function counted(...args) { bytes += this.length; return copyWithin.apply(this, args); };
  Buffer.prototype.copy = function counted(...args: Parameters<Buffer['copy']>) { const copied = copy.apply(this, args); bytes += copied; return copied; };
  Object.assign(Buffer.prototype, {
    fill(this: Buffer, value: unknown, ...range: number[]): Buffer {
      if (value instanceof Uint8Array) bytes += value.byteLength;
      return fill.call(this, value, ...range);
    },
  });
  try {
    act();
    return bytes;
  } finally {
    Object.assign(Uint8Array.prototype, { set, slice, copyWithin });
    Object.assign(Buffer.prototype, { copy, fill });
  }
}
