export { randomFrom } from './random-from.mjs';

/** Seed of this run: LASTWORD_SEED, or a fresh one, printed so that a failure can be run again. */
export const SEED = Number(process.env['LASTWORD_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`LASTWORD_SEED=${SEED}`);
