/** The schedules of the shipped ring, its doorbell and its seal, up to two or three preemptions. */
import { describe, expect, test } from 'vitest';
import { exploreRing, type RingScenario } from '../support/ring-model.js';
import type { Patch } from '../support/transform.js';

/** Positions pass from the largest to the smallest number, and the ring from its end to its beginning. */
const BEFORE_WRAP = (2 ** 31 - 64) | 0;

/** Where one more takes long, and shows nothing that others do not: test:faults has it. */
const PREEMPTIONS = Number(process.env['LASTWORD_PREEMPTIONS'] ?? 2);

const SCENARIOS = {
  'a writer that parks misses no append': { ringBytes: 256, overflowBytes: 0, origin: 0, items: [[32, 8, 32]] },
  'frames keep their order and bytes where ring and positions begin again': {
    ringBytes: 256, overflowBytes: 0, origin: BEFORE_WRAP, items: [[4, 32, 4, 32, 4]], prefilled: 3,
  },
  'a producer of a full ring is woken when there is room': {
    ringBytes: 128, overflowBytes: 0, origin: BEFORE_WRAP, items: [[0, 0, 0, 0, 0, 0, 0]], prefilled: 5,
  },
  'a producer that was refused learns of room, though it does not wake the writer': {
    ringBytes: 128, overflowBytes: 0, origin: 0, items: [[0, 0, 32, 0, 0, 0]], prefilled: 3, wakesWhenFull: false, preemptionsMax: 2,
  },
  'a group is accepted and published as one': {
    ringBytes: 512, overflowBytes: 96, origin: 256, items: [[8, 4, 40, 8]], group: 2, closers: 1, preemptionsMax: PREEMPTIONS,
  },
  'items that find the ring full, or are too large for it, keep their order': {
    ringBytes: 128, overflowBytes: 96, origin: 0, items: [[32, 0, 32]], prefilled: 1,
  },
  'a seal and an append agree on what was accepted': { ringBytes: 256, overflowBytes: 0, origin: 0, items: [[8, 8]], closers: 1 },
  'a seal wakes a producer that waits for room': {
    ringBytes: 128, overflowBytes: 0, origin: 0, items: [[0, 0, 0, 0, 0, 0]], prefilled: 5, closers: 1, preemptionsMax: 2,
  },
  'two closers of a thread both learn that it is drained': {
    ringBytes: 256, overflowBytes: 0, origin: 0, items: [[8]], closers: 2, preemptionsMax: 2,
  },
  'what is accepted and not published is written once its thread is sealed': {
    ringBytes: 256, overflowBytes: 0, origin: BEFORE_WRAP, items: [[8, 4, 8]], standsAfter: 2, closers: 1,
  },
  'a group that is accepted and not published is written once its thread is sealed': {
    ringBytes: 512, overflowBytes: 0, origin: 256, items: [[8, 4, 8, 4]], group: 2, standsAfter: 4, closers: 1, preemptionsMax: 2,
  },
  'what is accepted in the arena and not published is written once its thread is sealed': {
    ringBytes: 128, overflowBytes: 96, origin: 0, items: [[32, 0, 32]], prefilled: 1, standsAfter: 3, closers: 1, preemptionsMax: 2,
  },
  'two producers wake one writer': { ringBytes: 256, overflowBytes: 0, origin: 0, items: [[8], [8]], preemptionsMax: 2 },
} as const satisfies Record<string, RingScenario>;

interface Mutant {
  readonly bug: string;
  readonly caughtBy: keyof typeof SCENARIOS;
  readonly as: RegExp;
  readonly patches: readonly Patch[];
}

const ASLEEP = /^asleep for ever/;
const TOUCHED = /touches bytes while thread/;

/** Bugs of the kind the protocol excludes, put into the shipped source. */
const MUTANTS: readonly Mutant[] = [
  {
    bug: 'a frame published before it is filled',
    caughtBy: 'a writer that parks misses no append',
    as: TOUCHED,
    patches: [{
      file: 'ring-producer.ts',
      find: 'producer.claimEnd = (position + bytes) | 0;',
      replace: 'producer.claimEnd = (position + bytes) | 0;\n  Atomics.store(producer.memory.control, TAIL_WORD, producer.claimEnd);',
    }],
  },
  {
    bug: 'a writer that parks without a second look',
    caughtBy: 'a writer that parks misses no append',
    as: ASLEEP,
    patches: [{ file: 'doorbell.ts', find: 'if (hasPublished(ring)) isWork = true;', replace: '' }],
  },
  {
    bug: 'a writer that says it parks only after its second look',
    caughtBy: 'a writer that parks misses no append',
    as: ASLEEP,
    patches: [
      { file: 'doorbell.ts', find: 'Atomics.store(sidecar.words, WRITER_PARKED_WORD, 1);', replace: '' },
      {
        file: 'doorbell.ts',
        find: 'Atomics.add(sidecar.words, PARKS_WORD, 1);',
        replace: 'Atomics.store(sidecar.words, WRITER_PARKED_WORD, 1);',
      },
    ],
  },
  {
    bug: 'a writer that sleeps without comparing the generation it read first',
    caughtBy: 'a writer that parks misses no append',
    as: ASLEEP,
    patches: [{
      file: 'doorbell.ts',
      find: 'Atomics.waitAsync(sidecar.words, WRITER_GENERATION_WORD, generation)',
      replace: 'Atomics.waitAsync(sidecar.words, WRITER_GENERATION_WORD, Atomics.load(sidecar.words, WRITER_GENERATION_WORD))',
    }],
  },
  {
    bug: 'a doorbell that notifies without a bump',
    caughtBy: 'a writer that parks misses no append',
    as: ASLEEP,
    patches: [{ file: 'doorbell.ts', find: 'Atomics.add(sidecar.words, WRITER_GENERATION_WORD, 1);', replace: '' }],
  },
  {
    bug: 'a producer that sleeps without comparing the generation it read first',
    caughtBy: 'a producer of a full ring is woken when there is room',
    as: ASLEEP,
    patches: [{
      file: 'doorbell.ts',
      find: 'Atomics.wait(memory.control, PRODUCER_GENERATION_WORD, generation, timeoutMs)',
      replace: 'Atomics.wait(memory.control, PRODUCER_GENERATION_WORD, Atomics.load(memory.control, PRODUCER_GENERATION_WORD), timeoutMs)',
    }],
  },
  {
    bug: 'a head that moves without a bump of the producer\'s generation',
    caughtBy: 'a producer of a full ring is woken when there is room',
    as: ASLEEP,
    patches: [{ file: 'doorbell.ts', find: 'Atomics.add(memory.control, PRODUCER_GENERATION_WORD, 1);', replace: '' }],
  },
  {
    bug: 'a writer that lets go of frames before it has read them',
    caughtBy: 'frames keep their order and bytes where ring and positions begin again',
    as: TOUCHED,
    patches: [{
      file: 'ring-consumer.ts',
      find: 'batch.head = position;',
      replace: 'batch.head = position;\n  Atomics.store(memory.control, HEAD_WORD, position);',
    }],
  },
  {
    bug: 'an exchange that is a load and a store',
    caughtBy: 'a seal and an append agree on what was accepted',
    as: ASLEEP,
    patches: [{
      file: 'slots.ts',
      find: 'return Atomics.compareExchange(sidecar.words, wordOf(slot, SEAL_WORD), seen, seen + items) === seen;',
      replace: 'if (Atomics.load(sidecar.words, wordOf(slot, SEAL_WORD)) !== seen) return false;\n'
        + 'Atomics.store(sidecar.words, wordOf(slot, SEAL_WORD), seen + items);\nreturn true;',
    }],
  },
  {
    bug: 'a seal that is looked at for each frame behind the tail, and not before it',
    caughtBy: 'a seal and an append agree on what was accepted',
    as: /order/,
    patches: [
      { file: 'ring-consumer.ts', find: '  if (sealed.length === 0) return;\n  walk(consumer, batch, bytesMax);\n', replace: '' },
      { file: 'ring-consumer.ts', find: 'for (const address of wholeBehind(consumer, batch)) {', replace: 'for (const address of whole) {' },
      { file: 'ring-consumer.ts', find: 'if (isOwed) take(', replace: 'const now = sealWordOf(sidecar, memory.words[word + FRAME_SLOT_WORD] ?? 0);\n    if (isOwed || (now < 0 && count < acceptedIn(now))) take(' },
    ],
  },
  {
    bug: 'a writer that believes the published tail',
    caughtBy: 'what is accepted and not published is written once its thread is sealed',
    as: ASLEEP,
    patches: [{ file: 'ring-consumer.ts', find: 'if (sealed.length === 0) return;', replace: 'if (sealed.length >= 0) return;' }],
  },
  {
    bug: 'a frame that is accepted before it is whole',
    caughtBy: 'what is accepted and not published is written once its thread is sealed',
    as: ASLEEP,
    patches: [{ file: 'frame.ts', find: 'words[word + FRAME_COUNT_WORD] = count;\n  Atomics.store(words, word + FRAME_STAMP_WORD, stampOf(position));', replace: 'words[word + FRAME_COUNT_WORD] = count;' }],
  },
  {
    bug: 'a late frame that is published as if it were accepted',
    caughtBy: 'a seal and an append agree on what was accepted',
    as: ASLEEP,
    patches: [{ file: 'frame.ts', find: 'Atomics.store(memory.words, (address >>> 2) + FRAME_KIND_WORD, FRAME_PADDING);', replace: '' }],
  },
  {
    bug: 'a run that ends while frames wait in the arena',
    caughtBy: 'items that find the ring full, or are too large for it, keep their order',
    as: /order|asleep|touches/,
    patches: [{
      file: 'ring-producer.ts', find: 'Atomics.load(memory.control, ARENA_HEAD_WORD) !== producer.arenaTail', replace: 'false',
    }],
  },
  {
    bug: 'a look at the mark of a run before the tail of the arena',
    caughtBy: 'items that find the ring full, or are too large for it, keep their order',
    as: /order/,
    patches: [
      // Each run where the last one ended: else the start of the run hides what the mutant reads too early.
      { file: 'ring-producer.ts', find: '(producer.arenaTail + (-producer.arenaTail & (arenaBytes - 1))) | 0', replace: 'producer.arenaTail' },
      {
        file: 'ring-consumer.ts',
        find: 'const arenaTail = Atomics.load(memory.control, ARENA_TAIL_WORD);\n      if (Atomics.load(memory.words, word + LINK_FINISHED_WORD) === 0) {',
        replace: 'const finished = Atomics.load(memory.words, word + LINK_FINISHED_WORD);\n'
          + 'const arenaTail = Atomics.load(memory.control, ARENA_TAIL_WORD);\nif (finished === 0) {',
      },
    ],
  },
];

describe('the ring, explored', () => {
  test.each(Object.entries<RingScenario>(SCENARIOS))('%s', (name, scenario) => {
    const { violation, isExhausted, schedules, states } = exploreRing(scenario);
    const { preemptionsMax = 3 } = scenario;
    const how = isExhausted ? 'exhausted' : 'capped';
    console.log(`${name}: ${schedules} schedules, ${states} states, ${preemptionsMax} preemptions, ${how}`);
    expect(violation === undefined ? '' : [violation.message, ...violation.trace].join('\n')).toBe('');
  });

  test.each(MUTANTS.map((mutant) => [mutant.bug, mutant] as const))('catches %s', (bug, { caughtBy, as, patches }) => {
    const { violation, schedules } = exploreRing({ ...SCENARIOS[caughtBy], patches });
    console.log(`${bug}: ${violation === undefined ? 'missed' : 'caught'} in ${schedules} schedules`);
    expect(violation?.message).toMatch(as);
  });
});
