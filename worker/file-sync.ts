import { dirname } from 'node:path';
import { isLastwordError, LastwordError } from '../src/errors.js';
import { wakeProducer } from '../src/ring/doorbell.js';
import { addFigure, recordLatency, SYNC_HISTOGRAM } from '../src/ring/figures.js';
import { publishSynced } from '../src/ring/slots.js';
import { makeBeside } from './beside.js';
import { isNoDescriptor } from './file-table.js';
import type { FolderSyncs } from './folder-syncs.js';
import { mark, rewrite, unmark } from './rewrite.js';
import type { RolloutFile } from './rollout-file.js';
import type { FileIdentity } from './seams.js';
import type { Writer, WriterParts } from './writer.js';

/**
 * One sync of one file, and what follows when it fails. That is final for the file as it stands: it is poisoned, never
 * synced or written again, until what is safe of it and what is held stand in a new file in its place.
 */
export class FileSync {
  readonly #writer: Writer;
  readonly #parts: WriterParts;
  readonly #folders: FolderSyncs;
  /** Files that could not be opened for their sync: it is to be made later. */
  readonly #unopened = new Set<RolloutFile>();
  /** With the error of the sync. */
  readonly #poisoned = new Map<RolloutFile, unknown>();

  constructor(writer: Writer, parts: WriterParts, folders: FolderSyncs) {
    this.#writer = writer;
    this.#parts = parts;
    this.#folders = folders;
  }

  get poisoned(): Iterable<RolloutFile> {
    return this.#poisoned.keys();
  }

  /** False while its next try has to wait, and while the writer still has to find out where the file of a dead one ends. */
  isDue(file: RolloutFile): boolean {
    if (!file.isEndKnown && file.failure === undefined) return false;
    return !this.#isKeptBack(file) || this.#writer.troubles.isDue(file);
  }

  /** In trouble because of a sync. A file that is in trouble because of a write is synced all the same. */
  #isKeptBack(file: RolloutFile): boolean {
    return file.isPoisoned || this.#unopened.has(file);
  }

  /** Returns whether that was all: false when it is to be run again. */
  async run(file: RolloutFile): Promise<boolean> {
    file.isSyncing = true;
    if (this.#isKeptBack(file)) this.#writer.troubles.trying(file);
    const isDone = await (file.isPoisoned ? this.#rewrite(file) : this.#sync(file)).catch((error: unknown) => {
      // What it does beside its work was refused: the lease of a closed thread, or the look at its file.
      if (this.#writer.troubles.meet(file, error)) return false;
      this.giveUp(file, error);
      return true;
    });
    file.isSyncing = false;
    // Its failure has waited for this to let go of what is held.
    if (file.failure !== undefined) this.drop(file);
    for (const ring of this.#writer.rings) wakeProducer(ring.consumer.memory);
    return isDone;
  }

  poison(file: RolloutFile, cause: unknown): void {
    if (file.isPoisoned || file.failure !== undefined) return;
    file.isPoisoned = true;
    this.#poisoned.set(file, cause);
    const { threadId, path } = file;
    const { errno } = cause as Partial<NodeJS.ErrnoException>;
    this.#writer.troubles.begin(file, () => new LastwordError('LASTWORD_SYNC_FAILED', `thread ${threadId}: a sync failed, and what is held is written to a new file`,
      { threadId, path, ...(errno === undefined ? {} : { errno }) }, { cause }));
  }

  /** Nothing is tried any more: what no sync has covered is named. */
  giveUp(file: RolloutFile, cause = this.#poisoned.get(file)): void {
    this.#writer.failRollout(file, 'LASTWORD_SYNC_FAILED', 'a sync failed, and not everything could be written anew', cause, Math.max(0, file.synced));
    this.#forget(file);
  }

  /** The file is the host's now, or has failed: neither a sync nor a try is left. */
  drop(file: RolloutFile): void {
    addFigure(this.#parts.sidecar, 'bytesUnsynced', -file.giveUpSync());
    this.#writer.troubles.ended(file);
    this.#forget(file);
  }

  #forget(file: RolloutFile): void {
    file.isPoisoned = false;
    this.#poisoned.delete(file);
    this.#unopened.delete(file);
  }

  /** What is published is what was written when it started. */
  async #sync(file: RolloutFile): Promise<boolean> {
    const { clock, files, fs, sidecar } = this.#parts;
    const startUs = clock.monotonicUs();
    let begun: ReturnType<RolloutFile['beginSync']> | undefined;
    try {
      const descriptor = files.descriptorOf(file);
      begun = file.beginSync();
      await fs.syncFile(descriptor);
      await this.#folders.syncAbove(file.path);
    } catch (error) {
      if (begun !== undefined) file.undoSync(begun);
      return this.#failed(file, error);
    }
    file.endSync(begun);
    addFigure(sidecar, 'bytesUnsynced', -begun.bytes);
    recordLatency(sidecar.words, SYNC_HISTOGRAM, clock.monotonicUs() - startUs);
    this.#publish(file);
    if (this.#unopened.delete(file)) this.#goOn(file);
    return true;
  }

  #failed(file: RolloutFile, error: unknown): boolean {
    const isGone = file.isReleased && (error as Partial<NodeJS.ErrnoException>).code === 'ENOENT';
    if (file.failure !== undefined || isGone) {
      this.drop(file);
      return true;
    }
    // No sync was tried, or none of the file itself.
    if (isNoDescriptor(error) && this.#writer.troubles.meet(file, error)) this.#unopened.add(file);
    else this.poison(file, error);
    return false;
  }

  async #rewrite(file: RolloutFile): Promise<boolean> {
    const { fs, leases, sidecar } = this.#parts;
    if (file.failure !== undefined || this.#isTheHosts(file)) {
      this.drop(file);
      return true;
    }
    const { unheldFrom } = file.held;
    try {
      this.#holdLease(file);
      mark(fs, file.path);
      // A file of which nothing is held stays as it is.
      if (unheldFrom === undefined || file.held.bytes > 0) {
        await this.#writeAnew(file);
        file.synced = unheldFrom ?? file.written;
        this.#publish(file);
      }
    } catch (error) {
      if (unheldFrom === undefined && this.#writer.troubles.meet(file, error)) return false;
      this.giveUp(file, error);
      return true;
    } finally {
      if (file.isReleased) leases.release(file.threadId);
    }
    if (unheldFrom !== undefined) {
      this.giveUp(file);
      return true;
    }
    addFigure(sidecar, 'bytesUnsynced', -file.giveUpSync());
    this.#forget(file);
    this.#goOn(file);
    return true;
  }

  /** What is synced of the old file, then what is held. */
  async #writeAnew(file: RolloutFile): Promise<void> {
    const { files, fs } = this.#parts;
    const { held, path } = file;
    const source = files.descriptorOf(file);
    // What could not be held stands in the old file, for whoever wants to look.
    if (held.unheldFrom !== undefined) makeBeside(path, 'unsynced', (name) => { fs.link(path, name); });
    const descriptor = await rewrite(this.#parts, { path, source, sourceBytes: held.from, held: held.read() }, (create) => files.whileOpening(create));
    files.replace(file, descriptor);
    this.#folders.changed(dirname(path));
    await this.#folders.syncAbove(path);
    unmark(fs, path);
  }

  /** What a closed thread has left is the host's to move and to delete. */
  #isTheHosts(file: RolloutFile): boolean {
    return file.isReleased && !isSame(this.#parts.fs.identifyPath(file.path), file.identity);
  }

  #holdLease({ threadId, isReleased }: RolloutFile): void {
    const { leases } = this.#parts;
    if (!isReleased) {
      leases.keep(threadId);
      return;
    }
    try {
      leases.hold(threadId);
    } catch (error) {
      if (!isLastwordError(error)) throw error;
      throw new LastwordError('LASTWORD_SYNC_FAILED', 'another owner has opened the thread', error.context, { cause: error });
    }
  }

  #publish({ isReleased, slot, synced }: RolloutFile): void {
    if (!isReleased) publishSynced(this.#parts.sidecar, slot, synced);
  }

  /** Nothing keeps the file from being written any more. */
  #goOn(file: RolloutFile): void {
    const { troubles } = this.#writer;
    if (file.parked.length === 0) troubles.recovered(file);
    else troubles.tryNow(file);
  }
}

function isSame(one: FileIdentity | undefined, other: FileIdentity | undefined): boolean {
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}
