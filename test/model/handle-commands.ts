/** What is done with a handle, in whatever state it is: most of it is answered at once. */
import { LATE, type Durability, type LastwordError, type RolloutItem } from 'lastword';
import type { Act } from './commands.js';
import { rolledBack, titled, wordOf, type Entry, type Opening } from './model.js';
import type { Run } from './run.js';

const DURABILITIES: readonly Durability[] = ['accepted', 'written', 'synced'];
/** Every so many items one is large. */
const LARGE_EVERY = 13;
const LARGE_CHARACTERS = 20_000;

function itemOf(run: Run): RolloutItem & { payload: object } {
  const { word } = run;
  return { type: 'event_msg', payload: { word, text: 't'.repeat(word % LARGE_EVERY === 0 ? LARGE_CHARACTERS : word) } };
}

const entryOf = (item: RolloutItem): Entry => ({ word: wordOf(item) });

/** The thread takes all of it, or it is sealed and all of it is late. */
export function takes(run: Run, opening: Opening, entries: readonly Entry[], call: () => number): number {
  const { handle, thread } = opening;
  const seal = run.sealOf(opening);
  const next = handle.accepted;
  if (seal === 'no' && run.isQuiet(thread)) run.expect(`accepted of thread ${thread.id}`, next, thread.next);
  const answer = call();
  const isLate = answer === LATE;
  if (seal !== 'maybe') run.expect(`an append to thread ${thread.id} was late`, isLate, seal === 'yes');
  if (isLate) {
    opening.late += entries.length;
    opening.sawLate();
    return answer;
  }
  run.expect(`ordinal in thread ${thread.id}`, answer, next);
  for (const [index, entry] of entries.entries()) thread.records.set(answer + index, entry);
  return answer;
}

function append(run: Run, opening: Opening): void {
  const item = itemOf(run);
  takes(run, opening, [entryOf(item)], () => opening.handle.append(item));
}

/** Work that ends later, and has a last word before. In its place other work may begin. */
function work(run: Run, opening: Opening, label: string, end: () => void): void {
  const key = {};
  opening.hold(key, label, run.sealOf(opening) === 'no');
  run.work.push({ opening, end: (next) => {
    append(run, opening);
    end();
    next?.();
    opening.release(key);
  } });
}

export function hold(run: Run, opening: Opening, label: string): void {
  const held = opening.handle.hold(label);
  work(run, opening, label, () => { held[Symbol.dispose](); });
}

export const HANDLE_ACTS = {
  append,

  appendAll(run, opening, { option }) {
    const items = Array.from({ length: option % 4 }, () => itemOf(run));
    takes(run, opening, items.map(entryOf), () => opening.handle.appendAll(items));
  },

  publish(run, opening, { option }) {
    const { handle, thread: { id } } = opening;
    const item = itemOf(run);
    const next = handle.accepted;
    let publishing = Promise.resolve<number>(LATE);
    const ordinal = takes(run, opening, [entryOf(item)], () => {
      publishing = handle.publish(item, { durability: DURABILITIES[option % DURABILITIES.length] });
      return handle.accepted > next ? next : LATE;
    });
    opening.published.push({ word: wordOf(item), ordinal });
    return run.await(`publish on thread ${id}`, publishing.then((answer) => { run.expect(`publish on thread ${id}`, answer, ordinal); }));
  },

  track(run, opening, { option }) {
    let [resolve, reject]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
    const promise = new Promise<void>((onResolve, onReject) => { [resolve, reject] = [onResolve, onReject]; });
    work(run, opening, 'tracked', option % 2 === 0 ? resolve : () => { reject(new Error('the work failed')); });
    run.expect('track() gives back the same promise', opening.handle.track(promise) === promise, true);
    promise.catch(() => undefined);
  },

  hold(run, opening, { option }) {
    hold(run, opening, `tool ${option % 3}`);
  },

  flush(run, opening, { option }) {
    const { handle, receipt, thread: { id } } = opening;
    const next = handle.accepted;
    return run.await(`flush of thread ${id}`, handle.flush({ durability: DURABILITIES[option % DURABILITIES.length] }).then((flushed) => {
      if (receipt !== undefined || 'items' in flushed) run.expect(`flush of thread ${id} gives the receipt`, flushed === opening.receipt, true);
      else run.expect(`flush of thread ${id}`, flushed.nextOrdinal, next);
    }));
  },

  close(run, opening, { option }) {
    return closes(run, opening, option % 4 === 0, DURABILITIES[option % DURABILITIES.length]);
  },

  dispose(run, opening) {
    const { handle, thread: { id } } = opening;
    opening.claims -= 1;
    // An operation that is under way may have a claim that nobody has been told of.
    const isSure = ![...run.pending].some(({ target, isOpening }) => isOpening && target.id === id);
    if (isSure && opening.claims <= 0) run.beginClose(opening, false);
    const disposing = handle[Symbol.asyncDispose]();
    if (!isSure && handle.state === 'closing') run.beginClose(opening, false);
    return run.await(`dispose of thread ${id}`, Promise.resolve(disposing));
  },

  rollback(run, opening, { option }) {
    const { handle, thread: { id } } = opening;
    const from = option % (handle.accepted + 2);
    const isRefused = from === 0 || from > handle.accepted;
    if (!isRefused || opening.seal === 'yes') {
      takes(run, opening, [rolledBack(from)], () => handle.rollback(from));
      return;
    }
    if (run.sealOf(opening) !== 'no') return;
    try {
      run.expect(`rollback of thread ${id} to ${from}`, handle.rollback(from), 'an error');
    } catch (error) {
      run.expect(`rollback of thread ${id} to ${from}`, error instanceof Error && (error as LastwordError).code, 'LASTWORD_INVALID_OPTION');
    }
  },

  setMeta(run, opening) {
    const title = `${run.word}`;
    takes(run, opening, [titled(title)], () => opening.handle.setMeta({ title }));
  },
} as const satisfies Record<string, Act<Opening>>;

/** Every call gives the same promise, and it gives the receipt of the event. */
export function closes(run: Run, opening: Opening, isForced = false, durability?: Durability): Promise<void> {
  const { handle, thread: { id } } = opening;
  run.beginClose(opening, isForced);
  const closing = handle.close({ waitForTracked: !isForced, durability });
  run.expect(`close of thread ${id} gives the same promise`, closing === (opening.closed ?? closing), true);
  opening.closed = closing;
  run.expect(`the signal of thread ${id}`, handle.signal.aborted, true);
  return run.await(`close of thread ${id}`, closing.then((receipt) => { run.expect(`close of thread ${id} gives the receipt`, receipt === opening.receipt, true); }));
}
