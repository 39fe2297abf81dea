import { dirname } from 'node:path';
import { wakeProducer } from '../src/ring/doorbell.js';
import { addFigure, recordLatency, SYNC_HISTOGRAM } from '../src/ring/figures.js';
import { publishSynced, wantedSyncedOf } from '../src/ring/slots.js';
import type { RolloutFile } from './rollout-file.js';
import type { Writer, WriterParts } from './writer.js';

/** Of libuv's four threads, which are the host's too. */
const SYNCS_AT_ONCE = 3;

export interface SyncOptions {
  readonly syncIntervalMs: number;
  readonly unsyncedBytes: number;
}

/**
 * When written becomes synced: on request, after an interval, or when many bytes have gathered. One pass over all dirty
 * files, syncs side by side, one at a time for each file. A failed sync is final for its file.
 */
export class SyncScheduler {
  readonly #writer: Writer;
  readonly #parts: WriterParts;
  readonly #options: SyncOptions;
  /** Files whose sync is due, in order. */
  readonly #due = new Set<RolloutFile>();
  /** Files for which a flush wants more than is synced: one sync may not do, when what is wanted is not all written yet. */
  readonly #wanted = new Set<RolloutFile>();
  /** Syncs under way. */
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;
  #requestsSeen = 0;
  #cancelTimer: (() => void) | undefined;
  /** Folders that hold a name that no sync has covered. */
  readonly #unsyncedFolders = new Set<string>();
  /** Folders that have held a name since the start. */
  readonly #knownFolders = new Set<string>();
  #root = '/';
  /** Syncs of folders that are under way. */
  readonly #folderSyncs = new Map<string, Promise<void>>();
  /** Files of closed threads with bytes that no sync has covered. */
  readonly #lingering = new Set<RolloutFile>();
  readonly #waiters = new Map<RolloutFile, (() => void)[]>();

  constructor(writer: Writer, parts: WriterParts, options: SyncOptions) {
    this.#writer = writer;
    this.#parts = parts;
    this.#options = options;
  }

  /** The sidecar's directory is there; `firstFolder` is the topmost that had to be made for it. */
  rootOpened(root: string, firstFolder: string | undefined): void {
    this.#root = root;
    if (firstFolder !== undefined) this.#addFolders(dirname(root), dirname(firstFolder));
  }

  /**
   * A name was made in `folder`. Those above it may have been made by a process that never synced them, or for a rollout
   * that could then not be made: the first time, all of them up to the root need a sync too.
   */
  folderChanged(folder: string): void {
    this.#unsyncedFolders.add(folder);
    if (!this.#knownFolders.has(folder)) {
      this.#knownFolders.add(folder);
      this.#addFolders(folder, this.#root);
    }
    // The writer may have parked: no pass follows that would set it.
    this.#setTimer();
  }

  #addFolders(from: string, top: string): void {
    for (let path = from; ; path = dirname(path)) {
      this.#unsyncedFolders.add(path);
      if (path.length <= top.length) return;
    }
  }

  /** One look: what was asked for, and what has gathered. `requests` was read before the pass. */
  step(requests: number, bytesUnsynced: number): void {
    if (requests !== this.#requestsSeen) {
      this.#requestsSeen = requests;
      for (const file of this.#writer.openRollouts) this.#wanted.add(file);
    }
    this.#queueWanted();
    if (bytesUnsynced >= this.#options.unsyncedBytes) this.#dueSince(Infinity);
    this.#startDue();
    this.#setTimer();
  }

  /** Resolves when everything the file holds now is synced, or when the file has failed. */
  async syncNow(file: RolloutFile): Promise<void> {
    const target = file.written;
    while (file.failure === undefined && file.synced < target) {
      const turn = new Promise<void>((resolve) => { this.#waitersOf(file).push(resolve); });
      this.#due.add(file);
      this.#startDue();
      await turn;
    }
  }

  /** Resolves when no sync of the file is under way. */
  async settled(file: RolloutFile): Promise<void> {
    while (file.isSyncing) {
      await new Promise<void>((resolve) => { this.#waitersOf(file).push(resolve); });
    }
  }

  /** Starts no further sync, and resolves when none is under way. */
  async stop(): Promise<void> {
    this.#cancelTimer?.();
    this.#isStopped = true;
    await Promise.all([...this.#running]);
  }

  /** The thread is closed; what no sync has covered yet still gets its sync within the interval. */
  released(file: RolloutFile): void {
    file.isReleased = true;
    if (file.dirtySinceUs !== undefined && this.#options.syncIntervalMs > 0) this.#lingering.add(file);
    else addFigure(this.#parts.sidecar, 'bytesUnsynced', -file.unsyncedBytes);
  }

  #waitersOf(file: RolloutFile): (() => void)[] {
    const waiting = this.#waiters.get(file) ?? [];
    this.#waiters.set(file, waiting);
    return waiting;
  }

  /** Files that have been dirty since `beforeUs` or longer. */
  #dueSince(beforeUs: number): void {
    for (const files of [this.#writer.openRollouts, this.#lingering]) {
      for (const file of files) {
        if (file.dirtySinceUs !== undefined && file.dirtySinceUs <= beforeUs) this.#due.add(file);
      }
    }
  }

  #setTimer(): void {
    const { syncIntervalMs } = this.#options;
    if (this.#cancelTimer !== undefined || syncIntervalMs === 0) return;
    this.#cancelTimer = this.#parts.clock.after(syncIntervalMs, () => {
      this.#cancelTimer = undefined;
      this.#dueSince(this.#parts.clock.monotonicUs());
      this.#startDue();
    });
  }

  #startDue(): void {
    for (const file of this.#due) {
      if (this.#isStopped || this.#running.size >= SYNCS_AT_ONCE) return;
      if (file.isSyncing) continue;
      this.#due.delete(file);
      if (file.failure === undefined) this.#begin(file);
      else this.#settle(file);
    }
  }

  #begin(file: RolloutFile): void {
    const sync = this.#sync(file).finally(() => {
      this.#running.delete(sync);
      this.#settle(file);
      this.#queueWanted();
      this.#startDue();
    });
    this.#running.add(sync);
  }

  /** One sync. What is published is what was written when it started. */
  async #sync(file: RolloutFile): Promise<void> {
    const { clock, files, fs, sidecar } = this.#parts;
    file.isSyncing = true;
    const startUs = clock.monotonicUs();
    const written = file.written;
    const bytes = file.unsyncedBytes;
    file.unsyncedBytes = 0;
    file.dirtySinceUs = undefined;
    try {
      await fs.syncFile(files.descriptorOf(file));
      for (const folder of this.#foldersOf(file)) await this.#syncFolder(folder);
      file.synced = written;
      if (!file.isReleased) publishSynced(sidecar, file.slot, written);
      addFigure(sidecar, 'bytesUnsynced', -bytes);
      recordLatency(sidecar.words, SYNC_HISTOGRAM, clock.monotonicUs() - startUs);
    } catch (error) {
      addFigure(sidecar, 'bytesUnsynced', -bytes);
      // The file of a closed thread is the host's to move and to delete.
      const isGone = file.isReleased && (error as Partial<NodeJS.ErrnoException>).code === 'ENOENT';
      if (!isGone) this.#writer.failRollout(file, 'LASTWORD_SYNC_FAILED', 'a data sync failed', error);
    }
    file.isSyncing = false;
    if (this.#lingering.delete(file)) files.close(file);
    for (const ring of this.#writer.rings) wakeProducer(ring.consumer.memory);
  }

  #foldersOf(file: RolloutFile): string[] {
    if (this.#unsyncedFolders.size === 0 && this.#folderSyncs.size === 0) return [];
    const folders = [];
    for (let path = dirname(file.path); path !== dirname(path); path = dirname(path)) {
      if (this.#unsyncedFolders.has(path) || this.#folderSyncs.has(path)) folders.push(path);
    }
    return folders;
  }

  /** A folder's sync, shared by all who need it; a name made after it began needs another. */
  #syncFolder(folder: string): Promise<void> {
    if (!this.#unsyncedFolders.has(folder)) return this.#folderSyncs.get(folder) ?? Promise.resolve();
    this.#unsyncedFolders.delete(folder);
    const running = this.#parts.fs.syncDirectory(folder).catch((error: unknown) => {
      this.#unsyncedFolders.add(folder);
      throw error;
    }).finally(() => {
      if (this.#folderSyncs.get(folder) === running) this.#folderSyncs.delete(folder);
    });
    this.#folderSyncs.set(folder, running);
    return running;
  }

  /** What is wanted and written, or will be: looked at after every pass and every sync, until it is synced. */
  #queueWanted(): void {
    for (const file of this.#wanted) {
      if (!this.#isWanted(file)) this.#wanted.delete(file);
      else if (file.dirtySinceUs !== undefined) this.#due.add(file);
    }
  }

  #isWanted(file: RolloutFile): boolean {
    return file.failure === undefined && !file.isReleased && wantedSyncedOf(this.#parts.sidecar, file.slot) > file.synced;
  }

  #settle(file: RolloutFile): void {
    const waiting = this.#waiters.get(file);
    if (waiting === undefined || file.isSyncing) return;
    this.#waiters.delete(file);
    for (const resolve of waiting) resolve();
  }
}
