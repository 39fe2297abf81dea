/**
 * Shared memory for simulated threads. Operations of `Atomics` are values that the explorer executes one at a time; plain
 * accesses happen at once. Every access is checked with vector clocks: two accesses of a word by different threads, one of
 * them a store and one of them plain, must be ordered by operations between them. So the explorer needs to try
 * interleavings of the operations only, and bytes that both sides touch at once are found in any schedule that has them.
 */

type Shared = Int32Array | Uint32Array | Uint8Array | Float64Array;
type Kind = 'load' | 'store' | 'add' | 'sub' | 'and' | 'or' | 'exchange' | 'compareExchange' | 'notify' | 'wait' | 'waitAsync' | 'settle' | 'copy';

/** What a simulated thread is about to do. */
export interface Operation {
  readonly kind: Kind;
  readonly array: Int32Array;
  readonly index: number;
  /** Value stored, added, waited on; how many to notify. */
  readonly value: number;
  readonly expected: number;
  readonly waiter: Waiter | undefined;
}

/** Steps of a simulated thread. What an operation yields to is its result. */
export type Simulation<Result> = Generator<Operation, Result, unknown>;

export interface Waiter {
  readonly thread: number;
  readonly location: number;
  readonly isBlocking: boolean;
  /** Clock of the thread that woke it. */
  wokenAt: readonly number[] | undefined;
}

function operation(kind: Kind, array: Int32Array, index: number, value = 0, expected = 0): Operation {
  return { kind, array, index, value, expected, waiter: undefined };
}

/** Stands for `Atomics` in simulated source. Time does not pass there: a wait ends by a notify or never. */
export const ATOMICS = {
  load: (array: Int32Array, index: number) => operation('load', array, index),
  store: (array: Int32Array, index: number, value: number) => operation('store', array, index, value),
  add: (array: Int32Array, index: number, value: number) => operation('add', array, index, value),
  sub: (array: Int32Array, index: number, value: number) => operation('sub', array, index, value),
  and: (array: Int32Array, index: number, value: number) => operation('and', array, index, value),
  or: (array: Int32Array, index: number, value: number) => operation('or', array, index, value),
  exchange: (array: Int32Array, index: number, value: number) => operation('exchange', array, index, value),
  compareExchange: (array: Int32Array, index: number, expected: number, value: number) =>
    operation('compareExchange', array, index, value, expected),
  notify: (array: Int32Array, index: number, count = Infinity) => operation('notify', array, index, count),
  wait: (array: Int32Array, index: number, value: number) => operation('wait', array, index, value),
  waitAsync: (array: Int32Array, index: number, value: number) => operation('waitAsync', array, index, value),
};

/** Waits for what `Atomics.waitAsync` returned, as `await` does. */
export function* settle(wait: ReturnType<typeof Atomics.waitAsync>): Simulation<void> {
  if (!wait.async) return;
  const waiter = wait.value as unknown as Waiter;
  yield { kind: 'settle', array: NO_WORDS, index: 0, value: 0, expected: 0, waiter };
}

const NO_WORDS = new Int32Array(0);
/** The thread that prepares a run: before all others. */
export const SETUP = -1;
/** Result of an operation that has put its thread to sleep. */
export const ASLEEP = Symbol('asleep');

/** Clocks of the last accesses of a word, by thread. */
interface Word {
  released: number[] | undefined;
  readonly plainLoads: number[];
  readonly plainStores: number[];
  readonly atomicLoads: number[];
  readonly atomicStores: number[];
}

/** The memory of the run that is under way. */
export class SimulatedMemory {
  /** The thread whose plain accesses happen now. */
  thread = SETUP;
  #clocks: number[][] = [];
  readonly #words = new Map<number, Word>();
  readonly #views: { buffer: SharedArrayBuffer; words: Int32Array }[] = [];
  readonly #placeOf = new WeakMap<Shared, number>();
  /** Who operates on a word, over all runs of a search: what one thread alone operates on, or nobody stores, is private. */
  readonly #users = new Map<number, { readonly thread: number; isShared: boolean; isStored: boolean }>();
  /** Counts the words that turned out not to be private. */
  contended = 0;
  #undo: { words: Int32Array; index: number; value: number }[] = [];
  #waiters: Waiter[] = [];
  /** By thread: the wait that blocks it. */
  #blocked: (Waiter | undefined)[] = [];
  /** Hash of what the words hold, and of what each thread has seen. */
  #contents = new Hash();
  #seen: Hash[] = [];

  /** Puts every word back that a run has changed. */
  reset(threads: number): void {
    for (let i = this.#undo.length - 1; i >= 0; i -= 1) {
      const entry = this.#undo[i];
      if (entry !== undefined) entry.words[entry.index] = entry.value;
    }
    this.#undo = [];
    this.#words.clear();
    this.#waiters = [];
    this.#blocked = [];
    this.thread = SETUP;
    this.#contents = new Hash();
    this.#clocks = Array.from({ length: threads }, (_, thread) => Array.from({ length: threads }, (_entry, i) => (i === thread ? 1 : 0)));
    this.#seen = Array.from({ length: threads }, () => new Hash());
  }

  /** Forgets who operates on what: for a new search. */
  forget(): void {
    this.#users.clear();
    this.contended = 0;
  }

  /** Whether it makes no difference to other threads when this is done, by what is known so far. */
  isPrivate({ kind, array, index }: Operation): boolean {
    if (kind === 'settle' || kind === 'copy') return true;
    const user = this.#users.get(this.#locate(array, index));
    return user === undefined || !user.isShared || !user.isStored;
  }

  #use(thread: number, location: number, stores: boolean): void {
    const user = this.#users.get(location);
    if (user === undefined) {
      this.#users.set(location, { thread, isShared: false, isStored: stores });
      return;
    }
    const wasPrivate = !user.isShared || !user.isStored;
    if (user.thread !== thread) user.isShared = true;
    if (stores) user.isStored = true;
    if (wasPrivate && user.isShared && user.isStored) this.contended += 1;
  }

  /** Whether the thread that is about to do this can go on. */
  canRun({ kind, waiter }: Operation): boolean {
    return kind !== 'settle' || waiter?.wokenAt !== undefined;
  }

  execute(thread: number, op: Operation): unknown {
    this.thread = thread;
    const result = op.kind === 'settle' ? this.#wake(op.waiter) : this.#executeOn(thread, op);
    if (thread !== SETUP) this.#note(thread, result);
    return result;
  }

  /** The sleeping thread goes on. */
  wake(thread: number): unknown {
    this.thread = thread;
    const result = this.#wake(this.#blocked[thread]);
    this.#blocked[thread] = undefined;
    this.#note(thread, result);
    return result;
  }

  #wake(waiter: Waiter | undefined): string {
    if (waiter?.wokenAt === undefined) throw new Error('nobody woke it');
    this.#join(this.#clocks[waiter.thread], waiter.wokenAt);
    return 'ok';
  }

  #executeOn(thread: number, { kind, array, index, value, expected }: Operation): unknown {
    if (!(index >= 0 && index < array.length)) throw new RangeError(`Atomics.${kind} outside the memory: index ${index}`);
    const location = this.#locate(array, index);
    if (thread !== SETUP && kind !== 'copy') this.#use(thread, location, kind !== 'load' && kind !== 'wait' && kind !== 'waitAsync');
    const old = array[index] ?? 0;
    switch (kind) {
      case 'load':
        this.#order(thread, location, true, false);
        return old;
      case 'store':
        this.#order(thread, location, false, true);
        this.#change(array, index, value);
        return value;
      case 'add': case 'sub': case 'and': case 'or': case 'exchange':
        this.#order(thread, location, true, true);
        this.#change(array, index, combine(kind, old, value));
        return old;
      case 'compareExchange':
        this.#order(thread, location, true, old === expected);
        if (old === expected) this.#change(array, index, value);
        return old;
      case 'notify':
        return this.#notify(thread, location, value);
      case 'wait': case 'waitAsync':
        this.#order(thread, location, true, false);
        return this.#wait(thread, location, kind, old === value);
      case 'copy':
        return undefined;
      case 'settle':
        throw new Error('not an operation on a word');
    }
  }

  #wait(thread: number, location: number, kind: 'wait' | 'waitAsync', isEqual: boolean): unknown {
    if (!isEqual) return kind === 'wait' ? 'not-equal' : { async: false, value: 'not-equal' };
    const waiter: Waiter = { thread, location, isBlocking: kind === 'wait', wokenAt: undefined };
    this.#waiters.push(waiter);
    if (!waiter.isBlocking) return { async: true, value: waiter };
    this.#blocked[thread] = waiter;
    return ASLEEP;
  }

  #notify(thread: number, location: number, count: number): number {
    let woken = 0;
    for (const waiter of this.#waiters) {
      if (waiter.location !== location || woken >= count) continue;
      waiter.wokenAt = [...(this.#clocks[thread] ?? [])];
      woken += 1;
    }
    if (woken > 0) {
      this.#waiters = this.#waiters.filter(({ wokenAt }) => wokenAt === undefined);
      const clock = this.#clocks[thread];
      if (clock !== undefined) clock[thread] = (clock[thread] ?? 0) + 1;
    }
    return woken;
  }

  /** The thread's steps end, and others go on in its place. What it waited for, nobody waits for. */
  kill(thread: number): void {
    this.#waiters = this.#waiters.filter((waiter) => waiter.thread !== thread);
    this.#blocked[thread] = undefined;
    this.#note(thread, 'killed');
  }

  /** Whether a thread whose wait put it to sleep still sleeps. */
  isAsleep(thread: number): boolean {
    return this.#blocked[thread]?.wokenAt === undefined;
  }

  plainGet(array: Shared, index: number): number | undefined {
    const value = array[index];
    this.#checkPlain(array, index, false);
    if (this.thread !== SETUP) this.#note(this.thread, value);
    return value;
  }

  plainSet(array: Shared, index: number, value: number): void {
    if (!(index >= 0 && index < array.length)) throw new RangeError(`a store outside the memory: index ${index}`);
    this.#checkPlain(array, index, true);
    this.#change(array, index, value);
  }

  /** A number for the state the run is in: memory, what each thread has seen, clocks, sleepers. */
  stateKey(salt: number): number {
    const key = this.#contents.copy();
    key.add(salt);
    for (const seen of this.#seen) key.addHash(seen);
    for (const clock of this.#clocks) for (const count of clock) key.add(count);
    for (const { thread, location } of this.#waiters) key.add(thread, location);
    return key.toNumber();
  }

  #note(thread: number, result: unknown): void {
    const isAsync = typeof result === 'object' && result !== null && (result as { async: boolean }).async;
    // What is no number is told apart from numbers, and from the like, by its length.
    this.#seen[thread]?.add(typeof result === 'number' ? result : 0.5 + String(result).length + Number(isAsync));
  }

  #locate(array: Shared, index: number): number {
    return (this.#placeOf.get(array) ?? this.#place(array)) + ((index * array.BYTES_PER_ELEMENT) >>> 2);
  }

  /** Where the array begins, in words: each buffer has 2^32 numbers. Byte arrays have to begin at a word. */
  #place(array: Shared): number {
    if (array.byteOffset % 4 !== 0) throw new Error('an array that does not begin at a word');
    let view = this.#views.findIndex(({ buffer }) => buffer === array.buffer);
    if (view < 0) {
      const buffer = array.buffer as unknown as SharedArrayBuffer;
      view = this.#views.push({ buffer, words: new Int32Array(buffer, 0, buffer.byteLength >>> 2) }) - 1;
    }
    const place = view * 2 ** 32 + array.byteOffset / 4;
    this.#placeOf.set(array, place);
    return place;
  }

  #change(array: Shared, index: number, value: number): void {
    const location = this.#locate(array, index);
    const words = this.#views[Math.floor(location / 2 ** 32)]?.words ?? NO_WORDS;
    const first = location % 2 ** 32;
    const last = first + (array.BYTES_PER_ELEMENT > 4 ? 1 : 0);
    for (let word = first; word <= last; word += 1) {
      this.#undo.push({ words, index: word, value: words[word] ?? 0 });
      this.#contents.toggle(location + word - first, words[word] ?? 0);
    }
    array[index] = value;
    for (let word = first; word <= last; word += 1) this.#contents.toggle(location + word - first, words[word] ?? 0);
  }

  #wordAt(location: number): Word {
    const known = this.#words.get(location);
    if (known !== undefined) return known;
    const word: Word = { released: undefined, plainLoads: [], plainStores: [], atomicLoads: [], atomicStores: [] };
    this.#words.set(location, word);
    return word;
  }

  /** An operation: takes over what the word's last store released, and releases what its thread has done. */
  #order(thread: number, location: number, loads: boolean, stores: boolean): void {
    if (thread === SETUP) return;
    const clock = this.#clocks[thread];
    if (clock === undefined) throw new Error(`no such thread: ${thread}`);
    const word = this.#wordAt(location);
    if (loads && word.released !== undefined) this.#join(clock, word.released);
    this.#check(word.plainStores, location, 'a plain store');
    if (stores) this.#check(word.plainLoads, location, 'a plain load');
    const now = clock[thread] ?? 0;
    if (loads) word.atomicLoads[thread] = now;
    if (stores) {
      word.atomicStores[thread] = now;
      word.released = [...clock];
      clock[thread] = now + 1;
    }
  }

  #checkPlain(array: Shared, index: number, stores: boolean): void {
    if (this.thread === SETUP) return;
    const location = this.#locate(array, index);
    for (let i = location; i <= location + (array.BYTES_PER_ELEMENT > 4 ? 1 : 0); i += 1) {
      const word = this.#wordAt(i);
      this.#check(word.plainStores, i, 'a plain store');
      this.#check(word.atomicStores, i, 'a store');
      if (stores) {
        this.#check(word.plainLoads, i, 'a plain load');
        this.#check(word.atomicLoads, i, 'a load');
      }
      (stores ? word.plainStores : word.plainLoads)[this.thread] = this.#clocks[this.thread]?.[this.thread] ?? 0;
    }
  }

  /** Every other thread's last access of the kind has to be before what the current thread does now. */
  #check(clocks: readonly (number | undefined)[], location: number, what: string): void {
    for (let other = 0; other < clocks.length; other += 1) {
      const when = clocks[other];
      if (other === this.thread || when === undefined || when <= (this.#clocks[this.thread]?.[other] ?? 0)) continue;
      throw new Error(`thread ${this.thread} touches bytes while thread ${other} may: ${what} at byte ${(location % 2 ** 32) * 4}`);
    }
  }

  #join(into: number[] | undefined, from: readonly number[] | undefined): void {
    from?.forEach((clock, i) => {
      if (into !== undefined) into[i] = Math.max(into[i] ?? 0, clock);
    });
  }
}

function combine(kind: 'add' | 'sub' | 'and' | 'or' | 'exchange', old: number, value: number): number {
  switch (kind) {
    case 'add': return (old + value) | 0;
    case 'sub': return (old - value) | 0;
    case 'and': return old & value;
    case 'or': return old | value;
    case 'exchange': return value;
  }
}

/** Two lanes of 32 bits; read as 53. */
class Hash {
  #high: number;
  #low: number;

  constructor(high = 0x9e37_79b9, low = 0x85eb_ca6b) {
    this.#high = high;
    this.#low = low;
  }

  copy(): Hash {
    return new Hash(this.#high, this.#low);
  }

  add(...values: number[]): void {
    for (const value of values) {
      this.#high = scramble(this.#high ^ value, 0x2c1b_3c6d);
      this.#low = scramble(this.#low + value * 3 + value / 2 ** 32, 0x297a_2d39);
    }
  }

  addHash(other: Hash): void {
    this.add(other.#high, other.#low);
  }

  /** The same call twice changes nothing, and the order of calls does not matter. */
  toggle(location: number, value: number): void {
    const place = scramble(location ^ Math.floor(location / 2 ** 32), 0x45d9_f3b3);
    this.#high ^= scramble(place ^ value, 0x2c1b_3c6d);
    this.#low ^= scramble((place + Math.imul(value, 0x9e37_79b1)) | 0, 0x297a_2d39);
  }

  toNumber(): number {
    return (this.#high >>> 11) * 2 ** 32 + (this.#low >>> 0);
  }
}

function scramble(value: number, by: number): number {
  const mixed = Math.imul(value ^ (value >>> 16), by);
  return Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca6b) ^ (mixed >>> 13);
}

/** The one memory: simulated source is loaded once and reaches it from anywhere. */
export const memory = new SimulatedMemory();

function isShared(array: unknown): array is Shared {
  return ArrayBuffer.isView(array) && array.buffer instanceof SharedArrayBuffer;
}

/** `array[index]` in simulated source. */
export function plainGet(array: object, index: number): unknown {
  return isShared(array) ? memory.plainGet(array, index) : (array as Record<number, unknown>)[index];
}

/** `array[index] = value` in simulated source. */
export function plainSet(array: object, index: number, value: unknown): unknown {
  if (isShared(array)) memory.plainSet(array, index, value as number);
  else (array as Record<number, unknown>)[index] = value;
  return value;
}

/** `array.copyWithin(to, from, end)` in simulated source, in whole words. A thread may die in the middle. */
export function* copyWithin(array: Uint8Array, to: number, from: number, end: number): Simulation<void> {
  const words = new Int32Array(array.buffer, array.byteOffset);
  const count = (end - from) / 4;
  for (let word = 0; word < count; word += 1) {
    if (word === count / 2) yield operation('copy', words, to / 4 + word);
    memory.plainSet(words, to / 4 + word, memory.plainGet(words, from / 4 + word) ?? 0);
  }
}
