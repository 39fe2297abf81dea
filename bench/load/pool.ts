import type { RolloutItem } from 'lastword';
import { FIXED_BYTES, fixedItems, type FixedSize } from './fixed.js';
import { ShapeSource } from './shapes.js';

/** Items of one size, or as they come in real rollouts. */
export type Load = FixedSize | 'mix';

const ITEMS_MAX = 997;
const ITEMS_MIN = 16;
const BYTES_MAX = 16 << 20;
/** Mean line of the mix, about. */
const MIX_BYTES = 2000;

export function bytesOf(load: Load): number {
  return load === 'mix' ? MIX_BYTES : FIXED_BYTES[load];
}

/** Different items, to be recorded over and over. */
export function poolOf(load: Load, seed: number): RolloutItem[] {
  const count = Math.max(ITEMS_MIN, Math.min(ITEMS_MAX, Math.floor(BYTES_MAX / bytesOf(load))));
  if (load !== 'mix') return fixedItems(load, count, seed);
  const source = new ShapeSource(seed);
  return Array.from({ length: count }, () => source.item());
}
