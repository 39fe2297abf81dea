/**
 * What operations on threads may answer. One that runs alone has exactly one answer. Operations on one id take effect in
 * the order of their calls; for those that overlap on related ids, or with a close, every answer that some order gives is right.
 */
import type { ThreadId } from 'lastword';
import type { Place, ThreadModel } from './model.js';

/** A thread as an operation on its id meets it. */
export type Phase = Place | 'open' | 'closing';

export type OperationName =
  | 'create' | 'spawn' | 'recreate' | 'resume' | 'resume or create' | 'fork' | 'setThreadMeta' | 'archive' | 'unarchive' | 'delete' | 'read';

/** Operations that reach the threads below, and where they put them. */
export const PLACES = { archive: 'archived', unarchive: 'stored', delete: 'absent' } as const satisfies Partial<Record<OperationName, Place>>;
const isPlacing = (name: OperationName): name is keyof typeof PLACES => Object.hasOwn(PLACES, name);
/** Those that open a thread. */
const OPENING: readonly OperationName[] = ['create', 'spawn', 'recreate', 'resume', 'resume or create', 'fork', 'setThreadMeta'];

export interface OperationTarget {
  readonly name: OperationName;
  /** The thread in whose order it goes. */
  readonly id?: ThreadId | undefined;
  /** Of the thread that it makes. */
  readonly parentId?: ThreadId | undefined;
  /** Of a fork: the last ordinal, if it is named. */
  readonly through?: number | undefined;
}

/** One call that has not settled. */
export class Operation {
  readonly number: number;
  readonly target: OperationTarget;
  /** All answers that have been right since the call. */
  readonly legal = new Set<string>();
  /** Nothing else has been under way since the call, and no close has begun. */
  isAlone: boolean;
  /** A close of the parent may have met it. */
  mayMeetClose = false;
  /** A close of the thread itself has begun since the call: it may have taken effect before that. */
  isOvertaken = false;
  /** Threads below it, and what becomes of each when it is alone. */
  readonly below = new Set<ThreadModel>();
  fates = new Map<ThreadModel, string>();

  constructor(number: number, target: OperationTarget, isAlone: boolean) {
    this.number = number;
    this.target = target;
    this.isAlone = isAlone;
  }

  get isOpening(): boolean {
    return OPENING.includes(this.target.name);
  }

  get isPlacing(): boolean {
    return isPlacing(this.target.name);
  }
}

/** What there is to know for answers. */
export interface Known {
  readonly threads: ReadonlyMap<ThreadId, ThreadModel>;
  readonly all: readonly ThreadModel[];
  readonly pending: ReadonlySet<Operation>;
  /** The library may be closing it though nobody has asked for that. */
  mayClose(thread: ThreadModel): boolean;
}

/** The threads whose headers name this one as their parent, and so on down. */
export function below({ threads }: Pick<Known, 'threads'>, id: ThreadId): ThreadModel[] {
  const found = new Set<ThreadModel>();
  const visit = (parentId: ThreadId): void => {
    for (const thread of threads.values()) {
      if (thread.parentId !== parentId || found.has(thread) || isGone(thread)) continue;
      found.add(thread);
      visit(thread.id);
    }
  };
  visit(id);
  return [...found];
}

export function isGone({ live, places }: ThreadModel): boolean {
  return live === undefined && places.size === 1 && places.has('absent');
}

/** What an operation on the thread may meet that is called after those with lower numbers; without a number, who is not in their order. */
export function phasesOf(known: Known, id: ThreadId, before?: number): Set<Phase> {
  const above = [...known.pending].filter((operation) => operation.isPlacing && isAbove(known, operation.target.id, id));
  const widened = (phases: Set<Phase>): Set<Phase> => new Set([...phases].flatMap((phase) => [phase, ...above.flatMap((operation) => effects(known, operation, phase))]));
  let phases = widened(phasesNow(known, id));
  for (const operation of known.pending) {
    if (operation.target.id !== id || operation.number >= (before ?? Infinity)) continue;
    phases = widened(new Set([...phases].flatMap((phase) => [...before === undefined || operation.isOvertaken ? [phase] : [], ...effects(known, operation, phase)])));
  }
  return phases;
}

function phasesNow(known: Known, id: ThreadId): Set<Phase> {
  const thread = known.threads.get(id);
  if (thread === undefined) return new Set(['absent']);
  const { live } = thread;
  if (live === undefined) return new Set(thread.places);
  if (live.closing !== undefined) return new Set(['closing']);
  return new Set(known.mayClose(thread) ? ['open', 'closing', 'stored'] : ['open']);
}

function isAbove({ threads }: Known, ancestorId: ThreadId | undefined, id: ThreadId): boolean {
  for (let next = threads.get(id)?.parentId; next !== undefined; next = threads.get(next)?.parentId) {
    if (next === ancestorId) return true;
  }
  return false;
}

/** What the thread may be like behind the operation. */
function effects(known: Known, operation: Operation, phase: Phase): Phase[] {
  const { name, id } = operation.target;
  const isFree = phase === 'stored' || phase === 'archived' || phase === 'closing';
  switch (name) {
    case 'resume':
    case 'resume or create':
      if (phase !== 'stored' && phase !== 'closing') return [phase];
      return operation.legal.has('LASTWORD_THREAD_CLOSED') ? ['open', 'stored'] : ['open'];
    case 'setThreadMeta':
      return phase === 'absent' || phase === 'archived' ? [phase] : ['open', 'closing', 'stored'];
    case 'recreate':
      return phase === 'absent' ? ['open'] : [phase];
    case 'archive':
    case 'unarchive':
      return isFree ? [PLACES[name]] : [phase];
    case 'delete':
      if (!isFree) return [phase];
      return isReferenced(known, id) ? ['absent', phase === 'archived' ? phase : 'stored'] : ['absent'];
    case 'create':
    case 'spawn':
    case 'fork':
    case 'read':
      return [phase];
  }
}

function parentPhases(known: Known, id: ThreadId | undefined): Set<Phase> {
  const parentId = id === undefined ? undefined : known.threads.get(id)?.parentId;
  return parentId === undefined ? new Set() : phasesOf(known, parentId);
}

/** A fork has it as its base, or may soon have. */
function isReferenced({ threads, all, pending }: Known, id: ThreadId | undefined): boolean {
  const thread = id === undefined ? undefined : threads.get(id);
  const refers = (fork: ThreadModel | undefined): boolean => fork !== undefined && (fork === thread || refers(fork.base?.thread));
  return all.some((fork) => fork.base?.thread === thread && !isGone(fork))
    || [...pending].some(({ target }) => target.name === 'fork' && target.id !== undefined && refers(threads.get(target.id)));
}

/** By its turn the id is another thread's, which may have fewer records. */
function isReplaced({ pending }: Known, { number, target: { id } }: Operation): boolean {
  return [...pending].some((other) => other.target.name === 'recreate' && other.target.id === id && other.number < number);
}

/** A fork of it stays, whatever else is under way. */
function isSurelyReferenced(known: Known, id: ThreadId | undefined): boolean {
  const thread = known.threads.get(id ?? '');
  const tree = below(known, id ?? '');
  return known.all.some((fork) => fork.base?.thread === thread && !isGone(fork) && !tree.includes(fork) && !phasesOf(known, fork.id).has('absent'));
}

/** Adds what is right to answer as things are now. */
export function widen(known: Known, operation: Operation): void {
  const { id, name, parentId } = operation.target;
  if (operation.isPlacing && id !== undefined) for (const thread of below(known, id)) operation.below.add(thread);
  const right = new Set([...phasesOf(known, id ?? '', name === 'read' ? undefined : operation.number)].flatMap((phase) => answers(known, operation, phase)));
  if (parentId !== undefined) {
    const phases = phasesOf(known, parentId);
    if (!phases.has('open')) right.delete('done');
    if (phases.has('absent')) right.add('LASTWORD_THREAD_NOT_FOUND');
    // On the way to be open it has a rollout, and is not open yet.
    const isOpening = [...known.pending].some((other) => other.isOpening && other.target.id === parentId);
    if (isOpening || phases.has('closing') || phases.has('stored') || phases.has('archived')) right.add('LASTWORD_THREAD_CLOSED');
  }
  for (const answer of right) operation.legal.add(answer);
}

function answers(known: Known, operation: Operation, phase: Phase): string[] {
  const { name, id, through } = operation.target;
  const missing = phase === 'absent' ? 'LASTWORD_THREAD_NOT_FOUND' : phase === 'archived' ? 'LASTWORD_THREAD_ARCHIVED' : undefined;
  switch (name) {
    case 'create':
    case 'spawn':
      return ['done'];
    case 'recreate':
      return [phase === 'absent' ? 'done' : 'LASTWORD_THREAD_EXISTS'];
    case 'resume':
    case 'resume or create':
    case 'setThreadMeta': {
      if (missing !== undefined) return [name === 'resume or create' ? 'fresh' : missing];
      if (phase === 'open') return ['done'];
      const phases = parentPhases(known, id);
      const refused = phases.has('closing') ? ['LASTWORD_THREAD_CLOSED'] : [];
      return phases.size === 1 && refused.length > 0 ? refused : ['done', ...refused];
    }
    case 'fork':
      if (phase === 'absent') return ['LASTWORD_THREAD_NOT_FOUND'];
      if (!operation.isAlone && (through !== undefined || isReplaced(known, operation))) return ['done', 'LASTWORD_INVALID_OPTION'];
      return [through !== undefined && through >= (known.threads.get(id ?? '')?.next ?? 0) ? 'LASTWORD_INVALID_OPTION' : 'done'];
    case 'read':
      return [phase === 'absent' ? 'LASTWORD_THREAD_NOT_FOUND' : 'done'];
    case 'archive':
    case 'unarchive':
    case 'delete':
      if (phase === 'absent') return ['LASTWORD_THREAD_NOT_FOUND'];
      if (phase === 'open') return ['LASTWORD_THREAD_BUSY'];
      if (name !== 'delete') return ['done'];
      if (operation.isAlone) return [fatesOf(known, operation).get(known.threads.get(id ?? '') as ThreadModel) ?? 'done'];
      if (!isReferenced(known, id)) return ['done'];
      return isSurelyReferenced(known, id) ? ['LASTWORD_THREAD_REFERENCED'] : ['done', 'LASTWORD_THREAD_REFERENCED'];
  }
}

/** What becomes of a thread and of those below it: 'done', or the code of what keeps it as it is. */
export function fatesOf(known: Known, { target: { name, id } }: Operation): Map<ThreadModel, string> {
  const root = known.threads.get(id ?? '');
  if (root === undefined) return new Map();
  const tree = [root, ...below(known, root.id)];
  const fates = new Map(tree.map((thread): [ThreadModel, string] => [thread, thread.live !== undefined && thread.live.closing === undefined ? 'LASTWORD_THREAD_BUSY' : 'done']));
  if (name !== 'delete') return fates;
  // A base stays as long as a fork of it does.
  for (let hasChanged = true; hasChanged;) {
    hasChanged = false;
    for (const thread of tree) {
      const isKept = known.all.some((fork) => fork.base?.thread === thread && !isGone(fork) && fates.get(fork) !== 'done');
      if (!isKept || fates.get(thread) !== 'done') continue;
      fates.set(thread, 'LASTWORD_THREAD_REFERENCED');
      hasChanged = true;
    }
  }
  return fates;
}
