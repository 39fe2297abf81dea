/** A file of the virtual disk: what read() sees, what is on the platter, and the changes that are on their way there. */
import type { Chance } from './chance.js';

const SECTOR_BYTES = 512;
const EMPTY: Buffer = Buffer.alloc(0);

type Change = { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer } | { readonly kind: 'cut'; readonly length: number };

/** What became of a write that no sync covered. */
const FATES = ['lost', 'whole', 'prefix', 'zeros'] as const;

/** How a crash treats what is on its way. Ordered: as if it came there one after the other. */
export type CrashOrder = 'ordered' | 'any';

export class Inode {
  readonly number: number;
  #room: Buffer = Buffer.alloc(1024);
  #size = 0;
  #durable = EMPTY;
  /** In order, the first not durable one first. */
  #changes: Change[] = [];
  /** How many changes there were before the first of them. */
  #settled = 0;
  /** Failures of writing to the platter, and whether any descriptor was told of the last. */
  errors = 0;
  isErrorSeen = true;
  /** Records that a failed sync took stand in the cache alone. */
  isLossy = false;
  names = 0;
  modifiedMs = 0;

  constructor(number: number) {
    this.number = number;
  }

  /** What read() sees. */
  get cache(): Buffer {
    return this.#room.subarray(0, this.#size);
  }

  get size(): number {
    return this.#size;
  }

  append(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    this.#changes.push({ kind: 'write', offset: this.#size, bytes: copy });
    this.#reserve(this.#size + copy.length);
    this.#room.set(copy, this.#size);
    this.#size += copy.length;
  }

  cut(length: number): void {
    if (length === this.#size) return;
    this.#changes.push({ kind: 'cut', length });
    this.#reserve(length);
    if (length > this.#size) this.#room.fill(0, this.#size, length);
    this.#size = length;
  }

  /** A sync begins: what it will have made durable when it ends. */
  get changesMade(): number {
    return this.#settled + this.#changes.length;
  }

  /** A sync of the first `made` changes has ended well. */
  settle(made: number): void {
    const settled = this.#changes.splice(0, Math.max(0, made - this.#settled));
    this.#settled += settled.length;
    for (const change of settled) this.#durable = apply(this.#durable, change);
  }

  /** The disk refuses what is on its way: the cache calls it clean and still shows it, the platter has who knows what of it. */
  refuse(chance: Chance): void {
    this.#durable = this.#afterCrash('any', chance);
    this.#settled += this.#changes.length;
    this.#changes = [];
    this.errors += 1;
    this.isErrorSeen = false;
    if (!this.#durable.equals(this.cache)) this.isLossy = true;
  }

  /** Power is lost, and comes back. */
  crash(order: CrashOrder, chance: Chance): void {
    this.#durable = this.#afterCrash(order, chance);
    this.#settled += this.#changes.length;
    this.#changes = [];
    this.#size = 0;
    this.#reserve(this.#durable.length);
    this.#room.set(this.#durable);
    this.#size = this.#durable.length;
    this.isErrorSeen = true;
    this.isLossy = false;
  }

  #afterCrash(order: CrashOrder, chance: Chance): Buffer {
    // Sizes change in order, up to some point; data may come before or behind that.
    const made = chance(this.#changes.length + 1);
    let image = this.#durable;
    for (const [place, change] of this.#changes.entries()) {
      const isBehind = place >= made;
      if (order === 'ordered') {
        if (isBehind) break;
        image = apply(image, place === made - 1 ? torn(change, chance) : change);
      } else if (change.kind === 'cut') {
        if (!isBehind) image = apply(image, change);
      } else {
        image = fateOf(image, change, isBehind, chance);
      }
    }
    return image;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#room.length) return;
    const room = Buffer.alloc(Math.max(bytes, this.#room.length * 2));
    this.#room.copy(room, 0, 0, this.#size);
    this.#room = room;
  }
}

function apply(image: Buffer, change: Change): Buffer {
  if (change.kind === 'cut') return sized(image, change.length);
  const { offset, bytes } = change;
  const result = sized(image, Math.max(image.length, offset + bytes.length));
  bytes.copy(result, offset);
  return result;
}

/** A copy of that many bytes, zeros behind what there was. */
function sized(image: Buffer, length: number): Buffer {
  const result = Buffer.alloc(length);
  image.copy(result, 0, 0, Math.min(length, image.length));
  return result;
}

function torn(change: Change, chance: Chance): Change {
  return change.kind === 'cut' ? change : { ...change, bytes: prefixOf(change, chance) };
}

/** Up to a border of a sector of the disk. */
function prefixOf({ offset, bytes }: Change & { kind: 'write' }, chance: Chance): Buffer {
  const sectors = Math.ceil((offset + bytes.length) / SECTOR_BYTES) - Math.floor(offset / SECTOR_BYTES);
  const end = (Math.floor(offset / SECTOR_BYTES) + chance(sectors + 1)) * SECTOR_BYTES;
  return bytes.subarray(0, Math.max(0, Math.min(bytes.length, end - offset)));
}

function fateOf(image: Buffer, change: Change & { kind: 'write' }, isBehind: boolean, chance: Chance): Buffer {
  const { offset, bytes } = change;
  const fate = FATES[chance(FATES.length)] ?? 'lost';
  // The size may have grown without the data.
  const end = isBehind ? image.length : Math.max(image.length, chance(2) === 0 ? 0 : offset + bytes.length);
  const grown = sized(image, end);
  if (fate === 'lost') return grown;
  const kept = fate === 'prefix' ? prefixOf(change, chance) : fate === 'zeros' ? Buffer.alloc(bytes.length) : bytes;
  const room = isBehind ? Math.max(0, Math.min(kept.length, image.length - offset)) : kept.length;
  return room === 0 ? grown : sized(apply(grown, { kind: 'write', offset, bytes: kept.subarray(0, room) }), Math.max(end, isBehind ? 0 : offset + room));
}
