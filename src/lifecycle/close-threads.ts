import { isLastwordError, LastwordError } from '../errors.js';
import type { RolloutThread } from '../thread.js';
import type { CloseOptions } from '../types.js';

/** Closes them side by side. @throws LASTWORD_DRAIN_INCOMPLETE (context.unwritten: of all of them), or what the first failed with */
export async function closeThreads(threads: readonly RolloutThread[], options: CloseOptions): Promise<void> {
  const closings = await Promise.allSettled(threads.map((thread) => thread.close(options)));
  const failures = closings.flatMap((closing) => (closing.status === 'rejected' ? [closing.reason as unknown] : []));
  if (failures.length > 0) throw incompleteClose(failures);
}

/** One error for all threads whose drain was not acknowledged, each named; any other failure as it is. */
function incompleteClose(failures: readonly unknown[]): unknown {
  const errors = failures.filter((failure) => isLastwordError(failure));
  const unwritten = errors.flatMap((error) => error.context.unwritten ?? []);
  if (errors.length < failures.length || unwritten.length === 0) return failures[0];
  return new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `${unwritten.length} threads have items that were not acknowledged`, { unwritten },
    { cause: errors[0] });
}
