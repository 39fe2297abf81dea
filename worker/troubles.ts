/**
 * Files that cannot be written just now, for a cause that may pass: no space, a failing disk, no descriptor left. What is
 * accepted for them stays where it is, or is parked; they are tried again at growing intervals.
 */
import { constants } from 'node:os';
import type { WriterEvent } from '../src/control/protocol.js';
import { LastwordError, toWireError } from '../src/errors.js';
import type { RolloutFile } from './rollout-file.js';
import type { Clock } from './seams.js';

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2_000;
const { EAGAIN, EDQUOT, EFBIG, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC } = constants.errno;
/** By number: Node has no name for some of them. */
const PASSING = new Set([EAGAIN, EDQUOT, EFBIG, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC].map((errno) => -errno));

/** One episode of a file. */
interface Trouble {
  /** 0 before the first time. */
  retryMs: number;
  /** Infinity while it is being tried. */
  dueMs: number;
  readonly ended: Promise<void>;
  readonly end: () => void;
}

export class Troubles {
  readonly #clock: Clock;
  readonly #tell: (event: WriterEvent) => void;
  /** Something may be due. */
  readonly #onDue: () => void;
  readonly #troubles = new Map<RolloutFile, Trouble>();
  #cancelTimer: (() => void) | undefined;

  constructor({ clock, tell }: { clock: Clock; tell: (event: WriterEvent) => void }, onDue: () => void) {
    this.#clock = clock;
    this.#tell = tell;
    this.#onDue = onDue;
  }

  /** In trouble, and not to be tried yet. */
  isWaiting(file: RolloutFile): boolean {
    const trouble = this.#troubles.get(file);
    return trouble !== undefined && trouble.dueMs > this.#nowMs;
  }

  /** Not between two tries. */
  isDue(file: RolloutFile): boolean {
    const dueMs = this.#troubles.get(file)?.dueMs ?? 0;
    return dueMs === Infinity || dueMs <= this.#nowMs;
  }

  /** True for what may pass: told of at the first time, tried again later. False for what is final. */
  meet(file: RolloutFile, error: unknown): boolean {
    const { errno, message } = error as Partial<NodeJS.ErrnoException>;
    if (errno === undefined || !PASSING.has(errno)) return false;
    const { threadId, path } = file;
    const trouble = this.begin(file, () =>
      new LastwordError('LASTWORD_WRITE_FAILED', `thread ${threadId}: a write failed and is tried again: ${message ?? ''}`, { threadId, path, errno }, { cause: error }));
    trouble.retryMs = trouble.retryMs === 0 ? RETRY_FIRST_MS : Math.min(trouble.retryMs * 2, RETRY_MAX_MS);
    trouble.dueMs = this.#nowMs + trouble.retryMs;
    this.#setTimer();
    return true;
  }

  /** The file is being tried, and in trouble until recovered(): told of at the first time. */
  begin(file: RolloutFile, why: () => LastwordError): Trouble {
    const known = this.#troubles.get(file);
    if (known !== undefined) {
      known.dueMs = Infinity;
      return known;
    }
    const { slot, incarnation } = file;
    this.#tell({ event: 'threadDegraded', slot, incarnation, error: toWireError(why(), 'LASTWORD_WRITE_FAILED') });
    return this.#add(file, Infinity);
  }

  /** It is being tried, for as long as that takes. */
  trying(file: RolloutFile): void {
    const trouble = this.#troubles.get(file);
    if (trouble !== undefined) trouble.dueMs = Infinity;
  }

  /** What kept the file from being written is over. */
  tryNow(file: RolloutFile): void {
    const trouble = this.#troubles.get(file);
    if (trouble !== undefined) trouble.dueMs = this.#nowMs;
    this.#onDue();
  }

  /** It was in trouble when its writer died, and that was told: it is tried again now. */
  takeOver(file: RolloutFile): void {
    this.#add(file, this.#nowMs);
  }

  /** All that was parked is written. */
  recovered(file: RolloutFile): void {
    if (!this.#forget(file)) return;
    const { slot, incarnation, threadId } = file;
    this.#tell({ event: 'threadRecovered', slot, incarnation, threadId });
  }

  /** The file has failed for good, or was let go of. */
  ended(file: RolloutFile): void {
    this.#forget(file);
  }

  /** Resolves when one of those in trouble is no longer; at once when there is none. */
  async nextEnd(): Promise<void> {
    await Promise.race([...this.#troubles.values()].map(({ ended }) => ended));
  }

  get areNone(): boolean {
    return this.#troubles.size === 0;
  }

  #add(file: RolloutFile, dueMs: number): Trouble {
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => { end = resolve; });
    const trouble = { retryMs: 0, dueMs, ended, end };
    this.#troubles.set(file, trouble);
    return trouble;
  }

  #forget(file: RolloutFile): boolean {
    this.#troubles.get(file)?.end();
    return this.#troubles.delete(file);
  }

  get #nowMs(): number {
    return this.#clock.monotonicUs() / 1000;
  }

  /** At the first moment at which one is due. */
  #setTimer(): void {
    if (this.#cancelTimer !== undefined || this.#troubles.size === 0) return;
    let dueMs = Infinity;
    for (const trouble of this.#troubles.values()) dueMs = Math.min(dueMs, trouble.dueMs);
    if (dueMs === Infinity) return;
    this.#cancelTimer = this.#clock.after(Math.max(1, dueMs - this.#nowMs), () => {
      this.#cancelTimer = undefined;
      this.#onDue();
      this.#setTimer();
    });
  }
}
