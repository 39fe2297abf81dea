import { assert } from './assert.js';

declare const unit: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [unit]: Name };

/** Number of a record within its thread, from the header on, without gaps. */
export type Ordinal = Branded<number, 'Ordinal'>;

/** Byte offset in a rollout file. */
export type FileOffset = Branded<number, 'FileOffset'>;

/**
 * True for what can be the ordinal of a record and has a next one. Codex counts in 64 bits; here numbers end at 2^53.
 */
export function isOrdinal(value: unknown): value is Ordinal {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < Number.MAX_SAFE_INTEGER;
}

export function ordinal(value: number): Ordinal {
  assert(isOrdinal(value), `ordinal out of range: ${value}`);
  return value;
}

export function fileOffset(value: number): FileOffset {
  assert(Number.isSafeInteger(value) && value >= 0, `file offset out of range: ${value}`);
  return value as FileOffset;
}
