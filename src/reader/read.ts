import type { ReadOptions, RolloutItem, RolloutRecord } from '../types.js';
import { BackwardStream } from './backward-stream.js';
import { FollowStream } from './follow-stream.js';
import { checkPath, checkReadOptions, type CheckedReadOptions } from './options.js';
import { ForwardStream, recordsOf, type RecordStream } from './record-stream.js';
import { openRollout } from './rollout-source.js';

/**
 * The whole records of one file, in the order of the file or from its end, in bounded memory. Damaged lines are stepped
 * over and given to `onDamage`; a record whose ordinal was used before is reported there too and still yielded, since
 * both are history. A file without a header, or empty, is read like any other: only resuming needs one. A file that
 * grows is read to the end that it has when the reader comes there. Every failure is a rejection of next(), and leaving
 * the loop closes the file.
 *
 * @throws LASTWORD_THREAD_NOT_FOUND (no such file), LASTWORD_ROLLOUT_CORRUPT (no regular file),
 * LASTWORD_INVALID_OPTION; the signal's reason when it aborts; a system error, as it is, when the file cannot be opened
 * or read for another reason
 */
export function readRollout<I extends { type: string } = RolloutItem>(
  path: string,
  options: Omit<ReadOptions, 'view'> = {},
): AsyncGenerator<RolloutRecord<I>, void, undefined> {
  const check = (): CheckedReadOptions => {
    checkPath(path);
    return checkReadOptions(options);
  };
  // What items a thread has is the host's knowledge.
  return recordsOf(check, (checked) => openStream(path, checked)) as AsyncGenerator<RolloutRecord<I>, void, undefined>;
}

/** One file as it is. */
export async function openStream(path: string, { from, reverse, follow, signal, onDamage }: CheckedReadOptions, open = openRollout): Promise<RecordStream> {
  const file = await open(path);
  if (follow) return new FollowStream(path, file, { from, signal, onDamage });
  return reverse ? new BackwardStream(file, (await file.stat()).size, { from, onDamage }) : new ForwardStream(file, { from, onDamage });
}
