/**
 * Written bytes that no sync has covered: real copies, to be written again when a sync fails. Those of all files lie one
 * behind the other in segments, so that holding allocates nothing for a record, and little for many small files.
 */
import { copyBytes } from '../src/copy-bytes.js';

const SEGMENT_BYTES_MAX = 1 << 20;
/** Segments in the amount that starts a sync. */
const SEGMENTS = 16;

interface Segment { readonly bytes: Uint8Array; usedBytes: number }

/** One part of a file, in the order of the file. */
export class Held {
  /** Where in the file it begins. */
  readonly from: number;
  /** Places in the pool: position and length of each, in pairs. */
  readonly places: number[] = [];
  bytes = 0;
  /** Count of the first item behind it that could not be held; then it ends there. */
  unheldFrom: number | undefined;

  constructor(from: number) {
    this.from = from;
  }
}

/** Room for held bytes of all files: twice `unsyncedBytes`. A position only grows; its segment is position / segment size. */
export class HeldPool {
  readonly #segmentBytes: number;
  readonly #segmentsMax: number;
  readonly #bytesMax: number;
  readonly #segments = new Map<number, Segment>();
  /** Of segments that were given back: their memory is warm. */
  #spare: Uint8Array[] = [];
  /** How many of them nobody has needed since the last trim(). */
  #idleSpare = 0;
  #last: Segment = { bytes: new Uint8Array(0), usedBytes: 0 };
  #end = 0;
  #bytes = 0;

  constructor(unsyncedBytes: number) {
    this.#segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.ceil(unsyncedBytes / SEGMENTS));
    this.#bytesMax = 2 * unsyncedBytes;
    this.#segmentsMax = Math.ceil(this.#bytesMax / this.#segmentBytes);
  }

  /** Memory that is taken: held bytes, and what lies between them. */
  get takenBytes(): number {
    return this.#segments.size * this.#segmentBytes;
  }

  /** Memory that is kept for what comes next. */
  get spareBytes(): number {
    return this.#spare.length * this.#segmentBytes;
  }

  /** Copies the bytes to the end of the part. False when there is no room. */
  add(held: Held, bytes: Uint8Array, offset: number, length: number): boolean {
    const size = this.#segmentBytes;
    const room = (this.#segmentsMax - this.#segments.size) * size + this.#roomInLast;
    if (length > room || this.#bytes + length > this.#bytesMax) return false;
    for (let done = 0; done < length;) {
      if (this.#roomInLast === 0) this.#open();
      const at = this.#end % size;
      const taken = Math.min(length - done, size - at);
      copyBytes(this.#last.bytes, at, bytes.subarray(offset + done, offset + done + taken));
      this.#last.usedBytes += taken;
      const { places } = held;
      const previous = places.length - 2;
      if (previous >= 0 && (places[previous] ?? 0) + (places[previous + 1] ?? 0) === this.#end) places[previous + 1] = (places[previous + 1] ?? 0) + taken;
      else places.push(this.#end, taken);
      this.#end += taken;
      done += taken;
    }
    held.bytes += length;
    this.#bytes += length;
    return true;
  }

  /** What is behind the first `bytes` of the part is not held any more. */
  cut(held: Held, bytes: number): void {
    while (held.bytes > bytes) {
      const length = held.places.pop() ?? 0;
      const position = held.places.pop() ?? 0;
      const kept = Math.max(0, length - (held.bytes - bytes));
      this.#give(position + kept, length - kept);
      if (kept > 0) held.places.push(position, kept);
      held.bytes -= length - kept;
    }
  }

  /** The bytes of the part, in order, as views that stay right until they are cut. */
  *read(held: Held): Generator<Uint8Array> {
    for (let place = 0; place < held.places.length; place += 2) yield* this.#pieces(held.places[place] ?? 0, held.places[place + 1] ?? 0);
  }

  /** Gives memory back that has not been needed since the last time. */
  trim(): void {
    this.#spare = this.#spare.slice(this.#idleSpare);
    this.#idleSpare = this.#spare.length;
  }

  get #roomInLast(): number {
    const at = this.#end % this.#segmentBytes;
    return at === 0 ? 0 : this.#segmentBytes - at;
  }

  #open(): void {
    this.#last = { bytes: this.#spare.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(this.#segmentBytes).buffer), usedBytes: 0 };
    this.#idleSpare = Math.min(this.#idleSpare, this.#spare.length);
    this.#segments.set(this.#end / this.#segmentBytes, this.#last);
  }

  *#pieces(position: number, length: number): Generator<Uint8Array> {
    for (let done = 0; done < length;) {
      const at = (position + done) % this.#segmentBytes;
      const taken = Math.min(length - done, this.#segmentBytes - at);
      const segment = this.#segments.get(Math.floor((position + done) / this.#segmentBytes));
      if (segment === undefined) throw new Error('held bytes were given back');
      yield segment.bytes.subarray(at, at + taken);
      done += taken;
    }
  }

  #give(position: number, length: number): void {
    this.#bytes -= length;
    for (let done = 0; done < length;) {
      const number = Math.floor((position + done) / this.#segmentBytes);
      const taken = Math.min(length - done, this.#segmentBytes - ((position + done) % this.#segmentBytes));
      done += taken;
      const segment = this.#segments.get(number);
      if (segment === undefined) throw new Error('held bytes were given back twice');
      segment.usedBytes -= taken;
      // The one that is being filled ends first.
      const isFilling = segment === this.#last && this.#roomInLast > 0;
      if (segment.usedBytes > 0 || isFilling) continue;
      this.#segments.delete(number);
      this.#spare.push(segment.bytes);
    }
  }
}

/** What is held of one file: the part that a sync under way covers, and the part that was written since that sync began. */
export class HeldRecords {
  readonly #pool: HeldPool | undefined;
  #older: Held | undefined;
  #newer: Held;

  /** `from`: where in the file the first byte comes to stand. Without a pool nothing is held. */
  constructor(pool: HeldPool | undefined, from: number) {
    this.#pool = pool;
    this.#newer = new Held(from);
  }

  /** Where in the file the held bytes begin. */
  get from(): number {
    return (this.#older ?? this.#newer).from;
  }

  /** Held without a gap, from there on. */
  get bytes(): number {
    const [older, newer] = [this.#older, this.#newer];
    if (older === undefined) return newer.bytes;
    return older.unheldFrom === undefined ? older.bytes + newer.bytes : older.bytes;
  }

  /** Count of the first item that is neither synced nor held; undefined when all are. */
  get unheldFrom(): number | undefined {
    return this.#older?.unheldFrom ?? this.#newer.unheldFrom;
  }

  /** Bytes were written. `wholeBytes` and `written`: where the last whole record before them ended, and how many there were. */
  add(bytes: Uint8Array, offset: number, length: number, wholeBytes: number, written: number): void {
    const newer = this.#newer;
    if (newer.unheldFrom !== undefined || this.#pool?.add(newer, bytes, offset, length) === true) return;
    this.cutTo(wholeBytes);
    newer.unheldFrom = written;
  }

  /** The items from that count on are in the file, but another writer wrote them: none of them is held. */
  missFrom(written: number): void {
    this.#newer.unheldFrom = written;
  }

  /** The file was cut back to its last whole record. */
  cutTo(wholeBytes: number): void {
    const newer = this.#newer;
    this.#pool?.cut(newer, Math.max(0, wholeBytes - newer.from));
  }

  /** A sync begins, of a file of so many bytes. */
  beginSync(wholeBytes: number): void {
    this.#older = this.#newer;
    this.#newer = new Held(wholeBytes);
  }

  /** It succeeded. */
  endSync(): void {
    if (this.#older !== undefined) this.#pool?.cut(this.#older, 0);
    this.#older = undefined;
  }

  /** It did not: what it was to cover is held as before. */
  undoSync(): void {
    const [older, newer] = [this.#older, this.#newer];
    if (older === undefined) return;
    if (older.unheldFrom === undefined) {
      for (const value of newer.places) older.places.push(value);
      older.bytes += newer.bytes;
      older.unheldFrom = newer.unheldFrom;
    } else {
      this.#pool?.cut(newer, 0);
    }
    this.#newer = older;
    this.#older = undefined;
  }

  /** Every byte that is held without a gap, in order. */
  *read(): Generator<Uint8Array> {
    const [older, newer] = [this.#older, this.#newer];
    if (older !== undefined) yield* this.#pool?.read(older) ?? [];
    if (older?.unheldFrom === undefined) yield* this.#pool?.read(newer) ?? [];
  }

  /** Nothing is held any more; what is written next stands at `from`. */
  clear(from: number): void {
    this.endSync();
    this.#pool?.cut(this.#newer, 0);
    this.#newer = new Held(from);
  }
}
