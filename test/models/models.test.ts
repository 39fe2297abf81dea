/**
 * T3: the protocol of the shared memory, checked by SPIN in small bounds, the writer killed at any step. The models have the
 * words, the order and the rules of `src/ring` and `worker`; that the code has them too is the explorer's to show.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { check, hasSpin } from '../support/spin.js';
import { MODELS, titlesOf } from './models.js';

const isFull = process.env['LASTWORD_MODELS'] === 'full';
const TIMEOUT_MS = isFull ? 600_000 : 120_000;

const words = (definitions: string): string[] => definitions.split(' ').filter((word) => word !== '');

describe('models', () => {
  for (const model of MODELS) {
    const { file, holds, holdsInFull, mutants } = model;
    const titles = titlesOf(model);

    test.skipIf(!hasSpin)(titles.holds, { timeout: TIMEOUT_MS * 10 }, async () => {
      for (const definitions of isFull ? [...holds, ...holdsInFull] : holds) {
        const { error, seconds, states } = await check(file, words(definitions), TIMEOUT_MS, true);
        console.log(`${file} ${definitions}: ${states} states in ${seconds.toFixed(1)} s`);
        expect(error, `${file} ${definitions}`).toBeUndefined();
      }
    });

    test.skipIf(!hasSpin)(titles.mutants, { timeout: TIMEOUT_MS * 10 }, async () => {
      for (const [bug, definitions] of Object.entries(mutants)) {
        const { error, states } = await check(file, words(definitions), TIMEOUT_MS);
        console.log(`${file}, ${bug}: ${error ?? 'missed'}, ${states} states`);
        expect(error, bug).toMatch(/assertion violated|invalid end state/);
      }
    });
  }

  test('a bug that a model knows and that no test brings about is none', () => {
    for (const { file, holds, holdsInFull, mutants } of MODELS) {
      const text = readFileSync(new URL(`${file}.pml`, import.meta.url), 'utf8');
      const known = new Set([...text.matchAll(/(?:#ifn?def |defined\()([A-Z_]+)/g)].map(([, name]) => name));
      const used = new Set([...holds, ...holdsInFull, ...Object.values(mutants)].flatMap((definitions) => words(definitions).map((word) => word.split('=')[0])));
      for (const bound of text.matchAll(/#ifndef ([A-Z_]+)\n#define \1 /g)) known.delete(bound[1]);
      expect([...known].filter((name) => !used.has(name)), file).toEqual([]);
    }
  });
});
