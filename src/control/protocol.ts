/**
 * The side channel: commands, never items. Commands go over Comlink, which reduces a thrown error to its message and
 * never settles a call whose peer has died. So every answer is a value (Reply), and every call is raced with a deadline
 * and with the writer's exit (PendingCalls).
 */
import type { MessagePort } from 'node:worker_threads';
import type { WireError } from '../errors.js';

export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: WireError };

/** Names one opening of a thread. */
export interface SlotRef { readonly slot: number; readonly incarnation: number }

export interface CreateThreadCommand extends SlotRef {
  readonly threadId: string;
  readonly path: string;
  /** Ordinal of the first item; the header's is one less. */
  readonly base: number;
  /** The header's item, packed with the producer's definitions. */
  readonly header: Uint8Array;
  readonly timestampMs: number;
  /** Of a fork: the rollout that its header refers to, which is synced first and not deleted meanwhile. */
  readonly reference?: { readonly threadId: string; readonly path: string } | undefined;
  /** A writer that died may have done it. */
  readonly isAgain: boolean;
}
/** A stored rollout that nobody has open. */
export interface StoredRollout {
  readonly threadId: string;
  readonly path: string;
}
export interface ResumeThreadCommand extends SlotRef {
  readonly threadId: string;
  readonly path: string;
}
/** What was found at the end of a rollout. */
export interface ResumedRollout {
  /** Ordinal of the first item of this opening. */
  readonly base: number;
  /** Bytes that were no record; they were cut, and are kept in a file beside. */
  readonly tornBytes: number;
  readonly keptAt: string | undefined;
  /** What the header says, but for what is the library's own. */
  readonly meta: Readonly<Record<string, unknown>>;
}
/** A thread that a dead writer had open. */
export interface Opening extends SlotRef {
  readonly threadId: string;
  /** Ordinal of the opening's first item. */
  readonly base: number;
  readonly path: string;
  /** Its items could not be written when the writer died, and that was told. */
  readonly isDegraded: boolean;
  /** Nothing more is written of it, but it may be salvaged. */
  readonly failure: WireError | undefined;
}
export interface DrainThreadCommand extends SlotRef {
  /** What cannot be written now goes to a salvage file. */
  readonly abandon: boolean;
}
/** A copy of what was not written. Counts are of items of the opening. */
export interface Salvage {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  /** Fewer than the range has where some never came, or cannot be made into a line. */
  readonly records: number;
}
export interface DrainedThread {
  /** Items that write() took. */
  readonly written: number;
  /** What was given up. */
  readonly salvage: Salvage | undefined;
}
/** What was salvaged because the process ends. */
export interface SalvageReport extends SlotRef, Salvage {
  readonly threadId: string;
}
export interface ReleaseThreadCommand extends SlotRef {
  readonly threadId: string;
  /** Whether the file is synced before it is closed. */
  readonly sync: boolean;
  /** Whether it is let go of whatever its disk says. */
  readonly abandon: boolean;
}
export interface ReleasedThread {
  /** Why the lease is still there. */
  readonly leaseError: WireError | undefined;
}

/** Everything main may ask of the writer. Every command may be sent again: it then finds its work done. */
export interface WriterControl {
  /** Makes the directory where it is missing and finds out whether files can be made in it. */
  openDirectory(path: string): Promise<Reply<undefined>>;
  /** Publishes the header atomically, and takes the slot's frames from then on. */
  createThread(command: CreateThreadCommand): Promise<Reply<undefined>>;
  /** Takes the lease, makes the file's end whole, and takes the slot's frames from then on. */
  resumeThread(command: ResumeThreadCommand): Promise<Reply<ResumedRollout>>;
  /** Puts a stored rollout in another place, under its lease. */
  moveRollout(rollout: StoredRollout & { readonly to: string }): Promise<Reply<undefined>>;
  /** Keeps forks from referring to the thread until releaseReference(). */
  holdReference(threadId: string): Promise<Reply<undefined>>;
  releaseReference(threadId: string): Promise<Reply<undefined>>;
  /** Removes a stored rollout, under its lease. `isAgain`: a writer that died may have done it. */
  deleteRollout(rollout: StoredRollout & { readonly isAgain: boolean }): Promise<Reply<undefined>>;
  /** Phase 1: writes what is published, and says how many items of this opening write() took. */
  drainThread(command: DrainThreadCommand): Promise<Reply<DrainedThread>>;
  /** Phase 2: syncs as asked, closes the file, releases the lease, lets go of the slot. */
  releaseThread(command: ReleaseThreadCommand): Promise<Reply<ReleasedThread>>;
  /** Takes the frames of a further producer from then on. */
  addRing(ring: RingData): Promise<Reply<undefined>>;
  /** Looks at a producer's memory no more: every thread of it was let go of. */
  removeRing(producer: number): Promise<Reply<undefined>>;
  /** Ends the writer: no frame is taken after it. */
  shutdown(): Promise<Reply<undefined>>;
}

/** Two writers died of the frame; no line can be made of it, or only one that is too long. */
export type SetAsideReason = 'writer died' | 'not transcoded' | 'line too long';

/** What the writer tells without being asked. */
export type WriterEvent =
  /** `replayed`: items that a dead writer had not written. */
  | { readonly event: 'ready'; readonly replayed: number }
  /** A permanent error: nothing more of this opening is written. */
  | ({ readonly event: 'threadFailed'; readonly error: WireError } & SlotRef)
  /** A write or a sync failed, and is tried again: until it succeeds, what is accepted queues. */
  | ({ readonly event: 'threadDegraded'; readonly error: WireError } & SlotRef)
  /** A frame that cannot be written was put into a file of its own; a record keeps its ordinal. */
  | ({ readonly event: 'recordSetAside'; readonly ordinal: number; readonly reason: SetAsideReason; readonly path: string } & SlotRef)
  /** Somebody else has given its file another name: writing goes on there. */
  | ({ readonly event: 'threadMoved'; readonly threadId: string; readonly from: string; readonly path: string } & SlotRef)
  /** What was queued is written. */
  | ({ readonly event: 'threadRecovered'; readonly threadId: string } & SlotRef);

/** The memory of a producer. */
export interface RingData {
  /** 0: the thread of the sidecar itself. */
  readonly producer: number;
  readonly memory: WebAssembly.Memory;
  readonly ringBytes: number;
  readonly overflowBytes: number;
}

/** What the writer's worker is started with. */
export interface WriterData {
  readonly control: MessagePort;
  /** For salvage reports: main reads them while it blocks. */
  readonly reports: MessagePort;
  readonly sidecar: SharedArrayBuffer;
  /** Of every producer; the first is the sidecar's own thread. */
  readonly rings: RingData[];
  readonly transcoder: WebAssembly.Module;
  readonly openFilesMax: number;
  readonly syncIntervalMs: number;
  readonly unsyncedBytes: number;
  /** os.tmpdir() of the host: the writer has no environment of its own. */
  readonly temporaryFolder: string;
  /** Whom the leases name: this sidecar, whichever writer it has. */
  readonly owner: { readonly instance: string; readonly since: string };
  /** Of a writer that comes after a dead one. */
  readonly predecessor?: { readonly directory: string; readonly openings: readonly Opening[] } | undefined;
}

/** System calls, as stats().busy names them; the index is what the shared word holds. */
export const CALLS = ['none', 'open', 'write', 'ftruncate', 'fstat', 'close', 'link', 'rename', 'unlink', 'mkdir', 'stat', 'read', 'readdir', 'fdatasync', 'fsync', 'readlink', 'fchmod'] as const;
export type Call = (typeof CALLS)[number];
