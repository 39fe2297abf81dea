import { LastwordError, type LastwordErrorContext } from '../errors.js';
import { kindOfThrown } from '../thrown.js';
import { types } from 'node:util';

/** What an item's error says at most, characters. */
const REASON_CHARACTERS_MAX = 2000;

/** Rows that make no job. */
export function jobInvalid(what: string, context: LastwordErrorContext, cause?: unknown): LastwordError {
  return new LastwordError('LASTWORD_JOB_INVALID', what, context, cause === undefined ? undefined : { cause });
}

/** A log that no job of ours has written like that. */
export function jobCorrupt(what: string, context: LastwordErrorContext): LastwordError {
  return new LastwordError('LASTWORD_ROLLOUT_CORRUPT', `the log of the job ${what}`, context);
}

/** What the host's worker or validator threw, in words for the item's `error`. Runs nothing of it. */
export function reasonOf(thrown: unknown): string {
  if (typeof thrown === 'string') return shortened(thrown);
  const message: unknown = types.isNativeError(thrown) ? Object.getOwnPropertyDescriptor(thrown, 'message')?.value : undefined;
  return shortened(typeof message === 'string' && message !== '' ? message : kindOfThrown(thrown));
}

export function shortened(text: string): string {
  return text.length > REASON_CHARACTERS_MAX ? `${text.slice(0, REASON_CHARACTERS_MAX - 1)}…` : text;
}
