/** A close and what comes at the same time. One checker for all: accepted is on disk, late is counted, nothing is said at warn, nothing is left. */
import { describe, expect, test } from 'vitest';
import { complaintsOf } from '../support/ledger.js';
import { DROPS_A_FRAME, mutantPackage, type Patch } from '../support/mutants.js';
import { RACES } from '../support/races.js';

describe('reports of a thread that is gone, or a channel that is closed, when its last items come', () => {
  for (const [name, race] of Object.entries(RACES)) {
    test(name, async () => {
      expect(await complaintsOf(race)).toEqual([]);
    });
  }
});

describe('the control: the same checker hears', () => {
  const LATE_COUNT = { file: 'src/thread.js', find: '#countLate(items) {' };

  const FOUR = 'a close, a resume, a delete and an archive at once, in every order, each answer, and lose nothing';

  test.each<[string, Patch, keyof typeof RACES, string]>([
    ['a package that logs what is late at error', {
      file: 'src/sidecar.js', find: 'this.log.debug({ threadId: thread.id, items, late: thread.late }', replace: 'this.log.error({ threadId: thread.id, items, late: thread.late }',
    }, 'a terminal event delayed until after the close is late, counted and said at debug', 'logged at error: late'],
    ['a package whose append throws when its thread is gone', {
      ...LATE_COUNT, replace: `${LATE_COUNT.find}\n        throw new Error('thread not found');`,
    }, 'a child that is closed while it streams, with nobody waiting for its agent, is late with it', 'the race threw Error: thread not found'],
    ['a package that counts a late group as one item', {
      ...LATE_COUNT, replace: `${LATE_COUNT.find}\n        items = 1;`,
    }, 'a compaction of 2 MB that is not tracked is late as a whole behind the seal', 'stats().items'],
    ['a package that does not wait for tracked work', {
      file: 'src/lifecycle/thread-close.js', find: 'plan.waitForTracked)', replace: 'false)',
    }, 'a child that is closed while it streams has its last word', 'items of the stream that were taken'],
    ['a package that keeps a part of a group behind the seal', {
      file: 'src/thread.js', find: 'if (this.progress.isSealed)\n            return this.#countLate(items.length);',
      replace: 'if (this.progress.isSealed)\n            return this.progress.base + this.progress.acceptedCount;',
    }, 'a compaction of 2 MB that is not tracked is late as a whole behind the seal', 'the group: 2, and should be -1'],
    ['a package whose stale handles look at the slot, not at their tombstone', {
      file: 'src/lifecycle/progress.js', find: 'return this.#tombstone !== undefined || sealWordOf', replace: 'return sealWordOf',
    }, 'a stale handle answers every method in every order, and touches no other thread', 'of the stale handle in'],
    ['a package that takes what comes after its close for an error', {
      file: 'src/sidecar.js', find: 'this.#lateNotices.add(thread.id, items);',
      replace: 'this.#lateNotices.add(thread.id, items);\n        if (this.state === \'closed\') this.log.warn({ threadId: thread.id }, \'channel closed\');',
    }, 'legacy events after the sidecar\'s own close are late and nothing else', 'logged at warn: channel closed'],
    ['a package whose resume of a closing thread gives the old handle', {
      file: 'src/lifecycle/registry.js', find: "if (live?.state === 'open')", replace: 'if (live !== undefined)',
    }, 'a resume before or behind a close, a delete and an archive sees what that one left', 'behind a close'],
    ['a package whose operations on one thread do not wait for each other', {
      file: 'src/lifecycle/operations.js', find: 'before.length === 0 ?', replace: 'before.length >= 0 ?',
    }, FOUR, 'deleteThread, archiveThread, close, resume'],
    ['a package that closes again for whoever asks', {
      file: 'src/lifecycle/shared-promise.js', find: 'if (this.#promise !== undefined)', replace: 'if (this.#promise === null)',
    }, 'closes that race each other are one close', 'closes of the'],
    ['a package that does not look whether the parent still is open', {
      file: 'src/lifecycle/registry.js', find: "if (parent?.state !== 'open' || !this.#family.isHead(parent))", replace: 'if (parent === undefined)',
    }, 'a parent that is closed while children spawn closes those that were on the way, and refuses the others', 'spawns behind the beginning of the close'],
    ['a writer that drops one frame of the thousand', DROPS_A_FRAME,
      '1,000 children closed at once with 10,000 appends in flight keep all of them, and what comes before their seal', '1 threads have items that were not acknowledged'],
    ['a writer that leaves a lease', {
      file: 'worker/lease/leases.js', find: 'removeFile(this.#parts.fs, lock);', replace: 'if ((globalThis.hits = (globalThis.hits ?? 0) + 1) > 1) removeFile(this.#parts.fs, lock);',
    }, 'a compaction of 2 MB is all or nothing when the close comes behind it, or into the middle of it', '.lock'],
    ['a package whose first owner closes for all', {
      file: 'src/open-thread.js', find: 'if (this.#claims <= 0)', replace: 'if (this.#claims <= 1)',
    }, 'two `await using` owners of one resumed thread: the last one closes', 'when one owner is gone'],
  ])('%s', async (_what, patch, race, complaint) => {
    const { lastwordUrl } = mutantPackage(patch);
    expect(await complaintsOf(RACES[race], { closeTimeoutMs: 4_000 }, lastwordUrl)).toContainEqual(expect.stringContaining(complaint));
  });
});
