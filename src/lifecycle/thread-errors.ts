/** Why a thread cannot be opened. */
import { isLastwordError, LastwordError } from '../errors.js';
import type { OpenThread } from '../open-thread.js';
import type { ThreadId } from '../types.js';

/** What a fresh thread may be put in the place of. */
export function isMissing(error: unknown): error is LastwordError {
  return isLastwordError(error) && ['LASTWORD_THREAD_NOT_FOUND', 'LASTWORD_THREAD_ARCHIVED', 'LASTWORD_ROLLOUT_CORRUPT'].includes(error.code);
}

export function parentClosed(parentId: ThreadId): LastwordError {
  return new LastwordError('LASTWORD_THREAD_CLOSED', `the parent ${parentId} is not open here`, { threadId: parentId });
}

export function threadExists(threadId: ThreadId, path: string | undefined): LastwordError {
  const what = path === undefined ? 'is open' : 'has a rollout already';
  return new LastwordError('LASTWORD_THREAD_EXISTS', `thread ${threadId} ${what}`, { threadId, ...(path === undefined ? {} : { path }) });
}

/** Open in this process. `asker`: the producer that wants it, or main that does something with its rollout. */
export function busyOpen({ id: threadId, producer }: OpenThread, asker: number): LastwordError {
  const [where, owner] = producer === asker ? ['here', {}] : [`in producer ${producer}`, { owner: { producer } }];
  return new LastwordError('LASTWORD_THREAD_BUSY', `thread ${threadId} is open ${where}`, { threadId, ...owner });
}

export function busyBehindClose(threadId: ThreadId, cause: unknown): LastwordError {
  return new LastwordError('LASTWORD_THREAD_BUSY', `thread ${threadId} is open here, and its close did not finish`, { threadId }, { cause });
}
