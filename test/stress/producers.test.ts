/** Producers in real JavaScript threads that come, append, are closed from both sides and end anywhere. LASTWORD_SEED draws the same again. */
import { expect, test } from 'vitest';
import { mutantWriter } from '../support/mutants.js';
import { stress, stressedPackage } from '../support/producers/stress.js';
import { SEED } from '../support/random.js';
import { counted } from '../support/trials.js';

const SEEDS = Number(process.env['LASTWORD_PRODUCER_SEEDS'] ?? 10);

test(`P1 P11: whatever four producers do and however they end, each thread has what was accepted, once and in order: ${SEEDS} seeds`, { timeout: SEEDS * 60_000 }, async ({ task }) => {
  counted(task, SEEDS);
  const lastwordUrl = stressedPackage();
  let [items, threads, late] = [0, 0, 0];
  for (let index = 0; index < SEEDS; index += 1) {
    const stressed = await stress(SEED + index, lastwordUrl);
    expect({ seed: SEED + index, ends: stressed.ends, complaints: stressed.complaints.slice(0, 10) }).toEqual({ seed: SEED + index, ends: stressed.ends, complaints: [] });
    items += stressed.items;
    threads += stressed.threads;
    late += stressed.late;
  }
  console.log(`${SEEDS} seeds: ${items} items of ${threads} threads, ${late} late`);
});

test('P1, the control: a writer that believes the published tail is found out', async () => {
  const writerUrl = mutantWriter({ file: 'src/ring/ring-consumer.js', find: 'if (sealed.length === 0)', replace: 'if (sealed.length >= 0)' });
  const { complaints } = await stress(SEED, stressedPackage(), { writerUrl, ends: 'between' });
  expect(complaints).not.toEqual([]);
});
