/**
 * The shipped ring under the explorer: producers that append as the host side does, and may end before they publish, a writer that walks, parks and wakes
 * as the worker does, and closers. What they call is the source of `src/ring`; the steps between are the protocol's.
 */
import { fileURLToPath } from 'node:url';
import { explore, runAlone, type Exploration, type Threads } from './explorer.js';
import { plainGet, plainSet, settle, type Simulation } from './simulated-memory.js';
import { SimulatedSource, type Patch, type Simulated } from './transform.js';

type Layout = typeof import('../../src/ring/layout.js');
type Memory = typeof import('../../src/ring/memory.js');
type Frame = typeof import('../../src/ring/frame.js');
type RingProducer = typeof import('../../src/ring/ring-producer.js');
type RingConsumer = typeof import('../../src/ring/ring-consumer.js');
type Doorbell = typeof import('../../src/ring/doorbell.js');
type Slots = typeof import('../../src/ring/slots.js');

const SLOT = 0;

const fileOf = (name: string): string => fileURLToPath(new URL(`../../src/ring/${name}.ts`, import.meta.url));
const FILES = ['layout', 'memory', 'frame', 'ring-producer', 'ring-consumer', 'doorbell', 'slots'].map(fileOf);

export interface RingScenario {
  readonly ringBytes: number;
  readonly overflowBytes: number;
  /** Position at which the ring begins. */
  readonly origin: number;
  /** Payload bytes of each item, by producer; every producer has a ring and a thread of its own. */
  readonly items: readonly (readonly number[])[];
  /** Items that are appended together, by one exchange. Default 1. */
  readonly group?: number;
  /** Whether an append that finds no room wakes the writer; a host that was refused does not. Default true. */
  readonly wakesWhenFull?: boolean;
  /** How many of each producer's items are appended before the threads begin. */
  readonly prefilled?: number;
  /** Closers of the first thread that seal whenever they get to run; the others are sealed by their producer. */
  readonly closers?: number;
  /** With so many items accepted the producers stand still for ever, before they publish the last of them. */
  readonly standsAfter?: number;
  readonly preemptionsMax?: number;
  readonly schedulesMax?: number;
  readonly patches?: readonly Patch[];
}

export function exploreRing(scenario: RingScenario): Exploration {
  const model = new RingModel(scenario);
  const { preemptionsMax, schedulesMax } = scenario;
  return explore({
    count: scenario.items.length + 1 + (scenario.closers ?? 0),
    start: () => model.start(),
    ...(preemptionsMax === undefined ? {} : { preemptionsMax }),
    ...(schedulesMax === undefined ? {} : { schedulesMax }),
  });
}

type ProducerMemory = ReturnType<Memory['viewProducerMemory']>;
type Producer = ReturnType<RingProducer['createRingProducer']>;

/** A thread, its only producer, and what became of its items. */
interface Side {
  readonly memory: ProducerMemory;
  readonly producer: Producer;
  readonly slot: number;
  readonly lengths: readonly number[];
  accepted: number;
  late: number;
  received: number;
  /** It is done: nothing is left to append, or it stands still. */
  isOver: boolean;
  /** The writer has seen the seal: from then on it may meet again what it took before it was published. */
  isSealSeen: boolean;
}

class RingModel {
  readonly #scenario: RingScenario;
  readonly #layout: Simulated<Layout>;
  readonly #frame: Simulated<Frame>;
  readonly #producer: Simulated<RingProducer>;
  readonly #consumer: Simulated<RingConsumer>;
  readonly #doorbell: Simulated<Doorbell>;
  readonly #slots: Simulated<Slots>;
  readonly #memories: ProducerMemory[];
  readonly #sidecar: ReturnType<Memory['createSidecarMemory']>;

  constructor(scenario: RingScenario) {
    const source = new SimulatedSource(FILES, scenario.patches ?? []);
    this.#scenario = scenario;
    this.#layout = source.load<Layout>(fileOf('layout'));
    this.#frame = source.load<Frame>(fileOf('frame'));
    this.#producer = source.load<RingProducer>(fileOf('ring-producer'));
    this.#consumer = source.load<RingConsumer>(fileOf('ring-consumer'));
    this.#doorbell = source.load<Doorbell>(fileOf('doorbell'));
    this.#slots = source.load<Slots>(fileOf('slots'));
    const views = source.load<Memory>(fileOf('memory'));
    const { ringBytes, overflowBytes } = scenario;
    const { pages } = runAlone(this.#layout.layOut(ringBytes, overflowBytes));
    this.#memories = scenario.items.map(() =>
      runAlone(views.viewProducerMemory(new SharedArrayBuffer(pages * 65_536), ringBytes, overflowBytes)));
    this.#sidecar = runAlone(views.createSidecarMemory());
  }

  start(): Threads {
    const { items, closers = 0, origin, overflowBytes, prefilled = 0 } = this.#scenario;
    const { TAIL_WORD, HEAD_WORD } = this.#layout;
    const sides = this.#memories.map((memory, i): Side => {
      const slot = SLOT + i;
      for (const word of [TAIL_WORD, HEAD_WORD]) plainSet(memory.control, word, origin);
      runAlone(this.#slots.takeSlot(this.#sidecar, slot));
      const producer = runAlone(this.#producer.createRingProducer(memory, overflowBytes));
      return { memory, producer, slot, lengths: items[i] ?? [], accepted: 0, late: 0, received: 0, isOver: false, isSealSeen: false };
    });
    for (const side of sides) runAlone(this.#appendNext(side, prefilled));
    const threads: Record<string, Simulation<void>> = {};
    sides.forEach((side, i) => {
      const sealsItself = i > 0 || closers === 0;
      threads[sides.length > 1 ? `producer ${i}` : 'producer'] = this.#produce(side, sealsItself);
    });
    threads['writer'] = this.#write(sides);
    const [first] = sides;
    for (let i = 0; i < closers && first !== undefined; i += 1) threads[`closer ${i}`] = this.#close(first);
    return { threads, atEnd: () => sides.forEach((side) => this.#check(side)) };
  }

  #check(side: Side): void {
    const accepted = runAlone(this.#slots.sealWordOf(this.#sidecar, side.slot)) & this.#layout.COUNT_MAX;
    demand('the producer got to its end', side.isOver, true);
    demand('accepted by the word', accepted, side.accepted);
    demand('written', side.received, side.accepted);
    demand('written by the word', runAlone(this.#slots.writtenOf(this.#sidecar, side.slot)), side.accepted);
  }

  *#produce(side: Side, seals: boolean): Simulation<void> {
    yield* this.#appendNext(side, side.lengths.length);
    side.isOver = side.accepted + side.late === side.lengths.length || side.accepted === this.#scenario.standsAfter;
    if (!seals) return;
    // Nobody asks for it, and still everything is written.
    yield* this.#waitUntilWritten(side);
    yield* this.#close(side);
  }

  /** Appends what is left of the first `end` items. */
  *#appendNext(side: Side, end: number): Simulation<void> {
    const { group = 1 } = this.#scenario;
    for (;;) {
      const done = side.accepted + side.late;
      const items = side.lengths.slice(done, Math.min(done + group, end));
      if (items.length === 0 || side.accepted === this.#scenario.standsAfter) return;
      if (yield* this.#append(side, items)) side.accepted += items.length;
      else side.late += items.length;
    }
  }

  /** All of the items or none: claimed, filled, exchanged and published at once. */
  *#append(side: Side, items: readonly number[]): Simulation<boolean> {
    const { memory, producer, slot } = side;
    let bytes = 0;
    for (const payloadBytes of items) bytes += yield* this.#frame.frameBytes(payloadBytes);
    for (;;) {
      const generation = yield* this.#doorbell.producerGeneration(memory);
      const seen = yield* this.#slots.sealWordOf(this.#sidecar, slot);
      if (seen < 0) return false;
      const start = yield* this.#producer.tryClaim(producer, bytes, true);
      if (start < 0) {
        if (this.#scenario.wakesWhenFull ?? true) yield* this.#doorbell.wakeWriter(this.#sidecar);
        yield* this.#doorbell.sleepProducer(memory, generation, 1_000);
        continue;
      }
      const addresses: number[] = [];
      let address = start;
      for (const [i, payloadBytes] of items.entries()) {
        const payload = (address + this.#layout.FRAME_HEADER_BYTES) / 4;
        for (let word = 0; word < payloadBytes / 4; word += 1) plainSet(memory.words, payload + word, payloadWord(seen + i, word));
        const position = producer.claimPosition + address - start;
        yield* this.#frame.writeItemHeader(memory, address, position, payloadBytes, slot, 1, seen + i, seen + i);
        addresses.push(address);
        address += yield* this.#frame.frameBytes(payloadBytes);
      }
      const isAccepted = yield* this.#slots.tryAccept(this.#sidecar, slot, seen, items.length);
      if (isAccepted && side.accepted + items.length === this.#scenario.standsAfter) return true;
      if (!isAccepted) for (const written of addresses) yield* this.#frame.makePadding(memory, written);
      yield* this.#producer.publish(producer);
      yield* this.#doorbell.ringDoorbell(this.#sidecar);
      return isAccepted;
    }
  }

  *#close(side: Side): Simulation<void> {
    yield* this.#slots.seal(this.#sidecar, side.slot);
    // Whoever waits for room looks at the seal first.
    yield* this.#doorbell.wakeProducer(side.memory);
    yield* this.#doorbell.wakeWriter(this.#sidecar);
    yield* this.#waitUntilWritten(side);
  }

  *#waitUntilWritten(side: Side): Simulation<void> {
    for (;;) {
      const generation = yield* this.#doorbell.producerGeneration(side.memory);
      const accepted = (yield* this.#slots.sealWordOf(this.#sidecar, side.slot)) & this.#layout.COUNT_MAX;
      if ((yield* this.#slots.writtenOf(this.#sidecar, side.slot)) >= accepted) return;
      yield* this.#doorbell.sleepProducer(side.memory, generation, 1_000);
    }
  }

  *#write(sides: readonly Side[]): Simulation<void> {
    const rings = [];
    for (const { memory } of sides) rings.push(yield* this.#consumer.createRingConsumer(memory));
    const batch = yield* this.#consumer.createBatch(16);
    for (;;) {
      const generation = yield* this.#doorbell.writerGeneration(this.#sidecar);
      const syncs = yield* this.#doorbell.syncRequests(this.#sidecar);
      let moved = false;
      let ended = 0;
      for (const [i, side] of sides.entries()) {
        const ring = rings[i];
        if (ring === undefined) continue;
        const { head, arenaHead } = ring;
        const { received } = side;
        yield* this.#consumer.walkAccepted(this.#sidecar, ring, batch, 4_096, () => side.received);
        for (let n = 0; n < batch.frames; n += 1) this.#receive(side, batch.addresses[n] ?? 0);
        if (batch.frames > 0) yield* this.#slots.publishWritten(this.#sidecar, side.slot, side.received);
        yield* this.#consumer.release(ring, batch);
        if (ring.head !== head || ring.arenaHead !== arenaHead || side.received > received) {
          moved = true;
          yield* this.#doorbell.wakeProducer(side.memory);
        }
        const seal = yield* this.#slots.sealWordOf(this.#sidecar, side.slot);
        side.isSealSeen = seal < 0;
        if (seal < 0 && (seal & this.#layout.COUNT_MAX) === side.received) ended += 1;
      }
      if (ended === sides.length) return;
      if (moved) continue;
      const wait = yield* this.#doorbell.park(this.#sidecar, rings, generation, syncs);
      if (wait === undefined) continue;
      yield* settle(wait);
      yield* this.#doorbell.unpark(this.#sidecar);
    }
  }

  /** Reads the frame as the transcoder would: header and every byte. */
  #receive(side: Side, address: number): void {
    const { words } = side.memory;
    const word = address / 4;
    const payloadBytes = Number(plainGet(words, word + this.#layout.FRAME_BYTES_WORD));
    demand('kind', plainGet(words, word + this.#layout.FRAME_KIND_WORD), this.#layout.FRAME_ITEM);
    const count = Number(plainGet(words, word + this.#layout.FRAME_COUNT_WORD));
    if (side.isSealSeen && count < side.received) return;
    demand('order', count, side.received);
    demand('length', payloadBytes, side.lengths[side.received]);
    const payload = word + this.#layout.FRAME_HEADER_BYTES / 4;
    for (let i = 0; i < payloadBytes / 4; i += 1) {
      demand('payload', plainGet(words, payload + i), payloadWord(side.received, i));
    }
    side.received += 1;
  }
}

/** An assertion that costs little: it is made in every step of every schedule. */
function demand(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, not ${String(expected)}`);
}

/** What stands in word `i` of an item's payload. */
function payloadWord(count: number, i: number): number {
  return (count + 1) * 1_000 + i;
}
