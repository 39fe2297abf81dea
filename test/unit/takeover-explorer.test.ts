/** The schedules in which the writer dies, over the shipped ring, parking area, slots and doorbell. */
import { describe, expect, test } from 'vitest';
import { exploreTakeover, type SuccessorBug, type TakeoverScenario } from '../support/takeover-model.js';
import type { Patch } from '../support/transform.js';

const SCENARIOS = {
  'a successor loses nothing and writes nothing twice': {
    ringBytes: 512, overflowBytes: 0, items: [[0, 8], [1, 0], [0, 0]], prefilled: 1,
  },
  'a successor finds the run in the arena': {
    ringBytes: 128, overflowBytes: 128, items: [[0, 32], [0, 0], [1, 32]], prefilled: 1, preemptionsMax: 1,
  },
  'frames that are parked are written by a successor': {
    ringBytes: 512, overflowBytes: 0, items: [[0, 0], [1, 0], [0, 32]], prefilled: 2, disk: [['fails', 0], ['heals', 0]], preemptionsMax: 1,
  },
  'a log that is full is cleaned, and the successor finds what was being moved': {
    ringBytes: 512, overflowBytes: 0, arenaBytes: 256, items: [[0, 0], [1, 32], [1, 32], [1, 64]], prefilled: 3,
    disk: [['fails', 0], ['fails', 1], ['heals', 1], ['fails', 1], ['heals', 1], ['heals', 0]], preemptionsMax: 1,
  },
  'a flush of a dead writer is answered by the next': {
    ringBytes: 512, overflowBytes: 0, items: [[0, 0], [0, 0]], prefilled: 1, flushed: [0], preemptionsMax: 1,
  },
} as const satisfies Record<string, TakeoverScenario>;

interface Mutant {
  readonly bug: string;
  readonly caughtBy: keyof typeof SCENARIOS;
  readonly as: RegExp;
  readonly patches?: readonly Patch[];
  readonly successorBug?: SuccessorBug;
}

const ASLEEP = /^asleep for ever/;

const MUTANTS: readonly Mutant[] = [
  {
    bug: 'a head that moves before the write',
    caughtBy: 'a successor loses nothing and writes nothing twice',
    as: /touches|next item|asleep/,
    patches: [{ file: 'ring-consumer.ts', find: 'batch.head = position;', replace: 'batch.head = position;\n  Atomics.store(memory.control, HEAD_WORD, position);' }],
  },
  {
    bug: 'an arena\'s head that moves before the write',
    caughtBy: 'a successor finds the run in the arena',
    as: /touches|next item|asleep/,
    patches: [{ file: 'ring-consumer.ts', find: 'batch.arenaHead = position;', replace: 'batch.arenaHead = position;\n  Atomics.store(memory.control, ARENA_HEAD_WORD, position);' }],
  },
  {
    bug: 'a consumer that begins at the arena\'s tail',
    caughtBy: 'a successor finds the run in the arena',
    as: /next item|asleep/,
    patches: [{ file: 'ring-consumer.ts', find: 'arenaHead: Atomics.load(memory.control, ARENA_HEAD_WORD),', replace: 'arenaHead: Atomics.load(memory.control, ARENA_TAIL_WORD),' }],
  },
  {
    bug: 'a tail of the log stored before the frame is copied',
    caughtBy: 'frames that are parked are written by a successor',
    as: /payload|asleep|next item/,
    patches: [{
      file: 'parking.ts',
      find: 'memory.copyWithin(address, from, from + bytes);\n    this.#tail = (this.#tail + bytes) | 0;\n    Atomics.store(control, PARKING_TAIL_WORD, this.#tail);',
      replace: 'this.#tail = (this.#tail + bytes) | 0;\n    Atomics.store(control, PARKING_TAIL_WORD, this.#tail);\n    memory.copyWithin(address, from, from + bytes);',
    }],
  },
  {
    bug: 'a head of the log that passes what is not written',
    caughtBy: 'a log that is full is cleaned, and the successor finds what was being moved',
    as: /next item|asleep|payload/,
    patches: [{ file: 'parking.ts', find: 'this.#frames[passed]?.isWritten === true', replace: 'this.#frames[passed] !== undefined' }],
  },
  {
    bug: 'a frame of the log given back before it is moved',
    caughtBy: 'a log that is full is cleaned, and the successor finds what was being moved',
    as: /next item|asleep|payload|kind/,
    patches: [{
      file: 'parking.ts',
      find: 'first.address = this.#copy(first.address, first.bytes).address;',
      replace: 'this.#passWritten();\n      first.address = this.#copy(first.address, first.bytes).address;',
    }],
  },
  {
    bug: 'a successor that believes the watermark',
    caughtBy: 'a successor loses nothing and writes nothing twice', as: /nothing is written twice/, successorBug: 'believes the watermark',
  },
  { bug: 'a successor that wakes nobody', caughtBy: 'a successor loses nothing and writes nothing twice', as: ASLEEP, successorBug: 'wakes nobody' },
  {
    bug: 'a successor that ignores the log',
    caughtBy: 'frames that are parked are written by a successor', as: /frames left in the log/, successorBug: 'ignores the log',
  },
  {
    bug: 'a successor that adopts a frame twice',
    caughtBy: 'a log that is full is cleaned, and the successor finds what was being moved', as: /next item/, successorBug: 'adopts twice',
  },
  {
    bug: 'a successor that forgets the requests of others',
    caughtBy: 'a flush of a dead writer is answered by the next', as: ASLEEP, successorBug: 'forgets requests',
  },
  {
    bug: 'a flush that does not count its request',
    caughtBy: 'a flush of a dead writer is answered by the next', as: ASLEEP,
    patches: [{ file: 'doorbell.ts', find: 'Atomics.add(sidecar.words, SYNC_REQUESTS_WORD, 1);', replace: '' }],
  },
  {
    bug: 'a wanted word that is not raised',
    caughtBy: 'a flush of a dead writer is answered by the next', as: ASLEEP,
    patches: [{ file: 'slots.ts', find: 'seen >= value ||', replace: 'seen <= value ||' }],
  },
];

describe('a writer that dies, explored', () => {
  test.each(Object.entries<TakeoverScenario>(SCENARIOS))('%s', (name, scenario) => {
    const { violation, isExhausted, schedules, states } = exploreTakeover(scenario);
    const { preemptionsMax = 2 } = scenario;
    console.log(`${name}: ${schedules} schedules, ${states} states, ${preemptionsMax} preemptions, ${isExhausted ? 'exhausted' : 'capped'}`);
    expect(violation === undefined ? '' : [violation.message, ...violation.trace].join('\n')).toBe('');
  });

  test.each(MUTANTS.map((mutant) => [mutant.bug, mutant] as const))('catches %s', (bug, { caughtBy, as, patches = [], successorBug }) => {
    const { violation, schedules } = exploreTakeover({ ...SCENARIOS[caughtBy], patches, ...(successorBug === undefined ? {} : { successorBug }) });
    console.log(`${bug}: ${violation === undefined ? 'missed' : 'caught'} in ${schedules} schedules: ${violation?.message ?? ''}`);
    expect(violation?.message).toMatch(as);
  });
});
