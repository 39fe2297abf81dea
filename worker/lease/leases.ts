/**
 * One live writer for each thread, across processes: `locks/<id>.lock`. All leases of a sidecar are hard links to one
 * file that names it, so that taking one is one link(), atomic and exclusive, and nobody ever reads half of it.
 *
 * A dead owner's lease is superseded under a claim, a link whose name holds the dead instance. An instance is never used
 * again, so a claim that comes late finds another owner and lets go: it can never hit a live lease.
 */
import { join } from 'node:path';
import { isLastwordError, LastwordError } from '../../src/errors.js';
import type { Processes } from '../seams.js';
import { codexLockPath } from './flocks.js';
import { decodeOwner, OWNER_BYTES_MAX, type LeaseOwner } from './owner.js';
import { HEARTBEAT_AGE_MAX_MS, instanceOf, OwnerFile, removeFile, type OwnerFileParts } from './owner-file.js';

const FOLDER = 'locks';
/** Not of what is referred to: `<id>.ref.lock`. */
const THREAD_LOCK = /^([^.]+)\.lock$/;
/** Others come and go between two looks; more often than this is no coincidence. */
const TRIES_MAX = 16;
/** What open() says of links, folders, sockets and devices. */
const NOT_A_FILE = ['ELOOP', 'EISDIR', 'ENXIO', 'ENODEV'];

export interface LeaseParts extends OwnerFileParts {
  readonly processes: Processes;
}

/** One opening of a sidecar. */
export type LeaseInstance = Pick<LeaseOwner, 'instance' | 'since'>;

/** What stands at the name of a lease. Anybody may have put it there. */
interface Found {
  /** Undefined for what is no file: nobody of ours made it, so nobody of ours takes it away. */
  readonly text: string | undefined;
  /** Undefined where the text names none. */
  readonly owner: LeaseOwner | undefined;
}

export class Leases {
  readonly #parts: LeaseParts;
  readonly #owner: LeaseOwner;
  /** By thread: the term in which its lease was taken, or looked at last. */
  readonly #held = new Map<string, number>();
  #isSuccessor = false;
  #root = '';
  #file: OwnerFile | undefined;

  constructor(parts: LeaseParts, { instance, since }: LeaseInstance) {
    this.#parts = parts;
    this.#owner = { ...parts.processes.self(), instance, since };
  }

  /** Of this opening of the sidecar, and of no other ever. */
  get instance(): string {
    return this.#owner.instance;
  }

  openDirectory(root: string): void {
    this.#root = root;
  }

  /** Takes the lease, unless it is held already. @throws LASTWORD_THREAD_BUSY (context.owner), system errors */
  hold(threadId: string): void {
    const { term } = this.#ownerFile;
    if (this.#held.get(threadId) === term) return;
    this.#held.delete(threadId);
    const lock = this.#lockOf(threadId);
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      // What stands there may be held since an earlier term, or by a dead writer of the same sidecar.
      if (this.#tryLink(lock) || this.#isOurs(lock) || this.#supersede(lock, threadId)) {
        this.#held.set(threadId, term);
        this.#assertNotInCodex(threadId);
        return;
      }
    }
    throw busy(threadId, lock, undefined);
  }

  /**
   * Before each batch: a lease that was let go of when the process began to end is taken again, and one that others may
   * have taken, after a long stop of this process, is looked at.
   * @throws LASTWORD_WRITE_FAILED (context.owner) when it is another's, system errors
   */
  keep(threadId: string): void {
    try {
      this.hold(threadId);
    } catch (error) {
      if (!isLastwordError(error) || error.code !== 'LASTWORD_THREAD_BUSY') throw error;
      throw new LastwordError('LASTWORD_WRITE_FAILED', 'another owner has taken the thread over', error.context, { cause: error });
    }
  }

  /** A dead writer of this sidecar may have taken it. */
  release(threadId: string): void {
    const lock = this.#lockOf(threadId);
    // One that somebody took away is not ours to remove.
    if (this.#isOurs(lock)) removeFile(this.#parts.fs, lock);
    // Only now: where the disk refuses, the end of the sidecar tries again.
    this.#held.delete(threadId);
  }

  /** Removes what a dead writer of this sidecar held, but for these threads, and for references: whoever waits for those asks again. */
  takeOver(threadIds: ReadonlySet<string>): void {
    this.#isSuccessor = true;
    this.#parts.fs.makeDirectory(this.#folder);
    this.#removeOurs((name) => {
      const [, threadId] = THREAD_LOCK.exec(name) ?? [];
      return threadId !== undefined && !threadIds.has(threadId);
    });
  }

  #removeOurs(isMeant: (name: string) => boolean): void {
    const { fs } = this.#parts;
    for (const name of fs.readFolder(this.#folder).filter(isMeant)) {
      const lock = join(this.#folder, name);
      if (this.#isOurs(lock)) removeFile(fs, lock);
    }
  }

  #isOurs(lock: string): boolean {
    return this.#find(lock)?.owner?.instance === this.#owner.instance;
  }

  /** Lets go of everything, as the last act of a sidecar. */
  releaseAll(): void {
    for (const threadId of [...this.#held.keys()]) this.release(threadId);
    // A reference that a dead writer could not let go of is in nobody's hand.
    if (this.#isSuccessor) this.#removeOurs((name) => name.endsWith('.lock'));
    this.#file?.remove();
    this.#file = undefined;
  }

  get #ownerFile(): OwnerFile {
    if (this.#file !== undefined) return this.#file;
    this.#parts.fs.makeDirectory(this.#folder);
    this.#file = new OwnerFile(this.#parts, this.#folder, this.#owner);
    this.#sweep();
    return this.#file;
  }

  get #folder(): string {
    return join(this.#root, FOLDER);
  }

  #lockOf(threadId: string): string {
    return join(this.#folder, `${threadId}.lock`);
  }

  /** Looked at under our lease: a sidecar that comes second never sees ours as free. Codex does not look at it at all. */
  #assertNotInCodex(threadId: string): void {
    const path = codexLockPath(this.#root, threadId);
    const flock = this.#parts.processes.findFlock(path);
    if (flock === undefined) return;
    this.release(threadId);
    const { pid, sinceMs } = flock;
    const owner = { pid, host: this.#owner.host, since: new Date(sinceMs).toISOString() };
    throw new LastwordError('LASTWORD_THREAD_BUSY', `thread ${threadId} is locked by process ${pid}, as Codex does it`, { threadId, owner, path });
  }

  /** False when something stands there. */
  #tryLink(path: string): boolean {
    for (let tries = 0; ; tries += 1) {
      const file = this.#ownerFile;
      try {
        this.#parts.fs.link(file.path, path);
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST') return false;
        // A file takes only so many links, and somebody may have removed ours.
        if ((code !== 'EMLINK' && code !== 'ENOENT') || tries > 0) throw error;
        file.begin();
      }
    }
  }

  /** Removes what dead sidecars left beside their leases. */
  #sweep(): void {
    const { fs } = this.#parts;
    for (const name of fs.readFolder(this.#folder)) {
      const instance = instanceOf(name);
      if (instance === undefined || instance === this.#owner.instance) continue;
      const path = join(this.#folder, name);
      const found = this.#find(path);
      if (found !== undefined && !this.#isAlive(path, found)) removeFile(fs, path);
    }
  }

  /**
   * Puts ours in the place of a dead owner's. False when what stands there has changed meanwhile: look again.
   * @throws LASTWORD_THREAD_BUSY
   */
  #supersede(path: string, threadId: string): boolean {
    const found = this.#find(path);
    if (found === undefined) return false;
    if (this.#isAlive(path, found)) throw busy(threadId, path, found.owner);
    const claim = `${path}.${found.owner?.instance ?? 'unreadable'}`;
    // Whoever claimed it and died is superseded in the same way; a dead writer of this sidecar claimed it for us.
    if (!this.#tryLink(claim) && !this.#isOurs(claim) && !this.#supersede(claim, threadId)) return false;
    // An owner that was only stopped may have come back.
    const now = this.#find(path);
    const isUnchanged = now !== undefined && now.text === found.text && !this.#isAlive(path, now);
    if (isUnchanged) this.#parts.fs.rename(claim, path);
    else removeFile(this.#parts.fs, claim);
    if (isUnchanged) this.#sweep();
    return isUnchanged;
  }

  /** Only the processes of this machine can be asked after; of all others the heartbeat tells. */
  #isAlive(path: string, { text, owner }: Found): boolean {
    if (text === undefined) return true;
    const self = this.#owner;
    if (owner?.host === self.host) {
      if (owner.boot !== self.boot) return false;
      if (owner.namespace === self.namespace) return this.#parts.processes.isAlive(owner);
    }
    const ageMs = this.#ownerFile.ageOf(path);
    return ageMs === undefined || ageMs <= HEARTBEAT_AGE_MAX_MS;
  }

  /** Undefined where nothing stands there. */
  #find(path: string): Found | undefined {
    try {
      const text = this.#parts.fs.readText(path, OWNER_BYTES_MAX);
      return text === undefined ? undefined : { text, owner: decodeOwner(text) };
    } catch (error) {
      if (NOT_A_FILE.includes((error as NodeJS.ErrnoException).code ?? '')) return { text: undefined, owner: undefined };
      throw error;
    }
  }
}

function busy(threadId: string, path: string, owner: LeaseOwner | undefined): LastwordError {
  if (owner === undefined) return new LastwordError('LASTWORD_THREAD_BUSY', `thread ${threadId} is open elsewhere: its lease does not say where`, { threadId, path });
  const { pid, host, since } = owner;
  return new LastwordError('LASTWORD_THREAD_BUSY', `thread ${threadId} is open in process ${pid} on ${host}`, { threadId, owner: { pid, host, since } });
}
