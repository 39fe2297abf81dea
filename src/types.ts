/** The public shapes. Names and semantics are the contract's; what is not here yet is not built yet. */
import type { EventEmitter } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import type { LastwordError } from './errors.js';
import type { ListOptions, ThreadPage, ThreadSummary } from './list-types.js';
import type { ReadOptions } from './reading-types.js';
import type { SidecarStats } from './stats-types.js';

export type { ListOptions, ThreadPage, ThreadSummary } from './list-types.js';
export type { Histogram, SidecarStats } from './stats-types.js';
export type { Damage, ImportReport, ReadOptions, VerifyOptions, VerifyReport } from './reading-types.js';

/** Lower-case UUID. New ids are version 7, so that an id alone gives its file. */
export type ThreadId = string;

/**
 * How safe a record is.
 * - `accepted`: in memory shared with the writer. Survives everything but the death of the whole process.
 * - `written`: write() returned. Survives the death of the process (SIGKILL, abort, out of memory).
 * - `synced`: the data sync returned (and the folder's, for a new file). Survives power loss.
 */
export type Durability = 'accepted' | 'written' | 'synced';

/** The least that is asked of an item: a JSON object with a string `type`. */
export interface RolloutItem { type: string; payload?: unknown; [member: string]: unknown }

/** What is read back: the item with its envelope. */
export type RolloutRecord<I extends { type: string } = RolloutItem> = I & {
  /** RFC 3339, UTC, milliseconds: the moment of append(). Never used for order. */
  timestamp: string;
  /** In files that Codex wrote before it numbered records: the reader's own count. */
  ordinal: number;
};

/** `failed`: a permanent error; append() returns LATE, flush and close reject; close({ abandon: true }) ends it. */
export type ThreadState = 'open' | 'closing' | 'closed' | 'failed';
/** `failed`: the writer is gone; close({ abandon: true }) ends it. */
export type SidecarState = 'open' | 'closing' | 'closed' | 'failed';

/** Returned by append() instead of an ordinal when the thread is sealed or failed: the item was not kept, and was counted. */
export const LATE = -1;

/** Runs before an item leaves the caller, to remove secrets. */
export type Redact = (item: RolloutItem, threadId: ThreadId) => RolloutItem;

/** One open sidecar: the library as a host sees it. Made by openSidecar(). */
export interface Sidecar extends EventEmitter<{ [E in keyof SidecarEvents]: [SidecarEvents[E]] }>, AsyncDisposable {
  readonly state: SidecarState;
  /** Absolute path of the root. */
  readonly directory: string;
  /**
   * Makes a thread and publishes its header atomically: once this resolves, any process reads the thread.
   * @throws LASTWORD_THREAD_EXISTS, LASTWORD_THREAD_NOT_FOUND (the parent exists nowhere), LASTWORD_THREAD_CLOSED (the parent is
   * closing, or not open in this sidecar), LASTWORD_INVALID_OPTION (id, parentId, meta), LASTWORD_ITEM_INVALID (meta that cannot be stored),
   * LASTWORD_NOT_OPEN, LASTWORD_WRITE_FAILED, LASTWORD_WRITER_EXITED
   */
  createThread<I extends { type: string } = RolloutItem>(options?: CreateThreadOptions): Promise<Thread<I>>;
  /**
   * Reopens for append. Open here: the same handle, counted (disposing releases one claim, the last one closes; close() closes
   * for all). Closing: waits, then reopens. A torn end is cut, its bytes kept beside the file and reported on the handle.
   * @throws LASTWORD_THREAD_NOT_FOUND, LASTWORD_THREAD_ARCHIVED, LASTWORD_THREAD_BUSY (open elsewhere, context.owner; or behind
   * a close that rejected), LASTWORD_THREAD_CLOSED (the parent is closing), LASTWORD_ROLLOUT_CORRUPT (no header), LASTWORD_INVALID_OPTION (id), the signal's reason
   */
  resumeThread<I extends { type: string } = RolloutItem>(id: ThreadId, options?: ResumeThreadOptions): Promise<Thread<I>>;
  /** The handle of an open or closing thread, or undefined. Never throws. */
  liveThread(id: ThreadId): Thread | undefined;
  /** Every open or closing thread of the sidecar. */
  liveThreads(): Iterable<LiveThread>;
  /**
   * A new thread whose history is the source's up to `through` (by reference, no copy), then its own. Default: all that was
   * accepted at the call. @throws as createThread(); LASTWORD_THREAD_NOT_FOUND (source), LASTWORD_INVALID_OPTION (`through` beyond
   * the end)
   */
  forkThread<I extends { type: string } = RolloutItem>(id: ThreadId, options?: ForkThreadOptions): Promise<Thread<I>>;
  /** A stored or live thread; undefined where there is none, or its rollout cannot be summarised. @throws LASTWORD_INVALID_OPTION, LASTWORD_NOT_OPEN (closed) */
  getThread(id: ThreadId): Promise<ThreadSummary | undefined>;
  /**
   * Newest first unless told otherwise; complete: everything under the directory, whoever wrote it. Without filter and by
   * creation it opens only what is on the page; else it goes by a catalogue, which is made at the first such call.
   * @throws LASTWORD_INVALID_OPTION, LASTWORD_NOT_OPEN (closed)
   */
  listThreads(options?: ListOptions): Promise<ThreadPage>;
  /**
   * Takes no lease. In the writing process it sees everything accepted at the call. Bounded memory whatever the file's size.
   * @throws LASTWORD_THREAD_NOT_FOUND (the thread, or the base of a fork), LASTWORD_ROLLOUT_CORRUPT, LASTWORD_INVALID_OPTION
   */
  readThread<I extends { type: string } = RolloutItem>(id: ThreadId, options?: ReadOptions): AsyncIterable<RolloutRecord<I>>;
  /**
   * Title and other metadata; undefined removes a member. Works on stored and live threads (as a further `session_meta` record); whoever appends to the
   * thread appends it, through its own `redact`. @throws as resumeThread(), and as setMeta(); LASTWORD_TIMEOUT (that producer is blocked: it may still do it)
   */
  setThreadMeta(id: ThreadId, patch: Record<string, unknown>): Promise<void>;
  /**
   * Open: LASTWORD_THREAD_BUSY. Closing: waits. Descendants go along; the root must succeed, the others are logged at warn with
   * id and code. @throws LASTWORD_THREAD_NOT_FOUND, LASTWORD_THREAD_BUSY, LASTWORD_INVALID_OPTION
   */
  archiveThread(id: ThreadId): Promise<void>;
  /** The way back. @throws as archiveThread() */
  unarchiveThread(id: ThreadId): Promise<void>;
  /** As archiveThread; refuses a thread that a fork still refers to (LASTWORD_THREAD_REFERENCED). */
  deleteThread(id: ThreadId): Promise<void>;
  /** All threads; one group commit. @throws as Thread.flush() */
  flush(options?: FlushOptions): Promise<Receipt[]>;
  /** True while ring and overflow are so full that a polite caller waits for drained(). */
  readonly needsDrain: boolean;
  /** Resolves once half of the ring is free and nothing is left in the overflow. @throws the signal's reason, LASTWORD_WRITER_EXITED */
  drained(options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /**
   * Phase 1: every thread is sealed and drained, the writer acknowledges what write() took, and the counts are compared with
   * what was accepted. Phase 2: files synced as asked and closed; then the writer is released. Every call gets the same
   * promise; options of the first count. @throws LASTWORD_DRAIN_INCOMPLETE (context.unwritten): the state stays 'closing', and
   * close() may be called again
   */
  close(options?: CloseOptions): Promise<SidecarCloseReceipt>;
  /**
   * To be transferred to a worker_threads Worker (or in a task for a Piscina pool), where attachProducer() takes it.
   * @throws LASTWORD_NOT_OPEN
   */
  createProducerPort(): ProducerPort;
  /** Figures at this moment; asks nobody. Ring and overflow are those of this JavaScript thread. */
  stats(): SidecarStats;
}

/** What a sidecar emits, with one object each, and publishes on the channels `lastword:<event>` of node:diagnostics_channel. */
export interface SidecarEvents {
  /** Items appended after their thread was sealed; at most one event a second and thread. */
  late: { threadId: ThreadId; count: number };
  /** Writing fails; items queue, and it is tried again. Once per episode. Of no thread: no writer can be started any more, and the host thread writes. */
  degraded: { threadId: ThreadId | undefined; error: LastwordError };
  /** Writing works again; nothing that was queued is lost. */
  recovered: { threadId: ThreadId | undefined };
  /** ifMissing: 'create' fell back to a fresh thread. */
  resumeFailed: { requestedId: ThreadId; threadId: ThreadId; error: LastwordError };
  /** The writer died and was started again; nothing accepted is lost, nothing is written twice. `replayed`: items that were accepted and not written. */
  writerRestarted: { exitCode: number; replayed: number };
  /** After the thread has left the registry, before its close() resolves; once per thread and opening, forced ones too. */
  threadClosed: ThreadCloseReceipt;
  /** needsDrain was read as true, and half of the ring is free again. */
  drain: undefined;
}

/** Options of createThread(). */
export interface CreateThreadOptions {
  /** A UUID version 7; a new one is made otherwise. */
  id?: ThreadId | undefined;
  /** The thread that spawned it: one that is open in this sidecar. Closing it closes this one first. */
  parentId?: ThreadId | undefined;
  /** Members of the `session_meta` payload; not id, timestamp or history_mode (LASTWORD_INVALID_OPTION). Passes through `redact` as `{ type: 'session_meta', payload: meta }`. */
  meta?: Record<string, unknown> | undefined;
}

/** Options of forkThread(). */
export interface ForkThreadOptions extends CreateThreadOptions {
  /** Last ordinal of the source that the fork includes. */
  through?: number | undefined;
}

/** Options of resumeThread(). */
export interface ResumeThreadOptions {
  /** 'create': a fresh thread instead of NOT_FOUND, ARCHIVED or CORRUPT, and a `resumeFailed` event. A fresh id unless create.id is given. Default 'error'. */
  ifMissing?: 'error' | 'create' | undefined;
  /** Of the fresh thread. */
  create?: CreateThreadOptions | undefined;
  /** Ends the wait for a close that is under way. */
  signal?: AbortSignal | undefined;
}

/** A thread as everyone may see it. */
export interface LiveThread {
  readonly id: ThreadId;
  /** The thread that spawned it, as its header says; undefined for a root. */
  readonly parentId: ThreadId | undefined;
  /** The rollout; absolute. */
  readonly path: string;
  readonly state: ThreadState;
  /**
   * Every ordinal below is accepted / written / synced; plain reads of shared memory. After create accepted is 1 (the header);
   * after resume accepted and written are the next ordinal, synced is 0 until this writer's first sync.
   */
  readonly accepted: number;
  /** Ordinals below it survive the death of the process. */
  readonly written: number;
  /** Ordinals below it survive power loss. */
  readonly synced: number;
  /** As Thread.close(). */
  close(options?: CloseOptions): Promise<ThreadCloseReceipt>;
}

/** The handle of a thread: where an agent's items go. */
export interface Thread<I extends { type: string } = RolloutItem> extends LiveThread, AsyncDisposable {
  /** Which of createThread(), resumeThread() and forkThread() made this handle. */
  readonly origin: 'created' | 'resumed' | 'forked';
  /** The torn end that resume has cut: its bytes, and the file beside the rollout that keeps them; undefined where the end was whole. */
  readonly recovery: { tornBytes: number; keptAt: string } | undefined;
  /** Aborted when the close of this thread or an ancestor begins, before tracked work is awaited: the agent's cue to stop. */
  readonly signal: AbortSignal;
  /**
   * Takes the item and returns its ordinal, at once and without I/O. In `closing`, until the seal, items are still taken.
   * Sealed or failed: returns LATE, counts, logs at debug.
   * @throws LASTWORD_ITEM_INVALID (not an object, no string `type`, own member timestamp, ordinal or crc, cyclic, too deep, a
   * symbol, a throwing getter or redact), LASTWORD_ITEM_TOO_LARGE, LASTWORD_RING_FULL; the thread is unharmed, the item not taken
   */
  append<T extends I>(item: T): number;
  /** All or nothing, contiguous; returns the first ordinal, or LATE. @throws as append() */
  appendAll(items: readonly I[]): number;
  /**
   * Persist, then deliver: appends; subscribers are called in ordinal order once the record has the durability. Sealed or failed:
   * delivered with ordinal LATE, not kept. append() and appendAll() deliver nothing. A subscriber that throws is logged; the others
   * still run. Rejects as append() throws and flush() rejects, or with the signal's reason: what is accepted is delivered all the same.
   */
  publish<T extends I>(item: T, options?: PublishOptions): Promise<number>;
  /** Returns what ends it. */
  subscribe(listener: (item: I, ordinal: number) => void): () => void;
  /**
   * Leaves records with ordinal >= `from` out of the effective view from here on. 0 and more than `accepted` are refused
   * (LASTWORD_INVALID_OPTION). Returns the marker's ordinal, or LATE.
   */
  rollback(from: number): number;
  /** Changes metadata, as a further `session_meta` record; undefined removes a member. Returns its ordinal, or LATE. @throws as createThread() for meta */
  setMeta(patch: Record<string, unknown>): number;
  /** Work that may still append: close() waits for it before the seal. The same promise comes back; its rejection is neither swallowed nor doubled. */
  track<P extends PromiseLike<unknown>>(work: P): P;
  /** The same for work that is no promise, until it is disposed. The label names it in a receipt. */
  hold(label: string): Disposable;
  /**
   * Resolves when everything accepted at the call is that safe; in `closing` too, without waiting for held work; after close,
   * with the receipt.
   * @throws LASTWORD_WRITE_FAILED, LASTWORD_SYNC_FAILED (context.unwritten), LASTWORD_TIMEOUT, LASTWORD_WRITER_EXITED, the signal's reason
   */
  flush(options?: FlushOptions): Promise<Receipt>;
  /**
   * Descendants first, one deadline for all of them. Phase 1: `signal` aborts; tracked work settles (at most half of the time); seal; drain; the writer acknowledges the count.
   * Phase 2: sync as asked, file closed, lease released, and only then the thread leaves the registry. Every call gets the same
   * promise; options of the first count. Past half of the time: sealed without the work still held (`forced`, `heldBy`).
   * @throws LASTWORD_DRAIN_INCOMPLETE (context.unwritten): the state stays 'closing', and close() may be called again;
   * LASTWORD_WRITE_FAILED, LASTWORD_SYNC_FAILED, LASTWORD_WRITER_EXITED. With `abandon: true` it rejects only when the writer does not
   * answer in time, or when no place takes a salvage file.
   */
  close(options?: CloseOptions): Promise<ThreadCloseReceipt>;
}

/** Options of flush(). `durability` defaults to the sidecar's, `timeoutMs` to its closeTimeoutMs. Past it, or aborted, only the wait ends. */
export interface FlushOptions { durability?: Durability | undefined; timeoutMs?: number | undefined; signal?: AbortSignal | undefined }
/** Options of publish(). `durability`, before subscribers are called, defaults to the sidecar's; `signal` ends the wait only. */
export interface PublishOptions { durability?: Durability | undefined; signal?: AbortSignal | undefined }
/** Options of close(). */
export interface CloseOptions {
  /** What is waited for. Default: the sidecar's. */
  durability?: Durability | undefined;
  /** Bound of the whole close, descendants included. Default: the sidecar's closeTimeoutMs. */
  timeoutMs?: number | undefined;
  /** Default true. false: seal right after `signal` aborted; work still held makes `forced` true and is in `heldBy`. */
  waitForTracked?: boolean | undefined;
  /**
   * Gives up on what cannot be written: it goes to a salvage file (`receipt.salvage`), and the thread is released. A disk that fails
   * is not waited for; it is tried once more. Default false.
   */
  abandon?: boolean | undefined;
}
/** What a flush proves: so much of that thread has that durability. */
export interface Receipt { threadId: ThreadId; durability: Durability; /** Every ordinal below has it. */ nextOrdinal: number }
/** What a close proves. */
export interface ThreadCloseReceipt extends Receipt {
  /** Items taken since this thread was opened; the header is not counted. */
  items: number;
  /** Items that came after the seal, so far. */
  late: number;
  /** Sealed though work was still held. */
  forced: boolean;
  /** Labels of holds, 'tracked' for tracked work. */
  heldBy: string[];
  /** Where the records are that could not be written, from `nextOrdinal` on; importSalvage() puts them back. */
  salvage: string | undefined;
}
/** Since openSidecar(): threads closed, items taken, bytes written, items late, threads sealed while work was held, and how long it was open. */
export interface SidecarCloseReceipt { threads: number; items: number; bytes: number; late: number; forced: number; durationMs: number }

/** What createProducerPort() gives; `port` goes into the transferList. */
export interface ProducerPort { readonly port: MessagePort }

/**
 * A sidecar as another JavaScript thread has it. Its threads are open there, and can be closed from anywhere. When that
 * JavaScript thread ends, whatever way, they are sealed, drained and closed, `forced: true`.
 */
export interface Producer extends AsyncDisposable, Pick<Sidecar, 'createThread' | 'resumeThread' | 'forkThread' | 'liveThread' | 'flush' | 'needsDrain' | 'drained' | 'stats'> {
  /** Closes its threads (not forced), then gives its memory back. @throws as Thread.close(); it may be called again */
  close(): Promise<void>;
}
