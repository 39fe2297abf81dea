/**
 * The shipped ring, parking area, slots and doorbell under the explorer, with a writer that may die before each of its
 * stores and is taken over. What the writer does between calls of the source is `worker/writer.ts` in the small: files are
 * words of a memory that outlives it, and may fail until they are healed.
 */
import { fileURLToPath } from 'node:url';
import { explore, runAlone, type Exploration, type Threads } from './explorer.js';
import { ATOMICS, plainGet, plainSet, settle, type Simulation } from './simulated-memory.js';
import { SimulatedSource, construct, type Patch, type Simulated, type SimulatedObject } from './transform.js';

type Layout = typeof import('../../src/ring/layout.js');
type Memory = typeof import('../../src/ring/memory.js');
type Frame = typeof import('../../src/ring/frame.js');
type Slots = typeof import('../../src/ring/slots.js');
type Doorbell = typeof import('../../src/ring/doorbell.js');
type RingProducer = typeof import('../../src/ring/ring-producer.js');
type RingConsumer = typeof import('../../src/ring/ring-consumer.js');
type ParkingModule = typeof import('../../src/ring/parking.js');
type Parking = import('../../src/ring/parking.js').Parking;
type ParkedFrame = import('../../src/ring/parking.js').ParkedFrame;
type ProducerMemory = ReturnType<Memory['viewProducerMemory']>;

const fileOf = (name: string): string => fileURLToPath(new URL(`../../src/ring/${name}.ts`, import.meta.url));
const NAMES = ['layout', 'memory', 'frame', 'slots', 'doorbell', 'ring-producer', 'ring-consumer', 'parking'];

/** Bugs of a successor. */
export type SuccessorBug = 'believes the watermark' | 'wakes nobody' | 'ignores the log' | 'adopts twice' | 'forgets requests';
export interface TakeoverScenario {
  readonly ringBytes: number;
  readonly overflowBytes: number;
  /** Bytes of arena and parking area, where they are to be smaller than they are laid out. */
  readonly arenaBytes?: number;
  /** Slot and payload bytes of each item, in the order of appending. */
  readonly items: readonly (readonly [slot: number, bytes: number])[];
  /** How many are appended before the threads begin. */
  readonly prefilled?: number;
  /** What happens to the files: they fail at first, are healed, and fail again, in this order. */
  readonly disk?: readonly (readonly ['fails' | 'heals', number])[];
  /** Slots of which somebody waits for a sync. */
  readonly flushed?: readonly number[];
  readonly dies?: boolean;
  readonly preemptionsMax?: number;
  readonly schedulesMax?: number;
  readonly patches?: readonly Patch[];
  readonly successorBug?: SuccessorBug;
}

/** Words of a file: whether it fails, how many items it has, how many of them are on the disk; then the items. */
const FILE_WORDS = 16;
const FAILS = 0;
const LENGTH = 1;
const ON_DISK = 2;
const LINES = 3;

/** A file in the present writer's eyes. */
interface OpenFile {
  readonly slot: number;
  written: number;
  synced: number;
  parked: ParkedFrame[];
}

export function exploreTakeover(scenario: TakeoverScenario): Exploration {
  const model = new TakeoverModel(scenario);
  const { disk = [], flushed = [], preemptionsMax = 2, schedulesMax } = scenario;
  const count = 2 + (disk.some(([what]) => what === 'heals') ? 1 : 0) + flushed.length;
  return explore({ count, start: () => model.start(), preemptionsMax, ...(schedulesMax === undefined ? {} : { schedulesMax }) });
}

class TakeoverModel {
  readonly #scenario: TakeoverScenario;
  readonly #layout: Simulated<Layout>;
  readonly #frame: Simulated<Frame>;
  readonly #slots: Simulated<Slots>;
  readonly #doorbell: Simulated<Doorbell>;
  readonly #ringProducer: Simulated<RingProducer>;
  readonly #ringConsumer: Simulated<RingConsumer>;
  readonly #parking: ParkingModule;
  readonly #memory: ProducerMemory;
  readonly #sidecar: ReturnType<Memory['createSidecarMemory']>;
  readonly #files: Int32Array;
  readonly #slotCount: number;

  constructor(scenario: TakeoverScenario) {
    const source = new SimulatedSource(NAMES.map(fileOf), scenario.patches ?? []);
    this.#scenario = scenario;
    this.#layout = source.load<Layout>(fileOf('layout'));
    this.#frame = source.load<Frame>(fileOf('frame'));
    this.#slots = source.load<Slots>(fileOf('slots'));
    this.#doorbell = source.load<Doorbell>(fileOf('doorbell'));
    this.#ringProducer = source.load<RingProducer>(fileOf('ring-producer'));
    this.#ringConsumer = source.load<RingConsumer>(fileOf('ring-consumer'));
    this.#parking = source.load<ParkingModule>(fileOf('parking'));
    const views = source.load<Memory>(fileOf('memory'));
    const { ringBytes, overflowBytes, arenaBytes } = scenario;
    const { pages } = runAlone(this.#layout.layOut(ringBytes, overflowBytes));
    const memory = runAlone(views.viewProducerMemory(new SharedArrayBuffer(pages * 65_536), ringBytes, overflowBytes));
    this.#memory = arenaBytes === undefined ? memory : { ...memory, layout: { ...memory.layout, arenaBytes } };
    this.#sidecar = runAlone(views.createSidecarMemory());
    this.#slotCount = 1 + Math.max(...scenario.items.map(([slot]) => slot));
    this.#files = new Int32Array(new SharedArrayBuffer(this.#slotCount * FILE_WORDS * 4));
  }

  start(): Threads {
    const { dies = true, disk = [], flushed = [], prefilled = 0 } = this.#scenario;
    for (let slot = 0; slot < this.#slotCount; slot += 1) runAlone(this.#slots.takeSlot(this.#sidecar, slot));
    const heals = disk.findIndex(([what]) => what === 'heals');
    for (const [, slot] of disk.slice(0, Math.max(0, heals))) plainSet(this.#files, this.#wordOf(slot, FAILS), 1);
    const producer = runAlone(this.#ringProducer.createRingProducer(this.#memory, this.#scenario.overflowBytes));
    runAlone(this.#appendAll(producer, 0, prefilled));
    const threads: Record<string, Simulation<void>> = { producer: this.#produce(producer, prefilled), writer: this.#write(false) };
    if (heals >= 0) threads['disk'] = this.#change(disk.slice(heals));
    for (const slot of flushed) threads[`flusher ${slot}`] = this.#flush(slot);
    return { threads, atEnd: () => { this.#check(); }, ...(dies ? { successors: { writer: () => this.#write(true) } } : {}) };
  }

  #wordOf(slot: number, word: number): number {
    return slot * FILE_WORDS + word;
  }

  #itemsOf(slot: number): number {
    return this.#scenario.items.filter(([itemSlot]) => itemSlot === slot).length;
  }

  #check(): void {
    for (let slot = 0; slot < this.#slotCount; slot += 1) {
      demand(`items in file ${slot}`, runAlone(load(this.#files, this.#wordOf(slot, LENGTH))), this.#itemsOf(slot));
      demand(`written of ${slot}`, runAlone(this.#slots.writtenOf(this.#sidecar, slot)), this.#itemsOf(slot));
    }
    const parking = runAlone(construct(this.#parking.Parking, this.#memory));
    demand('frames left in the log', parking.frames.length, 0);
  }

  // ------------------------------------------------------------------------------------------------- the host's side

  *#produce(producer: ReturnType<RingProducer['createRingProducer']>, from: number): Simulation<void> {
    yield* this.#appendAll(producer, from, this.#scenario.items.length);
    for (let slot = 0; slot < this.#slotCount; slot += 1) yield* this.#slots.seal(this.#sidecar, slot);
    yield* this.#doorbell.wakeWriter(this.#sidecar);
    for (let slot = 0; slot < this.#slotCount; slot += 1) yield* this.#waitFor(() => this.#slots.writtenOf(this.#sidecar, slot), this.#itemsOf(slot));
  }

  *#appendAll(producer: ReturnType<RingProducer['createRingProducer']>, from: number, to: number): Simulation<void> {
    for (const [slot, payloadBytes] of this.#scenario.items.slice(from, to)) {
      const bytes = yield* this.#frame.frameBytes(payloadBytes);
      for (;;) {
        const generation = yield* this.#doorbell.producerGeneration(this.#memory);
        const seen = yield* this.#slots.sealWordOf(this.#sidecar, slot);
        const address = yield* this.#ringProducer.tryClaim(producer, bytes, true);
        if (address < 0) {
          yield* this.#doorbell.wakeWriter(this.#sidecar);
          yield* this.#doorbell.sleepProducer(this.#memory, generation, 1_000);
          continue;
        }
        for (let word = 8; word < bytes / 4; word += 1) plainSet(this.#memory.words, address / 4 + word, seen * 100 + word);
        yield* this.#frame.writeItemHeader(this.#memory, address, producer.claimPosition, payloadBytes, slot, 1, 0, seen);
        demand('accepted', yield* this.#slots.tryAccept(this.#sidecar, slot, seen, 1), true);
        yield* this.#ringProducer.publish(producer);
        yield* this.#doorbell.ringDoorbell(this.#sidecar);
        break;
      }
    }
  }

  *#flush(slot: number): Simulation<void> {
    const target = this.#itemsOf(slot);
    yield* this.#slots.wantSynced(this.#sidecar, slot, target);
    yield* this.#doorbell.requestSync(this.#sidecar);
    yield* this.#doorbell.wakeWriter(this.#sidecar);
    yield* this.#waitFor(() => this.#slots.syncedOf(this.#sidecar, slot), target);
    const onDisk = yield* load(this.#files, this.#wordOf(slot, ON_DISK));
    if (onDisk < target) throw new Error(`synced ${target}, and ${onDisk} are on the disk`);
  }

  *#waitFor(count: () => Simulation<number>, target: number): Simulation<void> {
    for (;;) {
      const generation = yield* this.#doorbell.producerGeneration(this.#memory);
      if ((yield* count()) >= target) return;
      yield* this.#doorbell.sleepProducer(this.#memory, generation, 1_000);
    }
  }

  *#change(events: readonly (readonly ['fails' | 'heals', number])[]): Simulation<void> {
    for (const [what, slot] of events) {
      yield ATOMICS.store(this.#files, this.#wordOf(slot, FAILS), what === 'fails' ? 1 : 0);
      // The retry is due.
      if (what === 'heals') yield* this.#doorbell.wakeWriter(this.#sidecar);
    }
  }

  // ------------------------------------------------------------------------------------------------- the writer

  *#write(isSuccessor: boolean): Simulation<void> {
    const { successorBug } = this.#scenario;
    const bug = isSuccessor ? successorBug : undefined;
    if (isSuccessor) yield ATOMICS.store(this.#sidecar.words, this.#layout.WRITER_PARKED_WORD, 0);
    const ring = yield* this.#ringConsumer.createRingConsumer(this.#memory);
    const parking = yield* construct(this.#parking.Parking, this.#memory);
    const files: OpenFile[] = [];
    for (let slot = 0; slot < this.#slotCount; slot += 1) {
      const inFile = (yield* load(this.#files, this.#wordOf(slot, LENGTH)));
      const written = bug === 'believes the watermark' ? yield* this.#slots.writtenOf(this.#sidecar, slot) : inFile;
      const file: OpenFile = { slot, written, synced: yield* this.#slots.syncedOf(this.#sidecar, slot), parked: [] };
      files.push(file);
      if (bug !== 'ignores the log') yield* this.#adopt(parking, file, bug === 'adopts twice');
      yield* this.#slots.publishWritten(this.#sidecar, slot, written);
    }
    if (bug !== 'wakes nobody') yield* this.#doorbell.wakeProducer(this.#memory);
    const batch = yield* this.#ringConsumer.createBatch(16);
    let requestsSeen = bug === 'forgets requests' ? yield* this.#doorbell.syncRequests(this.#sidecar) : 0;
    let wanted: readonly OpenFile[] = [];
    for (;;) {
      const generation = yield* this.#doorbell.writerGeneration(this.#sidecar);
      const requests = yield* this.#doorbell.syncRequests(this.#sidecar);
      let hasMoved = false;
      for (const file of files) if (file.parked.length > 0 && (yield* this.#writeGroup(parking, file, []))) hasMoved = true;
      const { head, arenaHead } = ring;
      yield* this.#ringConsumer.walk(ring, batch, 4_096);
      const isAny = batch.head !== head || batch.arenaHead !== arenaHead;
      let isStalled = false;
      for (const file of isAny ? files : []) {
        const group = [...batch.addresses.subarray(0, batch.frames)].filter((address) => this.#wordAt(address, this.#layout.FRAME_SLOT_WORD) === file.slot);
        if (group.length === 0) continue;
        const isWritten = yield* this.#writeGroup(parking, file, group);
        if (!isWritten && !(yield* this.#park(parking, file, group))) isStalled = true;
      }
      if (isAny && !isStalled) {
        yield* this.#ringConsumer.release(ring, batch);
        hasMoved = true;
      }
      if (hasMoved) yield* this.#doorbell.wakeProducer(this.#memory);
      if (requests !== requestsSeen) {
        requestsSeen = requests;
        wanted = files;
      }
      wanted = yield* this.#sync(wanted);
      if (hasMoved) continue;
      if (yield* this.#isOver(files)) return;
      const wait = yield* this.#doorbell.park(this.#sidecar, isStalled ? [] : [ring], generation, requests);
      if (wait === undefined) continue;
      yield* settle(wait);
      yield* this.#doorbell.unpark(this.#sidecar);
    }
  }

  /** As `worker/retries.ts` has it. */
  *#adopt(parking: SimulatedObject<Parking>, file: OpenFile, isTwice: boolean): Simulation<void> {
    const own = parking.frames.filter(({ slot, isWritten }) => slot === file.slot && !isWritten);
    const waiting = new Map(own.filter(({ count }) => count >= file.written).map((frame) => [frame.count, frame]));
    const adopted = isTwice ? own : [...waiting.values()];
    yield* parking.remove(own.filter((frame) => !adopted.includes(frame)));
    file.parked = adopted.sort((one, other) => one.count - other.count);
  }

  /** What is parked, then the group. False when the file fails. */
  *#writeGroup(parking: SimulatedObject<Parking>, file: OpenFile, group: readonly number[]): Simulation<boolean> {
    const { FRAME_COUNT_WORD } = this.#layout;
    if ((yield* load(this.#files, this.#wordOf(file.slot, FAILS))) === 1) return false;
    const before = file.written;
    for (const address of [...file.parked.map((frame) => frame.address), ...group]) {
      const count = this.#wordAt(address, FRAME_COUNT_WORD);
      if (count < file.written && group.includes(address)) continue;
      demand('the next item', count, file.written);
      const line = (yield* load(this.#files, this.#wordOf(file.slot, LENGTH)));
      demand('nothing is written twice', line, file.written);
      plainSet(this.#files, this.#wordOf(file.slot, LINES + line), this.#readPayload(address, count));
      yield ATOMICS.store(this.#files, this.#wordOf(file.slot, LENGTH), line + 1);
      file.written += 1;
    }
    if (file.written > before) yield* this.#slots.publishWritten(this.#sidecar, file.slot, file.written);
    const done = file.parked.filter(({ count }) => count < file.written);
    if (done.length > 0) yield* parking.remove(done);
    file.parked = file.parked.filter(({ count }) => count >= file.written);
    return true;
  }

  *#park(parking: SimulatedObject<Parking>, file: OpenFile, group: readonly number[]): Simulation<boolean> {
    for (const address of group) {
      const count = this.#wordAt(address, this.#layout.FRAME_COUNT_WORD);
      const expected = file.written + file.parked.length;
      if (count < expected) continue;
      demand('the next item to park', count, expected);
      const parked = yield* parking.add(address);
      if (parked === undefined) return false;
      file.parked.push(parked);
    }
    return true;
  }

  /** Returns the files that want more than could be synced. */
  *#sync(wanted: readonly OpenFile[]): Simulation<readonly OpenFile[]> {
    const left: OpenFile[] = [];
    for (const file of wanted) {
      const target = yield* this.#slots.wantedSyncedOf(this.#sidecar, file.slot);
      if (target <= file.synced) continue;
      const began = file.written;
      yield ATOMICS.store(this.#files, this.#wordOf(file.slot, ON_DISK), began);
      file.synced = began;
      yield* this.#slots.publishSynced(this.#sidecar, file.slot, began);
      yield* this.#doorbell.wakeProducer(this.#memory);
      if (target > file.synced) left.push(file);
    }
    return left;
  }

  *#isOver(files: readonly OpenFile[]): Simulation<boolean> {
    for (const file of files) {
      const seal = yield* this.#slots.sealWordOf(this.#sidecar, file.slot);
      if (seal >= 0 || (seal & this.#layout.COUNT_MAX) !== file.written) return false;
      if (this.#scenario.flushed?.includes(file.slot) === true && file.synced < file.written) return false;
    }
    return true;
  }

  #wordAt(address: number, word: number): number {
    return Number(plainGet(this.#memory.words, address / 4 + word));
  }

  /** Every byte of it, as the transcoder would. */
  #readPayload(address: number, count: number): number {
    const bytes = this.#wordAt(address, this.#layout.FRAME_BYTES_WORD);
    demand('kind', this.#wordAt(address, this.#layout.FRAME_KIND_WORD), this.#layout.FRAME_ITEM);
    for (let word = 8; word < 8 + bytes / 4; word += 1) demand('payload', this.#wordAt(address, word), count * 100 + word);
    return count;
  }
}

function* load(words: Int32Array, index: number): Simulation<number> {
  return Number(yield ATOMICS.load(words, index));
}

function demand(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, not ${String(expected)}`);
}
