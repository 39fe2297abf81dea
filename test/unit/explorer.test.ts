/** The explorer finds what is known to be wrong, and nothing in what is known to be right. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { explore, runAlone, type Exploration } from '../support/explorer.js';
import { ATOMICS, settle, type Simulation } from '../support/simulated-memory.js';
import { SimulatedSource, type Patch } from '../support/transform.js';

const FILE = fileURLToPath(new URL('../fixtures/explorer/small-ring.ts', import.meta.url));
const VALUES = [11, 12, 13];

/** The bug of stop() repaired: it bumps the word that the sleeper sleeps on. */
const REPAIR: Patch = { file: 'small-ring.ts', find: 'Atomics.notify(words, GENERATION);', replace: 'wake(words, GENERATION);' };

function exploreRing(patches: readonly Patch[], preemptionsMax: number): Exploration {
  const ring = new SimulatedSource([FILE], patches).load<typeof import('../fixtures/explorer/small-ring.js')>(FILE);
  const words = new Int32Array(new SharedArrayBuffer(64));
  return explore({
    count: 2,
    preemptionsMax,
    start: () => {
      const out: number[] = [];
      function* producer(): Simulation<void> {
        for (const value of VALUES) yield* ring.push(words, value);
        yield* ring.stop(words);
      }
      return { threads: { producer: producer(), consumer: ring.drain(words, out) }, atEnd: () => expect(out).toEqual(VALUES) };
    },
  });
}

describe('the explorer', () => {
  test('finds a wake-up that is lost, and names who sleeps', () => {
    const { violation, schedules } = exploreRing([], 3);
    expect(violation?.message).toBe('asleep for ever: producer, consumer');
    expect(violation?.trace.some((line) => line.startsWith('consumer: wait'))).toBe(true);
    console.log(`lost wake-up found in ${schedules} schedules`);
  });

  test('exhausts the repaired ring and finds nothing', () => {
    for (const preemptionsMax of [0, 1, 2, 3, 4]) {
      const { violation, isExhausted, schedules, states } = exploreRing([REPAIR], preemptionsMax);
      expect(violation?.message).toBeUndefined();
      expect(isExhausted).toBe(true);
      console.log(`small ring, ${preemptionsMax} preemptions: ${schedules} schedules, ${states} states, exhausted`);
    }
  });

  test('finds a payload that is published before it is there', () => {
    const early = {
      file: 'small-ring.ts',
      find: 'words[SLOTS + (tail % SLOTS_MAX)] = value;\n      Atomics.store(words, TAIL, tail + 1);',
      replace: 'Atomics.store(words, TAIL, tail + 1);\n      words[SLOTS + (tail % SLOTS_MAX)] = value;',
    };
    expect(exploreRing([REPAIR, early], 3).violation?.message).toMatch(/touches bytes while thread/);
  });

  test('finds a slot that is used again before it was read', () => {
    const greedy = { file: 'small-ring.ts', find: 'tail - head < SLOTS_MAX', replace: 'tail - head < SLOTS_MAX + 1' };
    expect(exploreRing([REPAIR, greedy], 3).violation?.message).toMatch(/expected \[.*\] to deeply equal/);
  });

  test('finds a stop that does not look again', () => {
    const hasty = { file: 'small-ring.ts', find: ' && Atomics.load(words, TAIL) === head', replace: '' };
    expect(exploreRing([REPAIR, hasty], 3).violation?.message).toMatch(/expected \[.*\] to deeply equal/);
  });

  test('finds a loop that never ends', () => {
    const spin = { file: 'small-ring.ts', find: 'Atomics.wait(words, STOPPED, 0);', replace: ';' };
    // A spinning thread makes progress only when it is interrupted.
    expect(exploreRing([REPAIR, spin], 0).violation?.message).toBe('a loop that never ends');
  });

  test('refuses a patch that does not apply exactly once', () => {
    const gone = { file: 'small-ring.ts', find: 'Atomics.sleep', replace: '' };
    expect(() => exploreRing([gone], 0)).toThrow('occurs 0 times');
    const twice = { file: 'small-ring.ts', find: 'Atomics.load(words, TAIL)', replace: '' };
    expect(() => exploreRing([twice], 0)).toThrow('occurs 3 times');
    expect(() => exploreRing([{ ...twice, file: 'other.ts' }], 0)).toThrow('no such file');
  });
});

describe('a simulated wait', () => {
  /** Two threads over one word: what the first sees of what the second stored plainly. */
  function exploreWait(isOrdered: boolean): Exploration {
    const words = new Int32Array(new SharedArrayBuffer(64));
    return explore({
      count: 2,
      start: () => {
        runAlone(operation(ATOMICS.store(words, 0, 7)));
        function* waiter(): Simulation<void> {
          const wait = (yield ATOMICS.waitAsync(words, 0, 7)) as ReturnType<typeof Atomics.waitAsync>;
          yield* settle(wait);
          if (isOrdered) expect(yield ATOMICS.load(words, 1)).toBe(9);
        }
        function* waker(): Simulation<void> {
          if (isOrdered) yield ATOMICS.store(words, 1, 9);
          if (isOrdered) yield ATOMICS.add(words, 0, 1);
          yield ATOMICS.notify(words, 0);
        }
        return { threads: { waiter: waiter(), waker: waker() }, atEnd: () => undefined };
      },
    });
  }

  test('ends by a notify that follows a bump of its word', () => {
    const { violation, isExhausted } = exploreWait(true);
    expect(violation?.message).toBeUndefined();
    expect(isExhausted).toBe(true);
  });

  test('is never ended by a notify that came before it', () => {
    expect(exploreWait(false).violation?.message).toBe('asleep for ever: waiter');
  });
});

function* operation(op: ReturnType<typeof ATOMICS.store>): Simulation<void> {
  yield op;
}
