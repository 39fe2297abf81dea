/** Syncs that have ended are confirmed together: by one call for all of a file system, none of them by a call that came before its end. */
import { describe, expect, test } from 'vitest';
import { Confirmations } from '../../worker/confirmations.js';
import type { Clock, FsOps } from '../../worker/seams.js';

/** A file system of which each descriptor answers as `answers` says, and true where it says nothing; and a clock that is set by hand. */
function set(answers: Readonly<Record<number, boolean | Error>> = {}) {
  const asked: number[] = [];
  const timers: (() => void)[] = [];
  const fs = {
    confirmSyncs: (descriptor: number): boolean => {
      asked.push(descriptor);
      const answer = answers[descriptor] ?? true;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as Partial<FsOps> as FsOps;
  const clock = {
    after: (_ms: number, callback: () => void) => {
      timers.push(callback);
      return () => { timers.splice(timers.indexOf(callback), 1); };
    },
  } as Partial<Clock> as Clock;
  return { asked, timers, confirmations: new Confirmations(fs, clock) };
}

describe('confirmations', () => {
  test('P3: one call is for all syncs of a file system that ended before it, another for each other file system', async () => {
    const { asked, confirmations } = set();
    const all = [[1, 10], [2, 20], [3, 10], [4, 20]].map(([descriptor = 0, dev = 0]) => confirmations.confirmed(descriptor, dev));
    expect(asked).toEqual([]);
    confirmations.now();
    await Promise.all(all);
    expect(asked).toEqual([1, 2]);
  });

  test('P3: a sync that ends after a call needs another', async () => {
    const { asked, confirmations } = set();
    const first = confirmations.confirmed(1, 10);
    confirmations.now();
    const second = confirmations.confirmed(2, 10);
    await first;
    expect(asked).toEqual([1]);
    confirmations.now();
    await second;
    expect(asked).toEqual([1, 2]);
  });

  test('P3: where a file cannot tell, the next one is asked; where none can, the syncs are believed', async () => {
    const some = set({ 1: false, 2: false });
    const all = [1, 2, 3, 4].map((descriptor) => some.confirmations.confirmed(descriptor, 10));
    some.confirmations.now();
    await Promise.all(all);
    expect(some.asked).toEqual([1, 2, 3]);

    const none = set({ 1: false });
    const one = none.confirmations.confirmed(1, 10);
    none.confirmations.now();
    await one;
    expect(none.asked).toEqual([1]);
  });

  test('P9: where the file system has given up writing, all of its syncs have failed, and none of another', async () => {
    const error = Object.assign(new Error('EROFS'), { code: 'EROFS' });
    const { confirmations } = set({ 2: error });
    const all = Promise.allSettled([[1, 10], [2, 20], [3, 20]].map(([descriptor = 0, dev = 0]) => confirmations.confirmed(descriptor, dev)));
    confirmations.now();
    expect((await all).map((each) => (each.status === 'rejected' ? each.reason : each.status))).toEqual(['fulfilled', error, error]);
  });

  test('a sync does not wait for one that hangs: a timer confirms it, as a full batch does', async () => {
    const { asked, confirmations, timers } = set();
    const one = confirmations.confirmed(1, 10);
    expect(timers).toHaveLength(1);
    timers[0]?.();
    await one;
    expect([asked, timers]).toEqual([[1], []]);
    await Promise.all(Array.from({ length: 32 }, (_none, index) => confirmations.confirmed(index, 10)));
    expect([asked.length, timers]).toEqual([2, []]);
  });
});
