import { LastwordError } from '../src/errors.js';
import type { ParkedFrame } from '../src/ring/parking.js';
import { HeldRecords } from './held.js';
import type { FileIdentity, FsOps } from './seams.js';
import { writeAll } from './write-all.js';

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
  readonly path: string;
  /** False where Codex began the file before it numbered records: then no line of it has an ordinal. */
  readonly isNumbered: boolean;
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
  /** What no sync has covered, for that. */
  readonly held: HeldRecords;
  /** The thread was closed: the slot's words are another's now. */
  isReleased = false;
  /** Which file it is, of those that may stand at the path. */
  identity: FileIdentity | undefined;
  /** Items that wait in the parking area, in order: the next ones to be written. */
  parked: ParkedFrame[] = [];
  #wholeBytes: number;
  #failure: LastwordError | undefined;

  constructor(thread: { threadId: string; slot: number; incarnation: number; base: number; path: string }, { wholeBytes, isNumbered, held }: { wholeBytes: number; isNumbered: boolean; held?: HeldRecords }) {
    this.threadId = thread.threadId;
    this.slot = thread.slot;
    this.incarnation = thread.incarnation;
    this.base = thread.base;
    this.path = thread.path;
    this.isNumbered = isNumbered;
    this.#wholeBytes = wholeBytes;
    this.held = held ?? new HeldRecords(undefined, wholeBytes);
  }

  /** Where the last whole record ends. */
  get wholeBytes(): number {
    return this.#wholeBytes;
  }

  /** The permanent error, after which nothing more is written. */
  get failure(): LastwordError | undefined {
    return this.#failure;
  }

  /** The first failure stays: what comes after it is its consequence. */
  fail(error: LastwordError): void {
    this.#failure ??= error;
  }

  /** Nobody else has written to the file or cut it since we did. */
  assertUntouched(fs: FsOps, descriptor: number): void {
    const size = fs.size(descriptor);
    if (size === this.#wholeBytes) return;
    throw new LastwordError('LASTWORD_WRITE_FAILED', `the file has ${size} bytes where ${this.#wholeBytes} were written`, { path: this.path });
  }

  /** Appends all of the bytes, or leaves the file ending in its last whole record and throws. */
  append(fs: FsOps, descriptor: number, bytes: Uint8Array, offset: number, length: number): void {
    try {
      writeAll(fs, descriptor, bytes, offset, length);
    } catch (error) {
      this.cutBack(fs, descriptor);
      throw error;
    }
    this.held.add(bytes, offset, length, this.#wholeBytes, this.written);
  }

  /** The file ends in a whole record again, `bytes` further on. */
  commit(bytes: number, nowUs: number): void {
    this.#wholeBytes += bytes;
    this.markDirty(bytes, nowUs);
  }

  /** Bytes are in the file that no sync has covered. */
  markDirty(bytes: number, nowUs: number): void {
    this.unsyncedBytes += bytes;
    this.dirtySinceUs ??= nowUs;
  }

  /** Cuts off what follows the last whole record. */
  cutBack(fs: FsOps, descriptor: number): void {
    fs.truncate(descriptor, this.#wholeBytes);
    this.held.cutTo(this.#wholeBytes);
  }

  beginSync(): SyncBegun {
    const { written, unsyncedBytes: bytes, dirtySinceUs } = this;
    this.unsyncedBytes = 0;
    this.dirtySinceUs = undefined;
    this.held.beginSync(this.#wholeBytes);
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
    this.held.clear(this.#wholeBytes);
    return unsyncedBytes;
  }
}
