/** Chance with a seed that is printed, so that a failure can be run again: LASTWORD_SEED=<seed>. */
import { randomInt } from 'node:crypto';

/** The seed of this run, printed with the name of what it is for. */
export function seedOf(name: string): number {
  const given = process.env['LASTWORD_SEED'];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  process.stdout.write(`seed of ${name}: ${seed}\n`);
  return seed;
}

/** Integers from 0 up to, not with, the bound: mulberry32, which is small and good enough to draw loads from. */
export function random(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}
