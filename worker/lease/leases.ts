/**
 * One live writer for each thread, across processes: `locks/<id>.lock`. All leases of a sidecar are hard links to one
 * file that names it, so that taking one is one link(), atomic and exclusive, and nobody ever reads half of it.
 *
 * A dead owner's lease is superseded under a claim, a link whose name holds the dead instance. An instance is never used
 * again, so a claim that comes late finds another owner and lets go: it can never hit a live lease.
 */
import { join } from 'node:path';
import { LastwordError } from '../../src/errors.js';
import type { FsOps, Processes, Rng } from '../seams.js';
import { writeAll } from '../write-all.js';
import { decodeOwner, encodeOwner, OWNER_BYTES_MAX, type LeaseOwner } from './owner.js';

const FOLDER = 'locks';
const OWNER_SUFFIX = '.owner';
/** Others come and go between two looks; more often than this is no coincidence. */
const TRIES_MAX = 16;

export interface LeaseParts {
  readonly fs: FsOps;
  readonly rng: Rng;
  readonly processes: Processes;
}

/** One opening of a sidecar. */
export type LeaseInstance = Pick<LeaseOwner, 'instance' | 'since'>;

export class Leases {
  readonly #parts: LeaseParts;
  readonly #owner: LeaseOwner;
  readonly #held = new Set<string>();
  #folder = '';
  #ownerPath: string | undefined;

  constructor(parts: LeaseParts, { instance, since }: LeaseInstance) {
    this.#parts = parts;
    this.#owner = { ...parts.processes.self(), instance, since };
  }

  openDirectory(root: string): void {
    this.#folder = join(root, FOLDER);
  }

  /** Takes the lease unless it is held already. @throws LASTWORD_THREAD_BUSY (context.owner), system errors */
  hold(threadId: string): void {
    if (this.#held.has(threadId)) return;
    const lock = this.#lockOf(threadId);
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      // What stands there may be a dead writer's of the same sidecar.
      if (this.#tryLink(lock) || this.#read(lock)?.instance === this.#owner.instance || this.#supersede(lock, threadId)) {
        this.#held.add(threadId);
        return;
      }
    }
    throw busy(threadId, undefined);
  }

  release(threadId: string): void {
    if (!this.#held.delete(threadId)) return;
    const lock = this.#lockOf(threadId);
    // One that somebody took away is not ours to remove.
    if (this.#read(lock)?.instance === this.#owner.instance) this.#remove(lock);
  }

  /** Who may append to the thread now: this sidecar, or whom its lease names; undefined where nobody lives who may. */
  ownerOf(threadId: string): 'self' | Pick<LeaseOwner, 'pid' | 'host'> | undefined {
    if (this.#held.has(threadId)) return 'self';
    const owner = this.#read(this.#lockOf(threadId));
    return owner === undefined || !this.#isAlive(owner) ? undefined : { pid: owner.pid, host: owner.host };
  }

  /** Lets go of everything, as the last act of a sidecar. */
  releaseAll(): void {
    for (const threadId of [...this.#held]) this.release(threadId);
    if (this.#ownerPath !== undefined) this.#remove(this.#ownerPath);
    this.#ownerPath = undefined;
  }

  #lockOf(threadId: string): string {
    return join(this.#folder, `${threadId}.lock`);
  }

  /** False when something stands there. */
  #tryLink(path: string): boolean {
    for (let tries = 0; ; tries += 1) {
      const ownerPath = this.#ownerPath ?? this.#writeOwner();
      try {
        this.#parts.fs.link(ownerPath, path);
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST') return false;
        // A file takes only so many links (65,000 on ext4), and somebody may have removed ours.
        if ((code !== 'EMLINK' && code !== 'ENOENT') || tries > 0) throw error;
        if (code === 'EMLINK') this.#remove(ownerPath);
        this.#ownerPath = undefined;
      }
    }
  }

  #writeOwner(): string {
    const { fs, rng } = this.#parts;
    fs.makeDirectory(this.#folder);
    this.#sweep();
    const path = join(this.#folder, `${this.#owner.instance}-${rng.uint32().toString(16)}${OWNER_SUFFIX}`);
    const descriptor = fs.createFile(path);
    try {
      writeAll(fs, descriptor, encodeOwner(this.#owner));
    } finally {
      fs.close(descriptor);
    }
    this.#ownerPath = path;
    return path;
  }

  /** Removes what dead sidecars left beside their leases. */
  #sweep(): void {
    const { fs } = this.#parts;
    for (const name of fs.readFolder(this.#folder)) {
      if (!name.endsWith(OWNER_SUFFIX)) continue;
      const path = join(this.#folder, name);
      const owner = this.#read(path);
      if (owner !== undefined && !this.#isAlive(owner)) this.#remove(path);
    }
  }

  /**
   * Puts ours in the place of a dead owner's. False when what stands there has changed meanwhile: look again.
   * @throws LASTWORD_THREAD_BUSY
   */
  #supersede(path: string, threadId: string): boolean {
    const text = this.#readText(path);
    if (text === undefined) return false;
    const owner = decodeOwner(text);
    if (owner === undefined ? !this.#isOlderThanBoot(path) : this.#isAlive(owner)) throw busy(threadId, owner);
    const claim = `${path}.${owner?.instance ?? 'unreadable'}`;
    // Whoever claimed it and died is superseded in the same way.
    if (!this.#tryLink(claim) && !this.#supersede(claim, threadId)) return false;
    const isUnchanged = this.#readText(path) === text;
    if (isUnchanged) this.#parts.fs.rename(claim, path);
    else this.#remove(claim);
    if (isUnchanged) this.#sweep();
    return isUnchanged;
  }

  #isAlive({ host, boot, ...process }: LeaseOwner): boolean {
    const self = this.#owner;
    // Of another machine nothing is known: its owner must let go of it.
    if (host !== self.host) return true;
    return boot === self.boot && this.#parts.processes.isAlive(process);
  }

  /** Text that a power cut left unfinished: whoever wrote it did not survive. */
  #isOlderThanBoot(path: string): boolean {
    const modifiedMs = this.#parts.fs.modifiedMs(path);
    return modifiedMs !== undefined && modifiedMs < this.#parts.processes.bootedMs();
  }

  /** Whether or not somebody else was faster. */
  #remove(path: string): void {
    try {
      this.#parts.fs.unlink(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #read(path: string): LeaseOwner | undefined {
    const text = this.#readText(path);
    return text === undefined ? undefined : decodeOwner(text);
  }

  #readText(path: string): string | undefined {
    return this.#parts.fs.readText(path, OWNER_BYTES_MAX);
  }
}

function busy(threadId: string, owner: LeaseOwner | undefined): LastwordError {
  const by = owner === undefined ? 'an owner that cannot be told' : `process ${owner.pid} on ${owner.host}`;
  const context = owner === undefined ? {} : { owner: { pid: owner.pid, host: owner.host, since: owner.since } };
  return new LastwordError('LASTWORD_THREAD_BUSY', `thread ${threadId} is open in ${by}`, { threadId, ...context });
}
