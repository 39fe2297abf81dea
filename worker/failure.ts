import { isLastwordError, LastwordError, type LastwordErrorCode } from '../src/errors.js';
import type { RolloutFile } from './rollout-file.js';

/** What a thread fails with. `code` is for causes that have none of ours; `unsafe`: counts of items that are written and yet not known to be on disk. */
export function failureOf(
  { base, threadId, path }: RolloutFile, code: LastwordErrorCode, message: string, cause: unknown, unsafe?: { readonly from: number; readonly end: number },
): LastwordError {
  const inner = isLastwordError(cause) ? cause : undefined;
  const { errno } = cause as Partial<NodeJS.ErrnoException>;
  const context = {
    ...inner?.context, threadId, path,
    ...(errno === undefined ? {} : { errno }),
    ...(unsafe === undefined || unsafe.from >= unsafe.end ? {} : { unwritten: [{ threadId, from: base + unsafe.from, to: base + unsafe.end - 1 }] }),
  };
  return new LastwordError(inner?.code ?? code, `thread ${threadId}: ${message}`, context, { cause });
}
