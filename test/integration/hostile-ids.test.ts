/** Ids that are none: refused by every entry before anything is touched, and nothing outside the directory ever is. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostileIds, strangeIds } from '../support/hostile-ids.js';
import { asksOf } from '../support/every-entry.mjs';
import { mutantPackage } from '../support/mutants.js';
import { SEED } from '../support/random.js';
import { openTestSidecar, temporaryFolder } from '../support/sidecars.js';
import { outcomeOf } from '../support/steps.js';

const RUNS = 2000;
/** Of them; each makes the library look for its thread everywhere. */
const STRANGE = 40;
const SHIPPED = new URL('../../dist/src/index.js', import.meta.url).href;
const PROGRAM = fileURLToPath(new URL('../support/hostile-asks.mjs', import.meta.url));
const hasStrace = spawnSync('strace', ['-V']).status === 0;

/** What tells of processes, and, to Node and to malloc() of glibc, of the machine. */
const OF_THE_SYSTEM = /^\/proc\/(self|\d+|locks)\b|^\/proc\/sys\/kernel\/random\/boot_id$|^\/sys\/devices\/system\/cpu\/online$|^\/proc\/sys\/vm\/overcommit_memory$/;

/** What no id is: of a string's kind, but nothing that has become one. */
const NO_STRINGS: unknown[] = [7, 0, null, true, {}, [], ['01936c1e-7b2a-7000-8000-000000000001'], Symbol('id'), 7n, () => 'x', Object('01936c1e-7b2a-7000-8000-000000000001'), { toString: () => '../x' }, new Proxy({}, {})];

test(`P17: ${RUNS} ids that are none are refused, typed, by every entry that takes one, and leave nothing behind`, async () => {
  const sidecar = await openTestSidecar();
  const stored = await sidecar.createThread();
  await stored.close();
  const before = readdirSync(sidecar.directory, { recursive: true });
  const ids = [...NO_STRINGS, ...fc.sample(hostileIds, { numRuns: RUNS, seed: SEED })];
  for (const id of ids) {
    expect(sidecar.liveThread(id as string)).toBeUndefined();
    for (const [entry, ask] of Object.entries(asksOf(sidecar, stored.id, id))) {
      expect(await outcomeOf(Promise.resolve().then(ask), () => 'done'), `${entry} of ${typeof id === 'string' ? JSON.stringify(id) : typeof id} (LASTWORD_SEED=${SEED})`).toBe('LASTWORD_INVALID_OPTION');
    }
  }
  expect(readdirSync(sidecar.directory, { recursive: true })).toEqual(before);
  expect([...sidecar.liveThreads()]).toEqual([]);
});

describe('what is touched', () => {
  /** Paths that the program's system calls name between its marks, and that lie outside the directory. */
  function touched(lastword: string, ids: readonly string[]): { outside: string[]; inside: number; codes: string[] } {
    const folder = temporaryFolder();
    const directory = join(folder, 'home');
    // Made before: the folder above one that is made is synced.
    mkdirSync(directory);
    const [trace, idsPath, mark] = [join(folder, 'trace'), join(folder, 'ids'), join(folder, 'mark')];
    writeFileSync(idsPath, JSON.stringify(ids));
    const { stdout, stderr } = spawnSync('strace', ['-f', '--seccomp-bpf', '-s', '4096', '-e', 'trace=%file', '-o', trace, process.execPath, PROGRAM, lastword, directory, idsPath, mark], { encoding: 'utf8' });
    const lines = readFileSync(trace, 'utf8').split('\n');
    const [begin, end] = ['begin', 'end'].map((which) => lines.findIndex((line) => line.includes(`${mark}-${which}"`)));
    expect(begin, stderr).toBeGreaterThan(0);
    expect(end, stderr).toBeGreaterThan(begin ?? 0);
    const paths = lines.slice((begin ?? 0) + 1, end).flatMap((line) => [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path = '']) => path));
    const isOurs = (path: string): boolean => (path === directory || path.startsWith(`${directory}/`)) && !path.split('/').includes('..');
    return {
      // An empty one is a descriptor's.
      outside: paths.filter((path) => path !== '' && !isOurs(path) && path !== idsPath && !OF_THE_SYSTEM.test(path)),
      inside: paths.filter(isOurs).length,
      codes: JSON.parse(stdout) as string[],
    };
  }

  test.skipIf(!hasStrace)(`P17: by ${RUNS} ids, none or strange, is nothing outside the directory (needs strace)`, () => {
    const ids = [...fc.sample(hostileIds, { numRuns: RUNS - STRANGE, seed: SEED }), ...fc.sample(strangeIds, { numRuns: STRANGE, seed: SEED })];
    const { outside, inside, codes } = touched(SHIPPED, ids);
    expect(outside).toEqual([]);
    expect(inside).toBeGreaterThan(100);
    expect(codes).toEqual(expect.arrayContaining(['LASTWORD_INVALID_OPTION', 'LASTWORD_THREAD_NOT_FOUND', 'undefined']));
    expect(existsSync('/tmp/lastword-hostile')).toBe(false);
  });

  test.skipIf(!hasStrace)('the control: the same sees a library that takes any id for part of a path (needs strace)', () => {
    const { lastwordUrl } = mutantPackage(
      { file: 'src/rollout/thread-id.js', find: "return typeof value === 'string' && UUID.test(value);", replace: "return typeof value === 'string';" },
      { file: 'src/reader/locate.js', find: 'if (!hasRolloutPath(id))\n            return undefined;', replace: 'if (!hasRolloutPath(id)) { const path = join(this.#directory, "sessions", id); return !path.includes("\\0") && await exists(path) ? { path, isArchived: false } : undefined; }' },
    );
    expect(touched(lastwordUrl, ['../../../../../../tmp/lastword-hostile', ...fc.sample(hostileIds, { numRuns: 50, seed: SEED })]).outside.length).toBeGreaterThan(0);
  });
});
