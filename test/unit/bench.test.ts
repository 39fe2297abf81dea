/** The benchmark's figures count only when everything is there; its report is made of what is committed. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RolloutItem } from 'lastword';
import { afterAll, describe, expect, test } from 'vitest';
import { Entrant, type CellLoad } from '../../bench/cells/entrant.js';
import { appendChain } from '../../bench/peers/append-chain.js';
import { bareWrite } from '../../bench/peers/bare-write.js';
import { classicLevel } from '../../bench/peers/classic-level.js';
import { Unavailable, type Contender } from '../../bench/peers/contender.js';
import { lastword } from '../../bench/peers/lastword.js';
import { lmdb } from '../../bench/peers/lmdb.js';
import { nodeSqlite } from '../../bench/peers/node-sqlite.js';
import { sonicBooms } from '../../bench/peers/sonic-boom.js';
import { appendFile, writeKept } from '../../bench/peers/sync-files.js';
import { writeStreams } from '../../bench/peers/write-stream.js';
import { reportOf, withTargets, type Committed } from '../../bench/report/markdown.js';
import { targetsOf } from '../../bench/targets.js';
import { ROOT } from '../support/source.js';

const LOAD: CellLoad = { load: '520 B', threads: 3, burst: 4, seed: 20261121 };
const ITEMS = 40;
const directory = mkdtempSync(join(tmpdir(), 'lastword-bench-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Two runs, the second on top of the first. */
async function twoRuns(contender: Contender): Promise<number[]> {
  const entrant = await Entrant.open(contender, mkdtempSync(join(directory, 'run-')), LOAD);
  try {
    return [(await entrant.run(ITEMS)).items, (await entrant.run(ITEMS)).items];
  } finally {
    await entrant.close();
  }
}

/** What `contender` is, but for one item in ten, which it forgets, or keeps a piece of. */
const forgetful = (contender: Contender, instead: (item: RolloutItem) => RolloutItem | undefined): Contender => ({
  ...contender,
  async open(path, threads) {
    const recording = await contender.open(path, threads);
    let count = 0;
    return {
      ...recording,
      append(thread, ordinal, item): boolean {
        count += 1;
        const kept = count % 10 === 0 ? instead(item) : item;
        return kept === undefined || recording.append(thread, kept === item ? ordinal : ordinal + 1, kept);
      },
    };
  },
});

const RECORDERS: readonly Contender[] = [
  lastword('lastword'), appendFile, writeKept, appendChain, writeStreams, sonicBooms, lmdb, classicLevel, nodeSqlite, bareWrite,
];

describe('a contender of the benchmark', () => {
  test.each(RECORDERS.map((contender) => [contender.name, contender] as const))('%s has every line where it was put, in order', async (_name, contender) => {
    try {
      expect(await twoRuns(contender)).toEqual([ITEMS, ITEMS]);
    } catch (error) {
      // As the benchmark reports it: this Node has no such module.
      if (!(error instanceof Unavailable) || contender !== nodeSqlite) throw error;
    }
  });

  test.each([['files', writeKept], ['a store', lmdb]] as const)('that loses a line of %s, or puts another there, gets no figure', async (_name, contender) => {
    await expect(twoRuns(forgetful(contender, () => undefined))).rejects.toThrow(/has no whole line|items/);
    await expect(twoRuns(forgetful(contender, (item) => ({ ...item })))).rejects.toThrow(/has no whole line|items/);
  });
});

describe('the report', () => {
  test('says of each target whether it was met', () => {
    const append = (ratio: number) => ({ load: '116 B' as const, appendNs: ratio, stringifyNs: 1, copyNs: 0.1, ratio, rounds: [] });
    const synced = (ratio: number) => ({ dirty: 10, oursMs: ratio, bareMs: 1, ratio, target: 1.3, rounds: [] });
    expect(targetsOf({ append: [append(0.6)], synced: [synced(1.3)] }, 'v20.20.0').map(({ isMet }) => isMet)).toEqual([true, true]);
    expect(targetsOf({ append: [append(0.61), append(0.81)] }, 'v22.0.0').map(({ isMet }) => isMet)).toEqual([true, false]);
    expect(targetsOf({ append: [append(0.61)], synced: [synced(1.31)] }, 'v20.20.0').map(({ isMet }) => isMet)).toEqual([false, false]);
  });

  test('is the one that the committed results give (npm run bench:report)', () => {
    const folder = join(ROOT, 'bench/results');
    const names = readdirSync(folder).sort();
    const all = names.filter((name) => name.endsWith('.json')).map((name) =>
      ({ stem: name.replace(/\.json$/, ''), outcome: JSON.parse(readFileSync(join(folder, name), 'utf8')) as Committed['outcome'] }));
    const made = reportOf(all);
    expect(names.filter((name) => !name.endsWith('.json'))).toEqual([...made.keys()].sort());
    for (const [name, text] of made) expect(readFileSync(join(folder, name), 'utf8'), name).toBe(text);
    for (const name of ['README.md', 'docs/performance.md']) {
      const text = readFileSync(join(ROOT, name), 'utf8');
      expect(withTargets(text, all), name).toBe(text);
    }
  });
});
