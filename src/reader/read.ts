import { LastwordError } from '../errors.js';
import { RolloutScanner } from '../rollout/scan.js';
import type { ReadOptions, RolloutItem, RolloutRecord } from '../types.js';
import { isOrdinal, type Ordinal } from '../units.js';
import { openRollout } from './rollout-source.js';

/**
 * The whole records of one file, in the order of the file, in bounded memory. Damaged lines are stepped over and given
 * to `onDamage`; a record whose ordinal was used before is reported there too and still yielded, since both are
 * history. A file without a header, or empty, is read like any other: only resuming needs one. A file that grows is
 * read to the end that it has when the reader comes there. Every failure is a rejection of next(), and leaving the loop
 * closes the file.
 *
 * @throws LASTWORD_THREAD_NOT_FOUND (no such file), LASTWORD_ROLLOUT_CORRUPT (no regular file),
 * LASTWORD_INVALID_OPTION; the signal's reason when it aborts; a system error, as it is, when the file cannot be opened
 * or read for another reason
 */
export async function* readRollout<I extends { type: string } = RolloutItem>(
  path: string,
  options: Omit<ReadOptions, 'view'> = {},
): AsyncGenerator<RolloutRecord<I>, void, undefined> {
  const { from, limit, signal } = checkOptions(path, options);
  signal?.throwIfAborted();
  const file = await openRollout(path);
  try {
    const scanner = new RolloutScanner({ from, onDamage: options.onDamage });
    let left = limit;
    for (let isEnd = false; !isEnd && left > 0;) {
      const chunk = await file.next();
      signal?.throwIfAborted();
      isEnd = chunk === undefined;
      if (chunk !== undefined) scanner.feed(chunk);
      for (let scanned = isEnd ? scanner.end() : scanner.next(); scanned !== undefined; scanned = scanner.next()) {
        yield scanned.record as RolloutRecord<I>; // what items a thread has is the host's knowledge
        left -= 1;
        if (left === 0) return;
        signal?.throwIfAborted();
      }
    }
  } finally {
    await file.close();
  }
}

/** Of readThread(). @throws LASTWORD_INVALID_OPTION */
export function checkView(options: ReadOptions): 'raw' | 'effective' {
  checkOptions('rollout', options);
  const { view = 'effective' } = options as { view?: unknown };
  if (view !== 'raw' && view !== 'effective') refuse('view', view, "'raw' or 'effective'");
  return view;
}

interface CheckedOptions {
  readonly from: Ordinal;
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

function checkOptions(path: unknown, options: ReadOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null) refuse('options', options, 'an object');
  const { from = 0, limit, signal, onDamage } = options;
  const { reverse, follow } = options as { reverse?: unknown; follow?: unknown };
  if (typeof path !== 'string' || path === '' || path.includes('\0')) refuse('path', path, 'the path of a file');
  if (!isOrdinal(from)) refuse('from', from, 'an ordinal: a whole number from 0');
  if (limit !== undefined && !isOrdinal(limit)) refuse('limit', limit, 'a whole number from 0');
  if (reverse === true) refuse('reverse', reverse, 'false or left out: reading from the end is not there yet');
  if (follow === true) refuse('follow', follow, 'false or left out: following a file is not there yet');
  if (onDamage !== undefined && typeof onDamage !== 'function') refuse('onDamage', onDamage, 'a function');
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse('signal', signal, 'an AbortSignal');
  return { from, limit: limit ?? Infinity, signal };
}

function refuse(option: string, value: unknown, allowed: string): never {
  throw new LastwordError('LASTWORD_INVALID_OPTION', `${option} must be ${allowed}`, { option, value });
}
