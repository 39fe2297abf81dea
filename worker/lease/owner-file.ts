/** The file that names this sidecar. Its leases are links to it, so its time of change is the heartbeat of all of them. */
import { join } from 'node:path';
import type { Clock, FsOps, Rng } from '../seams.js';
import { writeAll } from '../write-all.js';
import { encodeOwner, OWNER_BYTES_MAX, type LeaseOwner } from './owner.js';

const HEARTBEAT_INTERVAL_MS = 10_000;
/** A lease whose heartbeat is older is nobody's, as far as those know who cannot ask after its process. */
export const HEARTBEAT_AGE_MAX_MS = 60_000;
/** After so long without one, others may soon take the leases. */
const PAUSE_MS = HEARTBEAT_AGE_MAX_MS / 2;
const NAME = /^([0-9a-f]{16})-[0-9a-f]{1,8}\.owner$/;

export interface OwnerFileParts {
  readonly fs: FsOps;
  readonly rng: Rng;
  readonly clock: Clock;
}

/** The instance that a file in the folder of the leases names itself after; undefined where it is no owner's file. */
export function instanceOf(name: string): string | undefined {
  return NAME.exec(name)?.[1];
}

export class OwnerFile {
  readonly #parts: OwnerFileParts;
  readonly #folder: string;
  readonly #owner: LeaseOwner;
  readonly #text: Buffer;
  /** More than one where a file has as many links as it may have (65,000 on ext4); new leases are links to the last. */
  readonly #files: { readonly path: string; readonly descriptor: number }[] = [];
  #beatMs = -Infinity;
  #term = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: OwnerFileParts, folder: string, owner: LeaseOwner) {
    this.#parts = parts;
    this.#folder = folder;
    this.#owner = owner;
    this.#text = encodeOwner(owner);
  }

  /** What leases are linked to. Made when it is first asked for, unless an earlier writer of this sidecar has left it. */
  get path(): string {
    if (this.#files.length === 0) this.#adopt();
    return this.#files.at(-1)?.path ?? this.begin();
  }

  /** Goes on with a further file. */
  begin(): string {
    const { fs, rng } = this.#parts;
    const path = join(this.#folder, `${this.#owner.instance}-${rng.uint32().toString(16)}.owner`);
    const descriptor = fs.createFile(path);
    try {
      writeAll(fs, descriptor, this.#text);
      // Once for a sidecar: after a loss of power its leases would name nobody, and be kept for as long as a heartbeat may take.
      fs.syncFileNow(descriptor);
    } catch (error) {
      fs.close(descriptor);
      removeFile(fs, path);
      throw error;
    }
    this.#files.push({ path, descriptor });
    this.#beatMs = this.#parts.clock.nowMs();
    this.#setTimer();
    return path;
  }

  #adopt(): void {
    const { fs } = this.#parts;
    for (const name of fs.readFolder(this.#folder)) {
      if (instanceOf(name) !== this.#owner.instance) continue;
      const path = join(this.#folder, name);
      // Its name is known to all since the first lease: what else bears it is not ours to cut.
      if (fs.readText(path, OWNER_BYTES_MAX) === this.#text.toString()) this.#files.push({ path, descriptor: fs.openFile(path) });
    }
    if (this.#files.length === 0) return;
    this.#beat();
    this.#setTimer();
  }

  /**
   * Changes after a pause in which others may have taken the leases: what was held in an earlier term is looked at again.
   * By then there is a heartbeat again; if the disk refuses that, every look begins a term.
   */
  get term(): number {
    if (this.#isPaused()) this.#tryBeat();
    return this.#term;
  }

  #isPaused(): boolean {
    // A clock that was set pauses nothing, and costs no more than a look.
    return Math.abs(this.#parts.clock.nowMs() - this.#beatMs) >= PAUSE_MS;
  }

  /** Throws what the file system says. */
  #beat(): void {
    const { fs, clock } = this.#parts;
    if (this.#isPaused()) this.#term += 1;
    const nowMs = clock.nowMs();
    // Cut to the length it has: of all calls the one that takes the file system's own time, which hosts have in common.
    for (const { descriptor } of this.#files) fs.truncate(descriptor, this.#text.length);
    this.#beatMs = nowMs;
  }

  #tryBeat(): void {
    try {
      this.#beat();
    } catch {
      return; // nobody waits for it, and without it every write looks whether its lease still stands
    }
  }

  /** How much older a file's last change is than this moment, by the file system's time; undefined where it is gone. */
  ageOf(path: string): number | undefined {
    const own = this.path;
    this.#beat();
    const [nowMs, changedMs] = [own, path].map((name) => this.#parts.fs.modifiedMs(name));
    return nowMs === undefined || changedMs === undefined ? undefined : nowMs - changedMs;
  }

  #setTimer(): void {
    this.#cancelTimer ??= this.#parts.clock.after(HEARTBEAT_INTERVAL_MS, () => {
      this.#cancelTimer = undefined;
      this.#setTimer();
      this.#tryBeat();
    });
  }

  /** No heartbeat any more, and nothing left of it but the leases. */
  remove(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { fs } = this.#parts;
    for (const { path, descriptor } of this.#files.splice(0)) {
      fs.close(descriptor);
      removeFile(fs, path);
    }
  }
}

/** Whether or not somebody else was faster. */
export function removeFile(fs: FsOps, path: string): void {
  try {
    fs.unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
