import type { Salvage } from '../src/control/protocol.js';
import type { LastwordError } from '../src/errors.js';
import type { ParkedFrame } from '../src/ring/parking.js';
import { HeldRecords, type HeldPool } from './held.js';
import type { FileIdentity, FileState, FsOps } from './seams.js';
import { writeAll } from './write-all.js';

/** How a rollout ends. */
export interface FileEnd {
  /** Where the last whole record ends. */
  wholeBytes: number;
  /** False where Codex began the file before it numbered records: then no line of it has an ordinal. */
  readonly isNumbered: boolean;
}

/** What there was to sync when a sync began. */
export interface SyncBegun {
  readonly written: number;
  readonly bytes: number;
  readonly dirtySinceUs: number | undefined;
}

/** One opening of a thread, and the file its records go to. Counts are of items of this opening. */
export class RolloutFile {
  readonly threadId: string;
  readonly slot: number;
  readonly incarnation: number;
  /** Ordinal of the first item. */
  readonly base: number;
  /** Somebody else may move it. */
  path: string;
  /** Items that write() took, whole. */
  written = 0;
  /** Items that a data sync covered; -1 while not even the header is. */
  synced = -1;
  /** Bytes written since the last sync began. */
  unsyncedBytes = 0;
  /** When the oldest of them was written, µs of the monotonic clock; undefined when there are none. */
  dirtySinceUs: number | undefined;
  /** A sync is under way, or the file is being made anew. */
  isSyncing = false;
  /** A sync failed: no write and no sync until the file was made anew. */
  isPoisoned = false;
  /** Which file it is, of those that may stand at the path. */
  identity: FileIdentity | undefined;
  /** The thread was closed: the slot's words are another's now. */
  isReleased = false;
  /** Items that wait in the parking area, in order: the next ones to be written. */
  parked: ParkedFrame[] = [];
  /** A copy of what could not be written. */
  salvage: Salvage | undefined;
  /** Its close gave up on what is not written. */
  isAbandoned = false;
  /** Undefined while only a dead writer knew it. */
  #end: FileEnd | undefined;
  /** What no sync has covered, for when one fails. */
  #held: HeldRecords;
  #failure: LastwordError | undefined;
  /** What we may have written behind the last whole record, at most. */
  #looseBytes = 0;

  constructor(thread: { threadId: string; slot: number; incarnation: number; base: number; path: string }, end: FileEnd | undefined, held?: HeldRecords) {
    this.threadId = thread.threadId;
    this.slot = thread.slot;
    this.incarnation = thread.incarnation;
    this.base = thread.base;
    this.path = thread.path;
    this.#end = end;
    this.#held = held ?? new HeldRecords(undefined, end?.wholeBytes ?? 0);
  }

  get held(): HeldRecords {
    return this.#held;
  }

  get isEndKnown(): boolean {
    return this.#end !== undefined;
  }

  /** The file itself was asked: so many items of this opening are in it. What the dead writer held of them is gone. */
  found(end: FileEnd, written: number, pool: HeldPool): void {
    this.#end = end;
    this.written = written;
    this.#held = new HeldRecords(pool, end.wholeBytes);
    // A header is copied as it stands, as that of a resumed thread is.
    const safe = Math.max(0, this.synced);
    if (safe < written) this.#held.missFrom(safe);
  }

  get isNumbered(): boolean {
    // Of one whose end was never found only what is salvaged is asked for: as most are.
    return this.#end?.isNumbered ?? true;
  }

  /** Where the last whole record ends. */
  get wholeBytes(): number {
    return this.#knownEnd.wholeBytes;
  }

  get #knownEnd(): FileEnd {
    if (this.#end === undefined) throw new Error('the end of the file was not looked for');
    return this.#end;
  }

  /** Nothing has ended the writing of it for good. */
  get takesRecords(): boolean {
    return this.#failure === undefined && !this.isAbandoned;
  }

  /** Count of the next item that is neither written nor parked. */
  get nextCount(): number {
    return (this.parked.at(-1)?.count ?? this.written - 1) + 1;
  }

  /** The permanent error, after which nothing more is written. */
  get failure(): LastwordError | undefined {
    return this.#failure;
  }

  /** The first failure stays: what comes after it is its consequence. */
  fail(error: LastwordError): void {
    this.#failure ??= error;
  }

  /** Nobody else has written to the file, cut it or deleted it since we wrote. Whether it has its name is looked at elsewhere. */
  isUntouched({ links, size }: FileState): boolean {
    return links > 0 && size === this.wholeBytes;
  }

  /** Behind the last whole record stands what a failed write of ours has left, as it could not be cut off then. */
  isUncut(size: number): boolean {
    return size > this.wholeBytes && size <= this.wholeBytes + this.#looseBytes;
  }

  /** Appends all of the bytes, or leaves the file ending in its last whole record and throws. */
  append(fs: FsOps, descriptor: number, bytes: Uint8Array, offset: number, length: number): void {
    this.#looseBytes += length;
    try {
      writeAll(fs, descriptor, bytes, offset, length);
    } catch (error) {
      this.cutBack(fs, descriptor);
      throw error;
    }
    this.held.add(bytes, offset, length, this.wholeBytes, this.written);
  }

  /** The file ends in a whole record again, `bytes` further on. */
  commit(bytes: number, nowUs: number): void {
    this.#knownEnd.wholeBytes += bytes;
    this.#looseBytes -= bytes;
    this.markDirty(bytes, nowUs);
  }

  /** Bytes are in the file that no sync has covered. */
  markDirty(bytes: number, nowUs: number): void {
    this.unsyncedBytes += bytes;
    this.dirtySinceUs ??= nowUs;
  }

  /** Cuts off what follows the last whole record. */
  cutBack(fs: FsOps, descriptor: number): void {
    // Also where the cut fails: what is held is whole records.
    this.held.cutTo(this.wholeBytes);
    fs.truncate(descriptor, this.wholeBytes);
    this.#looseBytes = 0;
  }

  /** It is another file now, that ends in its last whole record. */
  madeAnew(): void {
    this.#looseBytes = 0;
  }

  beginSync(): SyncBegun {
    const { written, unsyncedBytes: bytes, dirtySinceUs } = this;
    this.unsyncedBytes = 0;
    this.dirtySinceUs = undefined;
    this.held.beginSync(this.wholeBytes);
    return { written, bytes, dirtySinceUs };
  }

  endSync({ written }: SyncBegun): void {
    this.synced = written;
    this.held.endSync();
  }

  /** The sync failed, or could not be made: there is as much to do as before. */
  undoSync({ bytes, dirtySinceUs }: SyncBegun): void {
    this.unsyncedBytes += bytes;
    this.dirtySinceUs = dirtySinceUs ?? this.dirtySinceUs;
    this.held.undoSync();
  }

  /** No sync follows: returns how many bytes waited for one. */
  giveUpSync(): number {
    const { unsyncedBytes } = this;
    this.unsyncedBytes = 0;
    this.dirtySinceUs = undefined;
    this.held.clear(this.#end?.wholeBytes ?? 0);
    return unsyncedBytes;
  }
}
