import { dirname } from 'node:path';
import { isLastwordError, LastwordError } from '../src/errors.js';
import { wakeProducer } from '../src/ring/doorbell.js';
import { addFigure, recordLatency, SYNC_HISTOGRAM } from '../src/ring/figures.js';
import { publishSynced } from '../src/ring/slots.js';
import { makeBeside } from './beside.js';
import type { Confirmations } from './confirmations.js';
import { isNoDescriptor } from './file-table.js';
import type { FolderSyncs } from './folder-syncs.js';
import { changeOf, firstLostOf, type Interference } from './interference.js';
import { mark, rewrite, unmark } from './rewrite.js';
import type { RolloutFile } from './rollout-file.js';
import { isSameFile } from './seams.js';
import type { Writer, WriterParts } from './writer.js';

interface Poisoning {
  readonly cause: unknown;
  /** What can be read of the file is what was written: no sync of it has failed. */
  readonly isTrusted: boolean;
}

/**
 * One sync of one file, and what follows when it fails. That is final for the file as it stands: it is poisoned, never
 * synced or written again, until what is safe of it and what is held stand in a new file in its place.
 */
export class FileSync {
  readonly #writer: Writer;
  readonly #parts: WriterParts;
  readonly #folders: FolderSyncs;
  readonly #interference: Interference;
  readonly #confirmations: Confirmations;
  /** Files that could not be opened for their sync: it is to be made later. */
  readonly #unopened = new Set<RolloutFile>();
  readonly #poisoned = new Map<RolloutFile, Poisoning>();
  #isWaking = false;

  constructor(writer: Writer, parts: WriterParts, folders: FolderSyncs, interference: Interference, confirmations: Confirmations) {
    this.#interference = interference;
    this.#confirmations = confirmations;
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

  /**
   * Returns whether that was all: false when it is to be run again. Whoever runs it calls ended() in the turn in which it learns that.
   * `leaveDisk` is called when what follows is no work for the disk: another may begin.
   */
  run(file: RolloutFile, leaveDisk: () => void = () => undefined): Promise<boolean> {
    file.isSyncing = true;
    if (this.#isKeptBack(file)) this.#writer.troubles.trying(file);
    return (file.isPoisoned ? this.#rewrite(file) : this.#sync(file, leaveDisk)).catch((error: unknown) => {
      // What it does beside its work was refused: the lease of a closed thread, or the look at its file.
      if (file.failure === undefined && this.#writer.troubles.meet(file, error)) return false;
      this.giveUp(file, error);
      return true;
    });
  }

  /** Another sync of the file may begin, and its descriptor may be closed. */
  ended(file: RolloutFile): void {
    file.isSyncing = false;
    // Its failure has waited for this to let go of what is held.
    if (file.failure !== undefined) this.drop(file);
    this.#wakeProducers();
  }

  /** Once for all syncs that end in one turn: a wake-up costs the host more than the rest of a sync does. */
  #wakeProducers(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    queueMicrotask(() => {
      this.#isWaking = false;
      for (const ring of this.#writer.rings) wakeProducer(ring.consumer.memory);
    });
  }

  poison(file: RolloutFile, cause: unknown, isTrusted: boolean): void {
    if (file.isPoisoned || file.failure !== undefined) return;
    file.isPoisoned = true;
    this.#poisoned.set(file, { cause, isTrusted });
    const { threadId, path } = file;
    const { errno } = cause as Partial<NodeJS.ErrnoException>;
    this.#writer.troubles.begin(file, () => isTrusted && isLastwordError(cause) ? cause : new LastwordError('LASTWORD_SYNC_FAILED', `thread ${threadId}: a sync failed, and what is held is written to a new file`,
      { threadId, path, ...(errno === undefined ? {} : { errno }) }, { cause }));
  }

  /** Nothing is tried any more: from `unsafeFrom` on what was written is named. */
  giveUp(file: RolloutFile, cause = this.#poisoned.get(file)?.cause, unsafeFrom = Math.max(0, file.synced)): void {
    this.#writer.failRollout(file, 'LASTWORD_SYNC_FAILED', 'not everything could be written anew', cause, unsafeFrom);
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
  async #sync(file: RolloutFile, leaveDisk: () => void): Promise<boolean> {
    const { clock, files, fs, sidecar } = this.#parts;
    const startUs = clock.monotonicUs();
    let begun: ReturnType<RolloutFile['beginSync']> | undefined;
    try {
      if (!files.isOpen(file) && !this.#isInPlace(file)) return file.failure !== undefined;
      const descriptor = files.descriptorOf(file);
      begun = file.beginSync();
      await fs.syncFile(descriptor);
      await this.#folders.syncAbove(file.path);
      const confirmed = this.#confirmations.confirmed(descriptor, file.identity?.dev ?? 0);
      leaveDisk();
      await confirmed;
      // It may have lost its name meanwhile: then nothing of it is safe.
      if (!this.#isInPlace(file)) {
        file.undoSync(begun);
        return file.failure !== undefined;
      }
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
    else this.poison(file, error, false);
    return false;
  }

  #isInPlace(file: RolloutFile): boolean {
    return file.isReleased || this.#interference.isInPlace(file);
  }

  async #rewrite(file: RolloutFile): Promise<boolean> {
    const { fs, sidecar } = this.#parts;
    const isTrusted = this.#poisoned.get(file)?.isTrusted === true;
    const unheldFrom = isTrusted ? undefined : file.held.unheldFrom;
    try {
      if (file.failure !== undefined || this.#isTheHosts(file)) {
        this.drop(file);
        return true;
      }
      this.#holdLease(file);
      this.#prepare(file);
      if (!isTrusted) mark(fs, file.path);
      // A file of which nothing is held stays as it is.
      if (unheldFrom === undefined || file.held.bytes > 0) {
        const lostFrom = await this.#writeAnew(file, isTrusted);
        if (lostFrom !== undefined) {
          this.giveUp(file, undefined, lostFrom);
          return true;
        }
        file.synced = unheldFrom ?? file.written;
        this.#publish(file);
      }
    } catch (error) {
      if (unheldFrom === undefined && this.#writer.troubles.meet(file, error)) return false;
      this.giveUp(file, error);
      return true;
    } finally {
      if (file.isReleased) this.#releaseLease(file);
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

  /** Where the file is to stand, there is a folder. */
  #prepare(file: RolloutFile): void {
    if (file.isReleased) return;
    const { change, path } = changeOf(this.#parts, file);
    if (change === 'moved') this.#interference.follow(file, path);
    const folder = dirname(path);
    if (this.#parts.fs.makeDirectory(folder) !== undefined) this.#folders.changed(folder, true);
  }

  /** What is safe of the old file, then what is held. Returns the count of the first item that can be had from neither. */
  async #writeAnew(file: RolloutFile, isTrusted: boolean): Promise<number | undefined> {
    const { files, fs } = this.#parts;
    const { base, held, path } = file;
    const { change } = changeOf(this.#parts, file);
    const source = change === 'deleted' || change === 'replaced' ? files.openDescriptorOf(file) : files.descriptorOf(file);
    const takesAll = isTrusted && held.unheldFrom !== undefined;
    const sourceBytes = takesAll ? file.wholeBytes : held.from;
    if ((source === undefined ? 0 : fs.identify(source).size) < sourceBytes) return firstLostOf(fs, source, path) - base;
    const keep = (): void => { this.#keep(file, isTrusted); };
    const descriptor = await rewrite(this.#parts, { path, source, sourceBytes, held: takesAll ? [] : held.read(), keep }, (create) => files.whileOpening(create));
    files.replace(file, descriptor);
    file.madeAnew();
    this.#folders.changed(dirname(path));
    await this.#folders.syncAbove(path);
    fs.confirmSyncs(descriptor);
    unmark(fs, path);
    return undefined;
  }

  /** What stands in the place of the file and is somebody else's, or holds what could not be held, stays beside. */
  #keep({ held, identity, path }: RolloutFile, isTrusted: boolean): void {
    const { fs } = this.#parts;
    const named = fs.identifyPath(path);
    const isForeign = named !== undefined && !isSameFile(named, identity);
    if (isForeign) makeBeside(path, 'foreign', (name) => { fs.link(path, name); });
    else if (!isTrusted && held.unheldFrom !== undefined) makeBeside(path, 'unsynced', (name) => { fs.link(path, name); });
  }

  /** What a closed thread has left is the host's to move and to delete. */
  #isTheHosts(file: RolloutFile): boolean {
    return file.isReleased && !isSameFile(this.#parts.fs.identifyPath(file.path), file.identity);
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

  #releaseLease({ threadId }: RolloutFile): void {
    try {
      this.#parts.leases.release(threadId);
    } catch {
      return; // it goes with the others, when the sidecar closes
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
