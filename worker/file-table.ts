import { addFigure } from '../src/ring/figures.js';
import type { SidecarMemory } from '../src/ring/memory.js';
import type { RolloutFile } from './rollout-file.js';
import type { FsOps } from './seams.js';

const NO_DESCRIPTOR = ['EMFILE', 'ENFILE'];

/** The process, or the system, has as many files open as it may. */
export function isNoDescriptor(error: unknown): boolean {
  return NO_DESCRIPTOR.includes((error as Partial<NodeJS.ErrnoException>).code ?? '');
}

/** Which rollouts have a descriptor open: the most recently used, at most `openFilesMax`. */
export class FileTable {
  readonly #fs: FsOps;
  readonly #sidecar: SidecarMemory;
  readonly #openFilesMax: number;
  readonly #onCloseError: (file: RolloutFile, error: unknown) => void;
  /** In the order of use, the least recent first. */
  readonly #descriptors = new Map<RolloutFile, number>();

  constructor(fs: FsOps, sidecar: SidecarMemory, openFilesMax: number, onCloseError: (file: RolloutFile, error: unknown) => void) {
    this.#fs = fs;
    this.#sidecar = sidecar;
    this.#openFilesMax = openFilesMax;
    this.#onCloseError = onCloseError;
  }

  isOpen(file: RolloutFile): boolean {
    return this.#descriptors.has(file);
  }

  /** The file's descriptor where it is open; not counted as a use. */
  openDescriptorOf(file: RolloutFile): number | undefined {
    return this.#descriptors.get(file);
  }

  /** The file's descriptor, opened if need be; another may be closed for it. Throws what open() throws. */
  descriptorOf(file: RolloutFile): number {
    const open = this.#descriptors.get(file);
    if (open !== undefined) {
      this.#descriptors.delete(file);
      this.#descriptors.set(file, open);
      return open;
    }
    const descriptor = this.whileOpening(() => this.#fs.openFile(file.path));
    try {
      this.add(file, descriptor);
    } catch (error) {
      this.#fs.close(descriptor);
      throw error;
    }
    return descriptor;
  }

  /**
   * Opens another file. Where the process has no descriptor left, the ones that are idle here are given up for it. Not for whoever
   * has one of them in hand.
   */
  whileOpening<T>(open: () => T): T {
    this.makeRoom();
    for (;;) {
      try {
        return open();
      } catch (error) {
        if (!this.#hasGivenUpFor(error)) throw error;
      }
    }
  }

  /** The same for what opens its file in a promise. */
  async whileOpeningLater<T>(open: () => Promise<T>): Promise<T> {
    this.makeRoom();
    for (;;) {
      try {
        return await open();
      } catch (error) {
        if (!this.#hasGivenUpFor(error)) throw error;
      }
    }
  }

  #hasGivenUpFor(error: unknown): boolean {
    return isNoDescriptor(error) && this.#evict();
  }

  /** Takes over a descriptor that was opened to make the file. */
  add(file: RolloutFile, descriptor: number): void {
    const { dev, ino } = this.#fs.identify(descriptor);
    file.identity = { dev, ino };
    this.#descriptors.set(file, descriptor);
    addFigure(this.#sidecar, 'filesOpen', 1);
    addFigure(this.#sidecar, 'filesOpened', 1);
  }

  /** Goes on with a descriptor of another file. */
  replace(file: RolloutFile, descriptor: number): void {
    this.close(file);
    this.add(file, descriptor);
  }

  /** Closes the least recently used file that no sync is in, until one more may be opened. */
  makeRoom(): void {
    while (this.#descriptors.size >= this.#openFilesMax) if (!this.#evict()) return;
  }

  /** False when a sync is in every one of them. */
  #evict(): boolean {
    for (const file of this.#descriptors.keys()) {
      if (file.isSyncing) continue;
      this.close(file);
      addFigure(this.#sidecar, 'filesEvicted', 1);
      return true;
    }
    return false;
  }

  close(file: RolloutFile): void {
    const descriptor = this.#descriptors.get(file);
    if (descriptor === undefined) return;
    this.#descriptors.delete(file);
    addFigure(this.#sidecar, 'filesOpen', -1);
    try {
      this.#fs.close(descriptor);
    } catch (error) {
      // What was written may not reach the disk: the same as a failed sync.
      this.#onCloseError(file, error);
    }
  }

  closeAll(): void {
    for (const file of [...this.#descriptors.keys()]) this.close(file);
  }
}
