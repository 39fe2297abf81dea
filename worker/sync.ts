import { addFigure } from '../src/ring/figures.js';
import { wantedSyncedOf } from '../src/ring/slots.js';
import { Confirmations } from './confirmations.js';
import { FileSync } from './file-sync.js';
import { FolderSyncs } from './folder-syncs.js';
import { Interference } from './interference.js';
import type { RolloutFile } from './rollout-file.js';
import type { Writer, WriterParts } from './writer.js';

/** No sync of the file is under way, and, unless it is abandoned, none that failed is to be made good. */
export function isSettled(file: RolloutFile, isAbandoned: boolean): boolean {
  return !file.isSyncing && (isAbandoned || !file.isPoisoned);
}

/** Of libuv's four threads, which are the host's too. */
const SYNCS_AT_ONCE = 3;

export interface SyncOptions {
  readonly syncIntervalMs: number;
  readonly unsyncedBytes: number;
}

/**
 * When written becomes synced: on request, after an interval, or when many bytes have gathered. One pass over all dirty
 * files, syncs side by side, one at a time for each file.
 */
export class SyncScheduler {
  readonly #writer: Writer;
  readonly #parts: WriterParts;
  readonly #options: SyncOptions;
  readonly folders: FolderSyncs;
  readonly interference: Interference;
  readonly #fileSync: FileSync;
  readonly #confirmations: Confirmations;
  /** Files whose sync is due, in order. */
  readonly #due = new Set<RolloutFile>();
  /** Files for which a flush wants more than is synced: one sync may not do, when what is wanted is not all written yet. */
  readonly #wanted = new Set<RolloutFile>();
  /** Syncs under way. */
  readonly #running = new Set<Promise<void>>();
  /** Those of them that the disk still works for. */
  #atDisk = 0;
  #isStopped = false;
  #requestsSeen = 0;
  #cancelTimer: (() => void) | undefined;
  /** Files of closed threads with bytes that no sync has covered. */
  readonly #lingering = new Set<RolloutFile>();
  readonly #waiters = new Map<RolloutFile, (() => void)[]>();

  constructor(writer: Writer, parts: WriterParts, options: SyncOptions) {
    this.#writer = writer;
    this.#parts = parts;
    this.#options = options;
    this.folders = new FolderSyncs(parts.fs);
    const { clock, files, fs, tell } = parts;
    this.interference = new Interference({
      clock, files, fs, tell,
      poison: (file, error) => { this.#poison(file, error, true); },
      fail: (file, error) => { writer.failRollout(file, error.code, 'its file was changed by somebody else', error); },
    }, this.folders, writer.openRollouts);
    this.#confirmations = new Confirmations(fs, clock);
    this.#fileSync = new FileSync(writer, parts, this.folders, this.interference, this.#confirmations);
  }

  /** A name was made in the folder. */
  folderChanged(folder: string): void {
    this.folders.changed(folder);
    // The writer may have parked: no pass follows that would set it.
    this.#setTimer();
  }

  /** One look: what was asked for, and what has gathered. `requests` was read before the pass. */
  step(requests: number, bytesUnsynced: number): void {
    if (requests !== this.#requestsSeen) {
      this.#requestsSeen = requests;
      for (const file of this.#writer.openRollouts) this.#wanted.add(file);
    }
    for (const file of this.#openFirst(this.#wanted)) this.#queueWanted(file);
    if (this.#isFull(bytesUnsynced)) this.#dueSince(Infinity);
    this.#startDue();
    this.#setTimer();
  }

  /** Resolves when everything the file holds now is synced, or when it has failed, or is abandoned and a sync did. */
  async syncNow(file: RolloutFile, isAbandoned: boolean): Promise<void> {
    const target = file.written;
    while (file.failure === undefined && file.synced < target && !(file.isPoisoned && isAbandoned)) await this.nextEnd(file);
  }

  /**
   * Resolves when a sync of the file has ended: the one under way, or else one that begins now. Another may have begun before
   * whoever waits is called: it looks again whether `isSettled`.
   */
  nextEnd(file: RolloutFile): Promise<void> {
    if (!file.isSyncing) {
      this.#due.add(file);
      this.#startDue();
    }
    return new Promise<void>((resolve) => {
      const waiting = this.#waiters.get(file) ?? [];
      this.#waiters.set(file, waiting);
      waiting.push(resolve);
    });
  }

  /** Resolves when the file that a closed thread has left there needs no sync any more. */
  async lingered(path: string): Promise<void> {
    for (const file of this.#lingering) while (file.path === path && this.#lingering.has(file)) await this.nextEnd(file);
  }

  /** The file that a closed thread has left there is to be deleted. Resolves when nothing of it is under way. */
  async forgotten(path: string): Promise<void> {
    for (const file of this.#lingering) {
      if (file.path !== path) continue;
      while (file.isSyncing) await this.nextEnd(file);
      this.#fileSync.drop(file);
      this.#leave(file);
    }
  }

  /** The thread is closed; what no sync has covered yet still gets its sync within the interval. */
  released(file: RolloutFile): void {
    file.isReleased = true;
    if (file.isPoisoned) this.#fileSync.giveUp(file);
    if (file.dirtySinceUs !== undefined && this.#options.syncIntervalMs > 0) this.#lingering.add(file);
    else addFigure(this.#parts.sidecar, 'bytesUnsynced', -file.giveUpSync());
  }

  /** close() of the file has failed: the same as a failed sync of what no sync has covered. */
  closeFailed(file: RolloutFile, error: unknown): void {
    if (file.dirtySinceUs !== undefined) this.poison(file, error);
  }

  /** No sync of the file as it stands proves anything: it is made anew. */
  poison(file: RolloutFile, error: unknown): void {
    this.#poison(file, error, false);
  }

  /** `isTrusted`: what can be read of it is what was written. */
  #poison(file: RolloutFile, error: unknown, isTrusted: boolean): void {
    this.#fileSync.poison(file, error, isTrusted);
    this.#due.add(file);
    this.#startDue();
  }

  /** Starts no further sync, and resolves when none is under way. */
  async stop(): Promise<void> {
    this.#cancelTimer?.();
    this.interference.stop();
    this.#isStopped = true;
    await Promise.all([...this.#running]);
  }

  /** After stop(), with every file closed: a last try for those whose sync or close has failed. */
  async finish(): Promise<void> {
    for (const file of [...this.#fileSync.poisoned]) {
      await this.#fileSync.run(file);
      this.#fileSync.ended(file);
      if (file.isPoisoned) this.#fileSync.giveUp(file);
      this.#parts.files.close(file);
    }
  }

  /** Enough waits for a sync that can be made. */
  #isFull(bytesUnsynced: number): boolean {
    let bytes = bytesUnsynced;
    for (const file of this.#fileSync.poisoned) bytes -= file.unsyncedBytes;
    const { unsyncedBytes } = this.#options;
    // Many small parts may take more memory than they hold bytes.
    return bytes >= unsyncedBytes || (bytes > 0 && this.#parts.held.takenBytes >= unsyncedBytes);
  }

  /** Files that have been dirty since `beforeUs` or longer. */
  #dueSince(beforeUs: number): void {
    for (const file of this.#openFirst(this.#writer.openRollouts, this.#lingering)) {
      if (file.dirtySinceUs !== undefined && file.dirtySinceUs <= beforeUs) this.#due.add(file);
    }
  }

  /** All of the files. Those that are not open come last: they will close some of the others. */
  #openFirst(...all: readonly Iterable<RolloutFile>[]): RolloutFile[] {
    const open: RolloutFile[] = [];
    const closed: RolloutFile[] = [];
    for (const files of all) for (const file of files) (this.#parts.files.isOpen(file) ? open : closed).push(file);
    return closed.length === 0 ? open : [...open, ...closed];
  }

  #setTimer(): void {
    const { syncIntervalMs } = this.#options;
    if (this.#cancelTimer !== undefined || syncIntervalMs === 0) return;
    this.#cancelTimer = this.#parts.clock.after(syncIntervalMs, () => {
      this.#cancelTimer = undefined;
      this.#parts.held.trim();
      this.#dueSince(this.#parts.clock.monotonicUs());
      this.#startDue();
    });
  }

  #startDue(): void {
    for (const file of this.#due) {
      if (this.#isStopped || this.#atDisk >= SYNCS_AT_ONCE) return;
      if (file.isSyncing || !this.#fileSync.isDue(file)) continue;
      this.#due.delete(file);
      if (file.failure === undefined) this.#begin(file);
      else this.#settle(file);
    }
  }

  #begin(file: RolloutFile): void {
    let isAtDisk = true;
    this.#atDisk += 1;
    const leaveDisk = (): void => {
      if (isAtDisk) this.#atDisk -= 1;
      isAtDisk = false;
    };
    const sync = this.#fileSync.run(file, () => {
      leaveDisk();
      // At once, so that the disk does not wait for the rest of this one.
      this.#startDue();
      if (this.#atDisk === 0) this.#confirmations.now();
    }).then((isDone) => {
      leaveDisk();
      this.#running.delete(sync);
      this.#fileSync.ended(file);
      if (!isDone) this.#due.add(file);
      else this.#leave(file);
      this.#settle(file);
      if (this.#wanted.has(file)) this.#queueWanted(file);
      this.#startDue();
    });
    this.#running.add(sync);
  }

  /** The file of a closed thread is done with. */
  #leave(file: RolloutFile): void {
    if (!this.#lingering.delete(file)) return;
    this.#due.delete(file);
    this.#parts.files.close(file);
  }

  /** What is wanted and written, or will be: looked at after every pass and every sync, until it is synced. */
  #queueWanted(file: RolloutFile): void {
    if (!this.#isWanted(file)) this.#wanted.delete(file);
    else if (file.dirtySinceUs !== undefined) this.#due.add(file);
  }

  #isWanted(file: RolloutFile): boolean {
    return file.failure === undefined && !file.isReleased && wantedSyncedOf(this.#parts.sidecar, file.slot) > file.synced;
  }

  #settle(file: RolloutFile): void {
    const waiting = this.#waiters.get(file);
    if (waiting === undefined) return;
    this.#waiters.delete(file);
    for (const resolve of waiting) resolve();
  }
}
