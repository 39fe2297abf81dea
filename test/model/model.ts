/** What the threads of one run must be like, known only from what was called and what was answered. */
import type { RolloutRecord, Thread, ThreadCloseReceipt, ThreadId } from 'lastword';

/** A record, as a word that tells it from any other, and what it rolls back. */
export interface Entry { readonly word: string; readonly rolledBackFrom?: number }

/** Where a rollout is while nobody has it open. */
export type Place = 'stored' | 'archived' | 'absent';

/** Whether an opening is sealed: between the last hold and the receipt nobody outside can know. */
export type Seal = 'no' | 'maybe' | 'yes';

interface Closing {
  /** It does not wait for held work. */
  readonly isForced: boolean;
  /** The library may have begun to close it before, by itself, and then it waits. */
  isLater: boolean;
  /** Openings that are closed before this one. */
  readonly children: readonly Opening[];
  /** Held all the time since, and at some time since. */
  readonly heldAlways: Map<object, string>;
  readonly heldOnce: Map<object, string>;
  seal: Seal;
}

/** One handle. */
export class Opening {
  readonly thread: ThreadModel;
  readonly handle: Thread;
  /** Owners that have not let go. */
  claims = 1;
  late = 0;
  /** What is held, and what it is called. */
  readonly held = new Map<object, string>();
  /** What was held when the close had to wait for it. */
  readonly waitedFor = new Set<object>();
  closing: Closing | undefined;
  receipt: ThreadCloseReceipt | undefined;
  /** What close() gave. */
  closed: Promise<ThreadCloseReceipt> | undefined;
  readonly published: { readonly word: string; readonly ordinal: number }[] = [];
  readonly delivered: { readonly word: string; readonly ordinal: number }[] = [];

  constructor(thread: ThreadModel, handle: Thread) {
    this.thread = thread;
    this.handle = handle;
  }

  get seal(): Seal {
    if (this.receipt !== undefined) return 'yes';
    return this.closing?.seal ?? 'no';
  }

  /** `isInTime`: it is surely not sealed yet. */
  hold(key: object, label: string, isInTime: boolean): void {
    if (isInTime) this.waitedFor.add(key);
    this.held.set(key, label);
    this.closing?.heldOnce.set(key, label);
  }

  release(key: object): void {
    this.held.delete(key);
    this.waitedFor.delete(key);
    this.closing?.heldAlways.delete(key);
    this.progress();
  }

  /** A close begins. `isSpawning`: it may have children that nobody knows of yet. */
  close(isForced: boolean, children: readonly Opening[], isSpawning: boolean): void {
    this.closing = { isForced, isLater: false, children, heldAlways: new Map(this.held), heldOnce: new Map(this.held), seal: 'no' };
    this.progress();
    // Nothing to wait for: the seal is there before close() has returned.
    if (this.closing.seal === 'maybe' && children.length === 0 && !isSpawning) this.closing.seal = 'yes';
  }

  /** The library may have begun to close it before, by itself. */
  mayHaveClosed(): void {
    if (this.closing === undefined) return;
    this.closing.isLater = true;
    this.closing.seal = 'maybe';
    this.closing.heldAlways.clear();
  }

  /** It was told to be sealed. */
  sawLate(): void {
    if (this.closing !== undefined) this.closing.seal = 'yes';
  }

  /** Once nothing keeps it open any more, it may be sealed at any moment. */
  progress(): void {
    const { closing } = this;
    if (closing?.seal !== 'no' || closing.children.some(({ receipt }) => receipt === undefined)) return;
    if (closing.isForced || this.held.size === 0) closing.seal = 'maybe';
  }
}

/** One rollout: a thread that is deleted and created again is another one. */
export class ThreadModel {
  readonly id: ThreadId;
  readonly parentId: ThreadId | undefined;
  /** Of a fork: whose history it goes on from, and where. */
  readonly base: { readonly thread: ThreadModel; readonly end: number } | undefined;
  /** Ordinal of the header. */
  readonly start: number;
  readonly path: string;
  readonly records = new Map<number, Entry>();
  /** Records that the library appended at a moment of its own. */
  readonly unplaced: Entry[] = [];
  live: Opening | undefined;
  /** Where it may be while it is not live; more than one only while operations overlap. */
  places = new Set<Place>(['stored']);
  /** The operation that put it there. */
  placedBy = 0;
  /** Ordinal at which the last opening ended, the header's included. */
  endedAt: number;

  constructor(members: Pick<ThreadModel, 'id' | 'parentId' | 'base' | 'start' | 'path'>) {
    this.id = members.id;
    this.parentId = members.parentId;
    this.base = members.base;
    this.start = members.start;
    this.path = members.path;
    this.endedAt = members.start + 1;
  }

  get next(): number {
    return this.start + 1 + this.records.size + this.unplaced.length;
  }

  /** Operations take effect in the order of their calls. */
  put(place: Place, operation: number): void {
    if (operation < this.placedBy) return;
    this.places = new Set([place]);
    this.placedBy = operation;
  }

  /** The rollout that holds the record, and so is what a fork after it refers to. */
  holderOf(ordinal: number): ThreadModel {
    return this.base === undefined || ordinal >= this.start ? this : this.base.thread.holderOf(ordinal);
  }

  /** All records of the history in order, the base's first. */
  history(): [ordinal: number, entry: Entry][] {
    const own: [number, Entry][] = [...this.records].sort(([one], [other]) => one - other);
    const { base } = this;
    const before = base === undefined ? [] : base.thread.history().filter(([ordinal]) => ordinal < base.end);
    return [...before, [this.start, { word: 'header' }], ...own];
  }

  /** What is left of the history behind its rollbacks. */
  effective(): [ordinal: number, word: string][] {
    let kept: [number, string][] = [];
    for (const [ordinal, { word, rolledBackFrom: from }] of this.history()) {
      if (from !== undefined) kept = kept.filter(([before]) => before < from);
      kept.push([ordinal, word]);
    }
    return kept;
  }
}

/** The word of a record that was read. */
export function wordOf({ type, payload }: Pick<RolloutRecord, 'type' | 'payload'>): string {
  if (type !== 'session_meta') return JSON.stringify({ type, payload });
  return 'timestamp' in (payload as object) ? 'header' : titled((payload as { title?: string }).title ?? '').word;
}

export function titled(title: string): Entry {
  return { word: `title ${title}` };
}

export function rolledBack(from: number): Entry {
  return { word: JSON.stringify({ type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: 0, to_ordinal: from } }), rolledBackFrom: from };
}
