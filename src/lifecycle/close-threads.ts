import { isLastwordError, LastwordError } from '../errors.js';
import type { OpenThread } from '../open-thread.js';
import { before } from './deadline.js';
import type { ClosePlan } from './thread-close.js';

/** Who has the same deadline says itself what is missing, and says more. */
const GRACE_MS = 250;

/** What those that rejected did so with, once all have settled. */
export async function failuresOf(closings: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(closings);
  return settled.flatMap((closing) => (closing.status === 'rejected' ? [closing.reason as unknown] : []));
}

/** A close that was begun earlier may have a later deadline than this one: then it is not waited for to its end. */
export function bounded(thread: OpenThread, closing: Promise<unknown>, plan: ClosePlan): Promise<unknown> {
  return before(plan.deadline + GRACE_MS, closing, `the close of thread ${thread.id}`);
}

/** One error for all threads whose drain was not acknowledged, each named; any other failure as it is. */
export function incompleteClose(failures: readonly unknown[]): unknown {
  const errors = failures.filter((failure) => isLastwordError(failure));
  const unwritten = errors.flatMap((error) => error.context.unwritten ?? []);
  if (errors.length < failures.length || unwritten.length === 0) return failures[0];
  return new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `${unwritten.length} threads have items that were not acknowledged`, { unwritten },
    { cause: errors[0] });
}
