/** The last drain where the writer or its disk fails: a writer that is dead, stuck or slow, a full disk, a sync that is due. */
import { describe, expect, test } from 'vitest';
import { expectKept, lostOf, runHost, type Scenario } from '../support/exits/run.js';
import { errorsOf, expectSalvaged, unwrittenOf } from '../support/exits/salvaged.js';
import { mutantPackage, mutantWriter } from '../support/mutants.js';
import { recordsOf, upTo } from '../support/sidecars.js';

/** Hosts of which one has a writer that dies within a line. */
const HOSTS_TORN = 5;
/** A pass that throws when it has written and said so, and not yet let go of the frames. */
const THROWS_BEFORE_RELEASE = {
  file: 'worker/writer.js', find: 'release(consumer, batch);', replace: "if (batch.frames > 1) throw new Error('the pass fails');\n        release(consumer, batch);",
};

describe('P5: a writer that dies', () => {
  const DEATHS = ['before a write', 'within a write', 'after a write', 'throws between two passes'];
  const MOMENTS: readonly [string, Partial<Scenario>][] = [
    ['before the end, with nobody told', {}],
    ['before the end, which the host has heard of', { waitsForExitEvent: true }],
    ['about when the process ends', { isDeathAwaited: false }],
  ];

  test.each(DEATHS.flatMap((death) => MOMENTS.map(([moment, scenario]) => [death, moment, scenario] as const)))(
    '(%s), %s: main makes its pass, and nothing is lost or doubled', async (death, _moment, scenario) => {
      const ended = await runHost({ end: 'process.exit()', burst: 'spills', isFlushedFirst: true, death, ...scenario });
      expect(ended).toMatchObject({ code: 3, signal: null, isOverdue: false, stdout: 'the host was here\n' });
      await expectKept(ended, death);
      expect(unwrittenOf(ended)).toEqual([]);
    });

  test.each<[string, number]>([
    ['end of the loop', 0], ['uncaught exception', 1], ['uncaughtException handler that throws', 7], ['exit listener that appends', 3],
    ['uncaught exception that the host hears, appends and exits', 6], ['stack overflow', 1],
    ['process.exit() in the tick of close()', 3], ['process.exit() out of an item that is being appended', 3],
  ])('within a write, and then %s: the same', async (end, code) => {
    const ended = await runHost({ end, burst: 'spills', death: 'within a write', options: { ringBytes: 8 * 1024 * 1024, overflowBytes: 8 * 1024 * 1024 } });
    expect(ended).toMatchObject({ code, isOverdue: false });
    await expectKept(ended, end);
  });

  test.each<[string, Partial<Scenario>]>([
    ['of threads that were resumed', { isResumed: true }],
    ['of a line that takes many writes', { burst: 'large', threadsEach: 1, options: { overflowBytes: 32 * 1024 * 1024 } }],
    ['with durability synced', { options: { durability: 'synced' } }],
  ])('within a write or after it %s: the same', async (_what, more) => {
    const deaths = ['within a write', 'after a write'];
    const ended = await Promise.all(deaths.map((death) => runHost({ end: 'process.exit()', burst: 'spills', death, ...more })));
    for (const one of ended) {
      expect(one).toMatchObject({ code: 3, isOverdue: false });
      await expectKept(one, 'dead');
    }
  });

  test.each<[string, Partial<Scenario>]>([['nobody told', {}], ['the host told', { waitsForExitEvent: true }]])(
    'within a write, with %s, and then a signal of option signals: the same', async (_what, more) => {
      const ended = await runHost({ end: 'signal', signal: 'SIGTERM', burst: 'spills', death: 'within a write', options: { signals: ['SIGTERM'] }, ...more });
      expect(ended).toMatchObject({ code: null, signal: 'SIGTERM', isOverdue: false });
      await expectKept(ended, 'SIGTERM');
    });

  test('while an append waits for room: another writer makes room, and nothing is lost or doubled', async () => {
    const ended = await runHost({ end: 'process.exit()', burst: 'flood', death: 'within a write', isTellingAtExit: true });
    expect(ended).toMatchObject({ code: 3, isOverdue: false });
    await expectKept(ended, 'flood');
  });

  test('of its own pass, behind the write and before it lets go of the frames: they are not written again', async () => {
    const writerUrl = mutantWriter(THROWS_BEFORE_RELEASE).href;
    const ended = await runHost({ end: 'process.exit()', burst: 'spills', writerUrl });
    expect(ended).toMatchObject({ code: 3, isOverdue: false, stderr: '' });
    await expectKept(ended, 'a pass that fails');
  });

  test('with durability synced, and main\'s sync fails: every file is tried, and the log names what is not known to be on disk', async () => {
    const { lastwordUrl } = mutantPackage({
      file: 'worker/fs-ops.js', find: 'fs.fdatasyncSync(descriptor);', replace: "throw Object.assign(new Error('EIO'), { code: 'EIO', errno: -5 });",
    });
    const ended = await runHost({ end: 'process.exit()', burst: 'spills', death: 'after a write', lastwordUrl, options: { durability: 'synced' } });
    expect(ended).toMatchObject({ code: 3, isOverdue: false });
    await expectKept(ended, 'a sync that fails');
    const failed = errorsOf(ended).filter(({ code }) => code === 'LASTWORD_SYNC_FAILED');
    expect(failed.map(({ unwritten }) => unwritten)).toEqual([[expect.objectContaining({ to: expect.any(Number) as number })], [expect.objectContaining({ to: expect.any(Number) as number })]]);
    expect(unwrittenOf(ended)).toEqual([]);
  });

  test('the control: a package whose main makes no pass loses items', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'worker/standby.js', find: 'writer.pass();', replace: '' });
    const ended = await runHost({ end: 'process.exit()', burst: 'spills', death: 'before a write', lastwordUrl });
    expect(await lostOf(ended)).toBeGreaterThan(0);
    expect(unwrittenOf(ended)).toHaveLength(2);
  });

  test('the control: a package whose main believes the watermark, not the file, doubles items', async () => {
    const { lastwordUrl } = mutantPackage({
      file: 'worker/takeover.js', find: 'const written = end.nextOrdinal - file.base;', replace: 'const { written } = file;',
    });
    const ended = await runHost({ end: 'process.exit()', burst: 'spills', death: 'after a write', lastwordUrl });
    await expect(expectKept(ended, 'doubled')).rejects.toThrow(/damage|records of thread/);
  });

  test('the control: a package whose main leaves the torn line of the dead writer damages the file', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'worker/recovery/resume-rollout.js', find: 'fs.truncate(', replace: '(() => undefined)(' });
    // Half of a write may end with a line: one of some is torn.
    const damaged = async (): Promise<string> => {
      const ended = await runHost({ end: 'process.exit()', burst: 'spills', death: 'within a write', lastwordUrl });
      return expectKept(ended, 'torn').then(() => '', String);
    };
    let complaint = '';
    for (let host = 0; host < HOSTS_TORN && complaint === ''; host += 1) complaint = await damaged();
    expect(complaint).toMatch(/damage|records of thread/);
  });
});

describe('P5: a disk', () => {
  test('that is slow, with more threads than files may be open: everything is written before the process ends', async () => {
    const ended = await runHost({ end: 'process.exit()', burst: 'flood', delayMs: 100, threadsEach: 4, options: { openFilesMax: 1 } });
    expect(ended).toMatchObject({ code: 3, isOverdue: false, stderr: '' });
    await expectKept(ended, 'slow');
  });

  test.each([
    ['process.exit()', 3], ['end of the loop', 0], ['uncaughtException handler that throws', 7],
  ])('that is full for a moment, by %s: everything is written before the process ends', async (end, code) => {
    const ended = await runHost({ end, burst: 'fits', isFlushedFirst: true, death: 'of a full disk', isDeathAwaited: false });
    expect(ended).toMatchObject({ code, isOverdue: false, stdout: 'the host was here\n' });
    await expectKept(ended, 'full');
  });

  test.each([
    ['process.exit()', 3], ['end of the loop', 0], ['uncaughtException handler that throws', 7],
  ])('that refuses one thread for good, by %s: it is named with its ordinals, the code is as it was, the other thread is whole', async (end, code) => {
    const ended = await runHost({ end, burst: 'fits', isFlushedFirst: true, death: 'of a read-only disk', isDeathAwaited: false });
    expect(ended).toMatchObject({ code, isOverdue: false, stdout: 'the host was here\n' });
    const { paths = [], ids = [], accepted = [] } = ended.told;
    const written = await Promise.all(paths.map(async (path) => (await recordsOf(path)).length));
    const failed = written.findIndex((records, which) => records < (accepted[which] ?? 0));
    expect(written[1 - failed]).toBe(accepted[1 - failed]);
    const [range, ...others] = unwrittenOf(ended);
    expect(range).toMatchObject({ threadId: ids[failed], from: written[failed], to: (accepted[failed] ?? 0) - 1 });
    expect(others).toEqual([]);
    await expectSalvaged(ended, end);
  });
});

describe('option exitTimeoutMs', () => {
  const stuck = { burst: 'fits', isFlushedFirst: true, isGateKept: true, options: { exitTimeoutMs: 300 } } as const;

  test.each<[string, number, number]>([
    ['process.exit()', 3, 1], ['end of the loop', 0, 1], ['uncaught exception', 1, 2], ['exit listener that appends', 3, 2],
    ['uncaughtException handler that throws', 7, 1],
  ])('P5: bounds the wait for a writer that is stuck, by %s: what is lost is named, and the code is as it was', async (end, code, errorsMax) => {
    const ended = await runHost({ end, ...stuck });
    expect(ended).toMatchObject({ code, signal: null, isOverdue: false, stdout: 'the host was here\n' });
    const { paths = [], ids = [], accepted = [], written = [] } = ended.told;
    // Nobody writes beside a writer that is alive.
    for (const [which, path] of paths.entries()) expect((await recordsOf(path)).map(({ ordinal }) => ordinal)).toEqual(upTo(written[which] ?? 0));
    const errors = errorsOf(ended);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.length).toBeLessThanOrEqual(errorsMax);
    expect(errors.at(-1)).toMatchObject({
      code: 'LASTWORD_DRAIN_INCOMPLETE', unwritten: ids.map((threadId, which) => ({ threadId, from: written[which], to: (accepted[which] ?? 0) - 1 })),
    });
  });

  test('P5: bounds the end of the process, not that of each sidecar in it', async () => {
    const ended = await runHost({ end: 'process.exit()', ...stuck, sidecars: 6, threadsEach: 1, options: { exitTimeoutMs: 2_500 }, childMs: 12_000 });
    expect(ended).toMatchObject({ code: 3, isOverdue: false });
    expect(unwrittenOf(ended).map(({ threadId }) => threadId).sort()).toEqual(ended.told.ids?.slice().sort());
  });

  test('P5: bounds each drain for itself: a host that survives a stuck disk is drained to the last append when it ends', async () => {
    const end = 'uncaught exception whose drain gave up, and an exit listener that appends';
    const ended = await runHost({ end, ...stuck, delayMs: 50, options: { exitTimeoutMs: 2_000 } });
    expect(ended).toMatchObject({ code: 6, isOverdue: false });
    await expectKept(ended, 'survived');
  });

  test('P5: bounds the wait for a writer that ended without a word, which nobody can tell from one that is stuck: what is lost is named', async () => {
    const ended = await runHost({ end: 'process.exit() behind worker.terminate()', ...stuck });
    expect(ended).toMatchObject({ code: 3, isOverdue: false });
    expect(await lostOf(ended)).toBe(unwrittenOf(ended).reduce((items, { from, to }) => items + to - from + 1, 0));
  });

  test('P5: with signals: a close that cannot finish names what is lost, and the process ends by the signal', async () => {
    const ended = await runHost({ end: 'signal', signal: 'SIGTERM', ...stuck, options: { ...stuck.options, signals: ['SIGTERM'], closeTimeoutMs: 300 } });
    expect(ended).toMatchObject({ code: null, signal: 'SIGTERM', isOverdue: false });
    const { ids = [], accepted = [], written = [] } = ended.told;
    const lost = ids.map((threadId, which) => ({ threadId, from: written[which], to: (accepted[which] ?? 0) - 1 }));
    // Whose time is up first is the timer's to say.
    expect(unwrittenOf(ended, 'close could not finish').toSorted((one, other) => (one.threadId < other.threadId ? -1 : 1))).toEqual(lost);
    expect(unwrittenOf(ended)).toEqual(lost);
  });

  test('P5: a logger that throws changes neither the code nor what the other sidecars say', async () => {
    const ended = await runHost({ end: 'end of the loop', ...stuck, sidecars: 2, threadsEach: 1, hasThrowingLogger: true });
    expect(ended).toMatchObject({ code: 0, isOverdue: false });
    expect(unwrittenOf(ended)).toMatchObject([{ threadId: ended.told.ids?.[1] }]);
  });

  test('the control: a package without the bound does not end', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'src/exit/exit-drain.js', find: 'if (leftMs <= 0)\n                return false;', replace: 'if (leftMs <= 0)\n                continue;' });
    expect(await runHost({ end: 'process.exit()', ...stuck, lastwordUrl, childMs: 3_000 })).toMatchObject({ signal: 'SIGKILL', isOverdue: true });
  });

  test('of 0 switches the drain off: the process ends at once, and says nothing', async () => {
    const ended = await runHost({ end: 'process.exit()', ...stuck, options: { exitTimeoutMs: 0 } });
    expect(ended).toMatchObject({ code: 3, isOverdue: false, stderr: '' });
    expect(await lostOf(ended)).toBe(100);
  });

  test('of 0 with a signal of option signals: closes all the same', async () => {
    const ended = await runHost({ end: 'signal', signal: 'SIGTERM', delayMs: 50, options: { exitTimeoutMs: 0, signals: ['SIGTERM'] } });
    expect(ended).toMatchObject({ signal: 'SIGTERM', isOverdue: false, stderr: '' });
    await expectKept(ended, 'SIGTERM');
  });
});

describe('option durability', () => {
  const scenario = { end: 'process.exit()', burst: 'spills', isTellingAtExit: true, delayMs: 5 } as const;

  test.each(['accepted', 'written'] as const)('of %s: the last drain writes, and syncs nothing', async (durability) => {
    const { told } = await runHost({ ...scenario, options: { durability } });
    expect(told.counts?.syncs).toBe(0);
    expect(told.atExit?.map(({ written }) => written)).toEqual(told.accepted);
  });

  test.each<[string, Partial<Scenario>]>([
    ['the last drain', {}], ['the pass that main makes for a dead writer', { death: 'within a write' }],
    ['the drain of an item appended by a listener', { end: 'exit listener that appends' }],
  ])('of synced: %s syncs every file behind its last write', async (_what, more) => {
    const ended = await runHost({ ...scenario, options: { durability: 'synced' }, ...more });
    const { told } = ended;
    expect(told.counts?.syncs).toBeGreaterThanOrEqual(2);
    expect(told.counts?.writesSynced).toBe(told.counts?.writes);
    await expectKept(ended, 'synced');
    if (more.death === undefined) expect(told.atExit?.map(({ synced }) => synced)).toEqual(told.accepted);
  });

  test('the control: a package that forgets the sync is seen', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'src/exit/exit-drain.js', find: "const sync = options.durability === 'synced';", replace: 'const sync = false;' });
    const { told } = await runHost({ ...scenario, options: { durability: 'synced' }, lastwordUrl });
    expect(told.counts?.syncs).toBe(0);
  });
});
