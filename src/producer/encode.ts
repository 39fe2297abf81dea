/**
 * Items to msgpack, packed by msgpackr where they will lie.
 *
 * msgpackr keeps the buffer it writes to, and whether it is packing, in variables of its module, shared with every other
 * Packr of the host. So it gets an idle buffer back after each item, with a position that no pack leaves behind: while
 * the position is that one, nobody has packed since, and nobody is packing now. Otherwise that is found out first.
 */
import { Packr, REUSE_BUFFER_MODE } from 'msgpackr/pack';
import { isLastwordError, LastwordError } from '../errors.js';
import { DEFINITION_IDS_MAX, Definitions } from './definitions.js';
import { isCyclic, needsNormalising, normalise } from './normalise.js';

/** A position that no pack leaves behind: buffers beyond 1 GiB are not kept. */
const IDLE_POSITION = 0x7fff_ff01;
const IDLE = Buffer.allocUnsafeSlow(8192);
const SCRATCH_BYTES = 8192;
const NOT_PACKED = -1;
const { copy: plainCopy } = Buffer.prototype as Buffer;

/** Thrown through msgpackr and caught here: the item needs another way. */
const NEEDS_NORMALISING = Symbol('needs normalising');
const TOO_LARGE = Symbol('too large');

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
  #packing = 0;
  /** Where an item went that encodeInto() could not put into the window; valid until the next call. */
  spilled: Uint8Array = IDLE;

  constructor({ itemBytesMax, memory }: EncoderOptions) {
    this.#itemBytesMax = itemBytesMax;
    const definitions = new Definitions(memory);
    this.#definitions = definitions;
    this.#packr = new Packr({
      structures: [],
      maxSharedStructures: DEFINITION_IDS_MAX,
      maxOwnStructures: 32,
      moreTypes: true,
      useBigIntExtension: true,
      useRecords: (object) => {
        if (object.constructor !== Object && needsNormalising(object)) throw NEEDS_NORMALISING; // eslint-disable-line @typescript-eslint/only-throw-error -- caught here, never seen
        return true;
      },
      writeFunction: () => { throw NEEDS_NORMALISING; }, // eslint-disable-line @typescript-eslint/only-throw-error -- caught here, never seen
      shouldShareStructure: (keys) => definitions.hasRoomFor(keys),
      // Definitions of an item that could not be packed are never published.
      saveStructures: (lists) => {
        definitions.publish(lists.slice(0, lists.sharedLength ?? 0));
        return true;
      },
    });
    this.#boundedCopy = this.#makeBoundedCopy();
  }

  /** True while an item is being packed: a toJSON() or a getter of it has called back. */
  get isPacking(): boolean {
    return this.#packing > 0;
  }

  /**
   * Packs the item into the window at an offset that is a multiple of 8. Returns its bytes if it lies there, or -1 if it
   * is in `spilled`. @throws LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE
   */
  encodeInto(item: object, window: Buffer<ArrayBufferLike>, offset: number): number {
    if (!this.#isFree()) {
      this.spilled = this.encode(item);
      return -1;
    }
    const packed = this.#pack(item, window, offset);
    const bytes = this.#packr.offset - (packed.buffer === window.buffer ? offset : 0);
    if (bytes > this.#itemBytesMax) throw this.#tooLarge(bytes);
    if (packed.buffer === window.buffer) return bytes;
    this.spilled = payloadIn(packed, bytes);
    return -1;
  }

  /**
   * Packs the item into memory of its own, which is not used again. Members whose toJSON() msgpackr does not call may
   * have it called twice. @throws LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE
   */
  encode(item: object): Uint8Array {
    if (this.#isFree()) {
      const packed = this.#pack(item, Buffer.allocUnsafeSlow(SCRATCH_BYTES), 0);
      const bytes = this.#packr.offset;
      if (bytes > this.#itemBytesMax) throw this.#tooLarge(bytes);
      return payloadIn(packed, bytes);
    }
    // Somebody is packing, and comes back to its buffer: msgpackr packs into one of its own, whose growth nothing bounds.
    if (isCyclic(item)) throw itemInvalid('is cyclic');
    const packed = this.#pack(item, undefined, 0);
    this.#packr.offset = NOT_PACKED;
    if (packed.byteLength > this.#itemBytesMax) throw this.#tooLarge(packed.byteLength);
    return packed;
  }

  /** Whether msgpackr is ours to give a buffer to: nobody is packing. */
  #isFree(): boolean {
    if (this.#packing > 0) return false;
    const { position } = this.#packr;
    if (position === IDLE_POSITION) return true;
    // A pack within a pack leaves the position where it was; one that is not moves it, twice.
    this.#probe.pack(0);
    if (this.#packr.position !== position) return true;
    this.#probe.pack(0);
    return this.#packr.position !== position;
  }

  /** Into the target, or where there is none into a buffer that msgpackr makes. */
  #pack(item: object, target: Buffer<ArrayBufferLike> | undefined, offset: number): Buffer {
    // An item within an item may leave definitions for the outer one to publish: their room is counted together.
    if (this.#packing === 0) this.#definitions.begin();
    this.#packing += 1;
    try {
      return this.#packWhole(item, target, offset);
    } catch (error) {
      if (error !== NEEDS_NORMALISING) throw this.#refusal(item, error);
      return this.#packNormalised(item, target, offset);
    } finally {
      this.#packing -= 1;
      if (target !== undefined) {
        this.#packr.useBuffer(IDLE);
        this.#packr.position = IDLE_POSITION;
      }
    }
  }

  #packNormalised(item: object, target: Buffer<ArrayBufferLike> | undefined, offset: number): Buffer {
    try {
      return this.#packWhole(normalise(item), target, offset);
    } catch (error) {
      throw this.#refusal(item, error);
    }
  }

  /** msgpackr swallows what a member throws when that is null, undefined or the like: only the end it sets proves that it got there. */
  #packWhole(item: object, target: Buffer<ArrayBufferLike> | undefined, offset: number): Buffer {
    const packr = this.#packr;
    if (target !== undefined) {
      if (target.copy !== this.#boundedCopy) target.copy = this.#boundedCopy;
      packr.useBuffer(target);
      packr.position = offset;
    }
    packr.offset = NOT_PACKED;
    const packed = packr.pack(item, target === undefined ? 0 : REUSE_BUFFER_MODE);
    if (packr.offset === NOT_PACKED) throw itemInvalid('has a member that throws');
    return packed;
  }

  #refusal(item: object, error: unknown): LastwordError {
    if (error === TOO_LARGE) return isCyclic(item) ? itemInvalid('is cyclic') : this.#tooLarge(undefined);
    if (error instanceof RangeError) return itemInvalid('is cyclic, or nested too deep', error);
    if (isLastwordError(error) && error.code === 'LASTWORD_ITEM_INVALID') return error;
    return itemInvalid('cannot be packed: a member is no JSON, or throws', error);
  }

  #tooLarge(bytes: number | undefined): LastwordError {
    const itemBytesMax = this.#itemBytesMax;
    return new LastwordError('LASTWORD_ITEM_TOO_LARGE', `the item takes ${bytes ?? 'more'} bytes; itemBytesMax is ${itemBytesMax}`, { itemBytesMax });
  }

  /** msgpackr calls copy() on a buffer that has become too small: the one place where the growth of an item can be bounded. */
  #makeBoundedCopy(): Buffer['copy'] {
    const packr = this.#packr;
    const itemBytesMax = this.#itemBytesMax;
    return function boundedCopy(this: Buffer, target: Uint8Array, targetStart?: number, sourceStart = 0, sourceEnd?: number): number {
      if (packr.position - sourceStart > itemBytesMax) throw TOO_LARGE; // eslint-disable-line @typescript-eslint/only-throw-error -- caught here, never seen
      (target as Buffer).copy = boundedCopy;
      return plainCopy.call(this, target, targetStart, sourceStart, sourceEnd);
    };
  }
}

/** The payload at the start of what pack() returned: the buffer itself, or already the part in use. */
function payloadIn(packed: Buffer, bytes: number): Uint8Array {
  return new Uint8Array(packed.buffer, packed.byteOffset, bytes);
}

function itemInvalid(reason: string, cause?: unknown): LastwordError {
  return new LastwordError('LASTWORD_ITEM_INVALID', `the item ${reason}`, { reason }, cause === undefined ? undefined : { cause });
}
