/**
 * Items to msgpack, packed by msgpackr where they will lie.
 *
 * msgpackr keeps the buffer it writes to, and whether it is packing, in variables of its module, shared with every other
 * Packr of the host. So it gets an idle buffer back after each item, with a position that no pack leaves behind: while
 * the position is that one, nobody has packed since, and nobody is packing now. Otherwise that is found out first.
 */
import { Packr, REUSE_BUFFER_MODE } from 'msgpackr/pack';
import { LastwordError } from '../errors.js';
import { isCyclic } from './cycles.js';
import { Definitions } from './definitions.js';
import { normalise } from './normalise.js';
import { createBoundedCopy, createPackr, prepareBuffer } from './packr.js';
import { KEY_OF_MSGPACKR, NOT_WHOLE, TOO_LARGE, isRefusal, isStackOverflow } from './refusals.js';
import { kindOfThrown } from '../thrown.js';

/** A position that no pack leaves behind: buffers beyond 1 GiB are not kept. */
const IDLE_POSITION = 0x7fff_ff01;
const IDLE = Buffer.allocUnsafeSlow(8192);
/** A buffer should have this much room behind the offset: else msgpackr begins another one, as large as all of it. */
export const ROOM_BYTES_MIN = 0x1000;
const SCRATCH_BYTES = 0x10000;
const NOT_PACKED = -1;

export interface EncoderOptions {
  /** Largest encoded item, bytes. */
  readonly itemBytesMax: number;
  /** The producer's memory, which holds the definitions. */
  readonly memory: SharedArrayBuffer;
}

export class Encoder {
  readonly #itemBytesMax: number;
  readonly #definitions: Definitions;
  readonly #packr: Packr;
  readonly #probe = new Packr({ useRecords: false });
  readonly #boundedCopy: Buffer['copy'];
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #packing = 0;
  /** Where an item went that encodeInto() could not put into the window; valid until the next call. */
  spilled: Uint8Array = IDLE;

  constructor({ itemBytesMax, memory }: EncoderOptions) {
    this.#itemBytesMax = itemBytesMax;
    this.#definitions = new Definitions(memory);
    this.#packr = createPackr(this.#definitions);
    this.#boundedCopy = createBoundedCopy(this.#packr, itemBytesMax);
    prepareBuffer(this.#scratch, this.#boundedCopy);   // lives as long as this does, and its map with it
  }

  /** True while an item is being packed: a toJSON() or a getter of it has called back. */
  get isPacking(): boolean {
    return this.#packing > 0;
  }

  /**
   * Packs the item into the window at an offset that is a multiple of 8 and has ROOM_BYTES_MIN behind it. Returns its bytes if it
   * lies there, or -1 if it is in `spilled`. @throws LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE
   */
  encodeInto(item: object, window: Buffer<ArrayBufferLike>, offset: number): number {
    if (!this.#isFree()) {
      this.spilled = this.encode(item);
      return -1;
    }
    const packed = this.#pack(item, window, offset);
    if (packed === window || packed.buffer === window.buffer) return this.#checked(window, offset, this.#packr.offset - offset);
    const bytes = this.#checked(packed, 0, this.#packr.offset);
    this.spilled = new Uint8Array(packed.buffer, packed.byteOffset, bytes);
    return -1;
  }

  /** Packs the item into memory that the next call uses again. @throws LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE */
  encodeForNow(item: object): Uint8Array {
    const bytes = this.encodeInto(item, this.#scratch, 0);
    return bytes < 0 ? this.spilled : this.#scratch.subarray(0, bytes);
  }

  /**
   * Packs the item into memory of its own, which is not used again. An item that msgpackr would not write as JSON has it
   * is packed in two steps, and then a toJSON() or a getter of it may be called twice.
   * @throws LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE
   */
  encode(item: object): Uint8Array {
    if (!this.#isFree()) return this.encodePlain(item);
    const packed = this.#pack(item, Buffer.allocUnsafeSlow(IDLE.byteLength), 0);
    return new Uint8Array(packed.buffer, packed.byteOffset, this.#checked(packed, 0, this.#packr.offset));
  }

  /**
   * Packs the item the slow way: made plain first, its depth checked, no definitions. So also while somebody else is
   * packing and comes back to its buffer: msgpackr packs into one of its own then, whose growth nothing else bounds, and
   * calls nothing of the host's. @throws LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE
   */
  encodePlain(item: object): Uint8Array {
    this.#packing += 1;
    let packed: Buffer;
    try {
      packed = this.#packr.pack(normalise(item, this.#itemBytesMax));
    } catch (error) {
      throw this.#refusal(item, error);
    } finally {
      this.#packing -= 1;
    }
    this.#checked(packed, 0, packed.byteLength);
    return packed;
  }

  /** Whether msgpackr is ours to give a buffer to: nobody is packing. */
  #isFree(): boolean {
    const { position } = this.#packr;
    if (position === IDLE_POSITION) return true;
    // A pack within a pack leaves the position where it was; one that is not moves it, at the second time at the latest.
    this.#probe.pack(0);
    if (this.#packr.position !== position) return true;
    this.#probe.pack(0);
    return this.#packr.position !== position;
  }

  #pack(item: object, target: Buffer<ArrayBufferLike>, offset: number): Buffer {
    if (target.copy !== this.#boundedCopy) prepareBuffer(target, this.#boundedCopy);
    this.#definitions.begin();
    this.#packing += 1;
    try {
      return this.#packInto(item, target, offset);
    } catch (error) {
      return this.#packNormalised(item, target, offset, error);
    } finally {
      this.#packing -= 1;
    }
  }

  #packInto(item: object, target: Buffer<ArrayBufferLike>, offset: number): Buffer {
    const packr = this.#packr;
    try {
      packr.useBuffer(target);
      packr.position = offset;
      packr.offset = NOT_PACKED;
      const packed = packr.pack(item, REUSE_BUFFER_MODE);
      // What a member throws is lost in msgpackr when that is null or the like: only the end proves that it got there.
      if (packr.offset === NOT_PACKED) throw NOT_WHOLE;
      return packed;
    } finally {
      packr.useBuffer(IDLE);
      packr.position = IDLE_POSITION;
    }
  }

  /** After the usual way has failed, for whatever reason but size. What is too deep or cyclic is found out here. */
  #packNormalised(item: object, target: Buffer<ArrayBufferLike>, offset: number, error: unknown): Buffer {
    if (error === TOO_LARGE) throw this.#refusal(item, error);
    // Made anew from what is shared: one of its nodes is not what msgpackr takes it for.
    if (error === KEY_OF_MSGPACKR) this.#packr.structures.transitions = null;
    try {
      return this.#packInto(normalise(item, this.#itemBytesMax), target, offset);
    } catch (second) {
      throw this.#refusal(item, second);
    }
  }

  /** The bytes, if they are the members of an object and not too many. */
  #checked(packed: Uint8Array, offset: number, bytes: number): number {
    if (bytes > this.#itemBytesMax) throw this.#tooLarge(bytes);
    const lead = packed[offset] ?? 0;
    if ((lead >= 0x40 && lead < 0x90) || lead === 0xde || lead === 0xdf) return bytes;
    if ((lead === 0xd4 || lead === 0xd5) && packed[offset + 1] === 0x72) return bytes;
    throw itemInvalid('is no object with members');
  }

  #refusal(item: object, error: unknown): LastwordError {
    if (error === TOO_LARGE) return isCyclic(item) ? itemInvalid('is cyclic') : this.#tooLarge();
    if (isStackOverflow(error)) return itemInvalid('is cyclic, or nested too deep');
    return isRefusal(error) ? itemInvalid(error.message) : itemInvalid('cannot be packed: a member throws, or is no JSON', kindOfThrown(error));
  }

  #tooLarge(bytes?: number): LastwordError {
    const itemBytesMax = this.#itemBytesMax;
    return new LastwordError('LASTWORD_ITEM_TOO_LARGE', `the item takes ${bytes ?? 'more'} bytes; itemBytesMax is ${itemBytesMax}`, { itemBytesMax });
  }
}

/** Without what was thrown: a message of the host's code may be of the item. */
function itemInvalid(reason: string, thrown?: string): LastwordError {
  return new LastwordError('LASTWORD_ITEM_INVALID', `the item ${reason}`, thrown === undefined ? { reason } : { reason, thrown });
}
