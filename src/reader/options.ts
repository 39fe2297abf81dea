import { LastwordError } from '../errors.js';
import type { ReadOptions } from '../types.js';
import { isOrdinal, type Ordinal } from '../units.js';

/** Options of a read as they are given, with their defaults. */
export interface CheckedReadOptions {
  readonly from: Ordinal;
  readonly limit: number;
  readonly reverse: boolean;
  readonly view: 'raw' | 'effective' | 'resume';
  readonly follow: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onDamage: ReadOptions['onDamage'];
}

const VIEWS = ['raw', 'effective', 'resume'] as const;

/** @throws LASTWORD_INVALID_OPTION */
export function checkReadOptions(options: ReadOptions): CheckedReadOptions {
  if (typeof options !== 'object' || options === null) refuse('options', options, 'an object');
  const { from = 0, limit, reverse = false, view = 'effective', follow = false, signal, onDamage } = options;
  if (!isOrdinal(from)) refuse('from', from, 'an ordinal: a whole number from 0');
  if (limit !== undefined && !isOrdinal(limit)) refuse('limit', limit, 'a whole number from 0');
  if (typeof reverse !== 'boolean') refuse('reverse', reverse, 'a boolean');
  if (!VIEWS.includes(view)) refuse('view', view, "'raw', 'effective' or 'resume'");
  if (typeof follow !== 'boolean') refuse('follow', follow, 'a boolean');
  if (follow && reverse) refuse('follow', follow, 'false or left out with reverse: what comes later is no history');
  if (onDamage !== undefined && typeof onDamage !== 'function') refuse('onDamage', onDamage, 'a function');
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse('signal', signal, 'an AbortSignal');
  return { from, limit: limit ?? Infinity, reverse, view, follow, signal, onDamage };
}

/** @throws LASTWORD_INVALID_OPTION */
export function checkPath(path: unknown): asserts path is string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) refuse('path', path, 'the path of a file');
}

/** @throws LASTWORD_INVALID_OPTION */
export function refuse(option: string, value: unknown, allowed: string): never {
  throw new LastwordError('LASTWORD_INVALID_OPTION', `${option} must be ${allowed}`, { option, value });
}
