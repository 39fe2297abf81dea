import { randomFillSync } from 'node:crypto';
import { assert } from '../assert.js';
import type { ThreadId } from '../types.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const TIME_MS_MAX = 2 ** 48 - 1;
/** A count starts below this, so that 2^31 further ids fit into its millisecond. */
const COUNT_START_MAX = 2 ** 31;

/** Fills the bytes it is given with random ones. */
export type FillRandom = (bytes: Uint8Array) => void;

/** True for a lower-case UUID of any version: those of others are read, listed and resumed. */
export function isThreadId(value: unknown): value is ThreadId {
  return typeof value === 'string' && UUID.test(value);
}

/** The id that a text spells in either case, or undefined. */
export function parseThreadId(text: string): ThreadId | undefined {
  const id = text.toLowerCase();
  return isThreadId(id) ? id : undefined;
}

/** True where the id carries its time, as every id made here does (RFC 9562, 5.7). */
export function isVersion7(id: unknown): id is ThreadId {
  return typeof id === 'string' && VERSION_7.test(id);
}

/** Milliseconds since 1970 at which a version 7 id was made; undefined for every other id. */
export function timeOf(id: ThreadId): number | undefined {
  return isVersion7(id) ? parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}

/**
 * Makes version 7 ids: 48 bits of time, a count of 32 bits, 42 random bits. Within one millisecond the count only
 * grows, so ids sort in the order in which they were made. A clock that goes back is followed, not held: an id's time
 * names the folder of its file.
 */
export class ThreadIdSource {
  readonly #bytes = new Uint8Array(10);
  #timeMs = -1;
  #count = 0;

  next(nowMs: number, fillRandom: FillRandom): ThreadId {
    assert(Number.isSafeInteger(nowMs) && nowMs >= 0 && nowMs <= TIME_MS_MAX, `no time of an id: ${nowMs}`);
    const bytes = this.#bytes;
    fillRandom(bytes);
    const view = new DataView(bytes.buffer);
    this.#count = nowMs === this.#timeMs ? this.#count + 1 : view.getUint32(0) % COUNT_START_MAX;
    assert(this.#count < 2 ** 32, 'the count of one millisecond ran out');
    this.#timeMs = nowMs;

    const time = nowMs.toString(16).padStart(12, '0');
    const count = this.#count.toString(16).padStart(8, '0');
    // Version and variant displace the count: 12 bits of it go before the variant, 20 behind it, beside its two bits.
    const random = view.getBigUint64(2) & ((1n << 42n) - 1n);
    const tail = ((2n << 62n) | (BigInt(parseInt(count.slice(3), 16)) << 42n) | random).toString(16);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count.slice(0, 3)}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  }
}

const processSource = new ThreadIdSource();

/** A fresh version 7 id; ids of one millisecond sort in the order in which this process made them. */
export function newThreadId(nowMs: number = Date.now(), fillRandom: FillRandom = randomFillSync): ThreadId {
  return processSource.next(nowMs, fillRandom);
}
