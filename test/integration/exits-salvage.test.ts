/** A process that ends while its disk takes nothing: what is not written is salvaged and named, and the end does not wait for the disk. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { importSalvage } from 'lastword';
import { describe, expect, test } from 'vitest';
import { errorsOf, expectSalvaged, unwrittenOf } from '../support/exits/salvaged.js';
import { expectKept, runHost, type Scenario } from '../support/exits/run.js';
import { mutantPackage, mutantWriter } from '../support/mutants.js';
import { lostLibrary } from '../support/sidecars.js';
import { salvageFiles } from '../support/salvage.js';

/** The bound on the end is ten minutes: whoever waits for it is killed before. */
const FULL: Omit<Scenario, 'end'> = { burst: 'fits', isFlushedFirst: true, full: 'rollouts' };

describe('P5: a disk that stays full', () => {
  test.each<[string, number | null]>([
    ['process.exit()', 3], ['end of the loop', 0], ['uncaught exception', 1], ['unhandled rejection', 1],
    ['uncaughtException handler that throws', 7], ['exit listener that throws', 3], ['exit listener that exits otherwise', 9],
    ['uncaught exception that the host hears, appends and exits', 6], ['exit listener that appends', 3], ['process.exit() in the tick of close()', 3],
    ['process.exit() out of an item that is being appended', 3],
  ])('when the process ends by %s: every item is in a salvage file that the log names, and the code is as it was', async (end, code) => {
    const ended = await runHost({ end, ...FULL });
    expect(ended).toMatchObject({ code, signal: null, isOverdue: false });
    const { paths = [] } = ended.told;
    await expectSalvaged(ended, end);
    // One for each thread, however often the process came to its end.
    expect(salvageFiles(dirname(paths[0] ?? ''))).toHaveLength(paths.length);
    expect(errorsOf(ended).every(({ msg, code: logged }) => !msg.startsWith('the process ends') || logged === 'LASTWORD_DRAIN_INCOMPLETE')).toBe(true);
    expect(ended.stderr).not.toContain('xxx');
  });

  test('and a signal of option signals: the close gives up after its time, and then the same', async () => {
    const ended = await runHost({ end: 'signal', signal: 'SIGTERM', ...FULL, options: { signals: ['SIGTERM'], closeTimeoutMs: 300 } });
    expect(ended).toMatchObject({ code: null, signal: 'SIGTERM', isOverdue: false });
    await expectSalvaged(ended, 'SIGTERM');
  });

  test.each<[string, Partial<Scenario>, number?]>([
    ['a stack overflow', { end: 'stack overflow, appending on the way back', options: { ringBytes: 8 * 1024 * 1024, overflowBytes: 8 * 1024 * 1024 } }, 1],
    ['more than the ring holds', { burst: 'spills' }],
    ['a large item', { burst: 'large', isFlushedFirst: false, threadsEach: 1, options: { overflowBytes: 32 * 1024 * 1024 } }],
    ['threads that were resumed', { isResumed: true, isFlushedFirst: false }], ['durability synced', { options: { durability: 'synced' } }],
    ['more threads than files may be open', { threadsEach: 4, options: { openFilesMax: 1 } }],
  ])('with %s: the same', async (what, more, code = 3) => {
    const ended = await runHost({ end: 'process.exit()', ...FULL, ...more });
    expect(ended).toMatchObject({ code, isOverdue: false });
    await expectSalvaged(ended, what);
  });

  test.each<[string, Partial<Scenario>]>([
    ['before a write', {}], ['within a write', { waitsForExitEvent: true }], ['after a write', {}], ['throws between two passes', { isDeathAwaited: false }],
  ])('and a writer that dies (%s): whoever writes next salvages', async (death, more) => {
    const ended = await runHost({ end: 'process.exit()', ...FULL, death, ...more });
    expect(ended).toMatchObject({ code: 3, isOverdue: false });
    await expectSalvaged(ended, death);
  });

  test('and a writer that dies where main cannot write either: main salvages what is in memory', async () => {
    const { lastwordUrl } = lostLibrary();
    const ended = await runHost({ end: 'process.exit()', ...FULL, full: 'nothing', death: 'before a write', lastwordUrl });
    expect(ended).toMatchObject({ code: 3, isOverdue: false });
    await expectSalvaged(ended, 'lost');
  });

  test('and a host that survives its exception, and the disk gets room: everything is written, and what was salvaged is there already', async () => {
    const ended = await runHost({ end: 'uncaught exception that the host survives, and the disk has room again', ...FULL });
    expect(ended).toMatchObject({ code: 6, isOverdue: false, told: { isAlive: true } });
    await expectKept(ended, 'survived');
    for (const { salvage = '', records } of unwrittenOf(ended)) {
      expect(await importSalvage(salvage, dirname(dirname(dirname(dirname(dirname(salvage))))))).toEqual({ records: 0, alreadyThere: records });
    }
    await expectKept(ended, 'survived');
  });

  test('with no room for a salvage file either: the items are named, and nothing half is left behind', async () => {
    const ended = await runHost({ end: 'process.exit()', ...FULL, full: 'everything', options: { exitTimeoutMs: 500 } });
    expect(ended).toMatchObject({ code: 3, isOverdue: false });
    const { accepted = [], ids = [], paths = [], written = [] } = ended.told;
    expect(unwrittenOf(ended)).toEqual(ids.map((threadId, which) => ({ threadId, from: written[which], to: (accepted[which] ?? 0) - 1 })));
    expect(readdirSync(dirname(paths[0] ?? '')).sort()).toEqual(paths.map((path) => path.slice(dirname(path).length + 1)).sort());
  });
});

describe('the control: the same test finds', () => {
  test('a writer that salvages nothing', async () => {
    const writerUrl = mutantWriter({ file: 'worker/main.js', find: 'salvager.settle(isAgain)', replace: '{ reports: [], isSettled: true }' }).href;
    const ended = await runHost({ end: 'process.exit()', ...FULL, writerUrl });
    await expect(expectSalvaged(ended, 'nothing')).rejects.toThrow(/range of thread/);
  });

  test('a process that waits for the disk to the end of its time', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'src/exit/exit-drain.js', find: 'return salvageAnswers(memory) === request;', replace: 'return false;' });
    expect(await runHost({ end: 'process.exit()', ...FULL, lastwordUrl, childMs: 3_000 })).toMatchObject({ isOverdue: true });
  });

  test('main, standing in, that salvages nothing', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'worker/standby.js', find: 'return salvager.settle(false).reports;', replace: 'return [];' });
    const ended = await runHost({ end: 'process.exit()', ...FULL, death: 'before a write', lastwordUrl });
    await expect(expectSalvaged(ended, 'nothing')).rejects.toThrow(/range of thread/);
  });
});
