import { dirname } from 'node:path';
import type { FsOps } from './seams.js';

/** Syncs of folders: a file's own sync does not cover its name, nor those of the folders above it. */
export class FolderSyncs {
  readonly #fs: FsOps;
  /** Folders that hold a name that no sync has covered. */
  readonly #unsynced = new Set<string>();
  /** Folders that have held a name since the start. */
  readonly #known = new Set<string>();
  #root = '/';
  /** Syncs that are under way. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(fs: FsOps) {
    this.#fs = fs;
  }

  /** The sidecar's directory is there; `firstFolder` is the topmost that had to be made for it. */
  rootOpened(root: string, firstFolder: string | undefined): void {
    this.#root = root;
    if (firstFolder !== undefined) this.#add(dirname(root), dirname(firstFolder));
  }

  /**
   * A name was made in `folder`. Those above it may have been made by a process that never synced them, or for a rollout
   * that could then not be made: the first time, and when it `isNew`, all of them up to the root need a sync too.
   */
  changed(folder: string, isNew = false): void {
    this.#unsynced.add(folder);
    if (this.#known.has(folder) && !isNew) return;
    this.#known.add(folder);
    this.#add(folder, this.#root);
  }

  /** Resolves when the names on the way to the file are synced. */
  async syncAbove(path: string): Promise<void> {
    if (this.#unsynced.size === 0 && this.#running.size === 0) return;
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if (this.#unsynced.has(folder) || this.#running.has(folder)) await this.#sync(folder);
      if (folder === dirname(folder)) return;
    }
  }

  #add(from: string, top: string): void {
    for (let path = from; ; path = dirname(path)) {
      this.#unsynced.add(path);
      if (path.length <= top.length) return;
    }
  }

  /** Shared by all who need it; a name made after it began needs another. */
  #sync(folder: string): Promise<void> {
    if (!this.#unsynced.has(folder)) return this.#running.get(folder) ?? Promise.resolve();
    this.#unsynced.delete(folder);
    const running = this.#fs.syncDirectory(folder).catch((error: unknown) => {
      this.#unsynced.add(folder);
      throw error;
    }).finally(() => {
      if (this.#running.get(folder) === running) this.#running.delete(folder);
    });
    this.#running.set(folder, running);
    return running;
  }
}
