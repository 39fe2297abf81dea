/** The catalogue over real files: what it finds out again, and that nothing but the files decides what it says. */
import { appendFileSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeLine } from '../../src/rollout/envelope.js';
import { comparator, createdKey, spanOf, tieOf, type Direction, type Sort } from '../../src/reader/lists/order.js';
import { ordinal } from '../../src/units.js';
import { Catalogue } from '../../worker/catalogue/catalogue.js';
import { decodeCatalogue, encodeCatalogue } from '../../worker/catalogue/catalogue-file.js';
import type { Folder, Row } from '../../worker/catalogue/rows.js';
import { select } from '../../worker/catalogue/select.js';
import { CATALOGUE, loadCatalogue, storeCatalogue } from '../../worker/catalogue/store.js';
import { nodeFsOps, systemRng } from '../../worker/fs-ops.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { idAtMinute, plant, type Planted } from '../support/planted.js';
import { randomFrom, SEED } from '../support/random.js';
import { temporaryFolder } from '../support/rollouts.js';
import { thrown, upTo } from '../support/sidecars.js';

const TIME = '2026-05-06T07:08:09.010Z';
const PARENT = idAtMinute(-1);
const NEVER_AGAIN = { freeRows: 0, rest: Infinity };

/** Some of everything. */
function plantSome(directory: string): Planted[] {
  const planted = upTo(12).map((minute) => plant(directory, {
    id: idAtMinute(minute * 700), isArchived: minute % 5 === 4, meta: { cwd: `/w/${minute % 3}`, ...(minute % 2 === 0 ? { parent_thread_id: PARENT } : {}) },
  }));
  plant(directory, { id: idAtMinute(3), bytes: 'damaged' });
  for (const { path } of planted) utimesSync(path, 1_700_000_000, 1_700_000_000);
  return planted;
}

function storeAt(directory: string, catalogue: Catalogue): void {
  storeCatalogue({ fs: nodeFsOps, rng: systemRng }, directory, catalogue.folders);
}

/** What the catalogue says, in no order. */
function rowsOf(catalogue: Catalogue): object {
  return Object.fromEntries([...catalogue.folders].flatMap(({ path, rows }) => rows.map((row) => [`${path}/${row.name}`, row])).sort());
}

/** What one says that was made of nothing. */
function truthOf(directory: string): object {
  const catalogue = new Catalogue(directory);
  catalogue.refresh([]);
  return rowsOf(catalogue);
}

/** A module of the catalogue, with a mistake in it. */
function mutantModule(name: string, find: string, replace: string): Promise<unknown> {
  const file: Patch = { file: `worker/catalogue/${name}.js`, find, replace };
  return import(new URL(`../worker/catalogue/${name}.js`, mutantPackage(file).lastwordUrl).href);
}

/** What one says that began with what is stored. */
function restored(directory: string): Catalogue {
  const catalogue = new Catalogue(directory);
  catalogue.take(loadCatalogue(directory)?.folders ?? []);
  catalogue.refresh([]);
  return catalogue;
}

describe('a catalogue', () => {
  test('knows of each rollout what a filter asks for, and of the others that they are damaged', () => {
    const directory = temporaryFolder();
    const planted = plantSome(directory);
    const rows = Object.values(truthOf(directory)) as Row[];
    expect(rows).toHaveLength(planted.length + 1);
    for (const [minute, { path }] of planted.entries()) {
      const { size, mtimeMs, ino } = statSync(path);
      expect(rows.find(({ name }) => name === basename(path))).toEqual({
        name: basename(path), bytes: size, modifiedMs: mtimeMs, inode: ino, cwd: `/w/${minute % 3}`, parentId: minute % 2 === 0 ? PARENT : undefined, isDamaged: false,
      });
    }
    expect(rows.filter(({ isDamaged }) => isDamaged)).toHaveLength(1);
  });

  test('that was stored is taken up as it was: no rollout is opened again', () => {
    const directory = temporaryFolder();
    plantSome(directory);
    const catalogue = restored(directory);
    expect(catalogue.changes).toBe(13);
    storeAt(directory, catalogue);
    const again = restored(directory);
    expect(rowsOf(again)).toEqual(rowsOf(catalogue));
    expect(again.changes).toBe(0);
  });

  /** What others do to rollouts while nobody keeps the catalogue. */
  const CHANGES: Readonly<Record<string, (planted: readonly Planted[], directory: string) => void>> = {
    'a record more': ([one]) => { appendFileSync(one?.path ?? '', encodeLine(TIME, ordinal(1), { type: 'note' })); },
    'metadata changed': ([one]) => { appendFileSync(one?.path ?? '', encodeLine(TIME, ordinal(1), { type: 'session_meta', payload: { id: one?.id, cwd: '/elsewhere' } })); },
    'one deleted': ([one]) => { rmSync(one?.path ?? ''); },
    'one more': (_planted, directory) => { plant(directory, { id: idAtMinute(99_999) }); },
    'one more in a folder that is known': ([one], directory) => { plant(directory, { id: idAtMinute(98), at: join(dirname(one?.path ?? '').slice(directory.length + 1), `rollout-2026-05-06T00-00-00-${idAtMinute(98)}.jsonl`) }); },
    'a folder gone': ([one]) => { rmSync(dirname(one?.path ?? ''), { recursive: true }); },
    'one archived': ([one], directory) => { renameSync(one?.path ?? '', join(directory, 'archived_sessions', basename(one?.path ?? ''))); },
    'one replaced by another of its size and time': ([one]) => {
      const path = one?.path ?? '';
      const { atime, mtime } = statSync(path);
      writeFileSync(`${path}.new`, readFileSync(path, 'latin1').replace(/"cwd":"\/w\/0".*/, '"cwd":"/w/9","history_mode":"paginated"}}').padEnd(statSync(path).size - 1).concat('\n'));
      utimesSync(`${path}.new`, atime, mtime);
      renameSync(`${path}.new`, path);
    },
    'one cut': ([one]) => { writeFileSync(one?.path ?? '', ''); },
    'one older than it was': ([one]) => { utimesSync(one?.path ?? '', 1000, 1000); },
    'one made whole': (_planted, directory) => { plant(directory, { id: idAtMinute(3) }); },
    'all of them gone': (_planted, directory) => { rmSync(join(directory, 'sessions'), { recursive: true }); },
    'one turned into a folder': ([one]) => { rmSync(one?.path ?? ''); mkdirSync(one?.path ?? ''); },
  };

  test.each(Object.keys(CHANGES))('that is stale finds out: %s', (what) => {
    const directory = temporaryFolder();
    const planted = plantSome(directory);
    const before = restored(directory);
    storeAt(directory, before);
    CHANGES[what]?.(planted, directory);
    const truth = truthOf(directory);
    expect(truth, 'the change is one').not.toEqual(rowsOf(before));
    expect(rowsOf(restored(directory))).toEqual(truth);
    before.refresh([]);
    expect(rowsOf(before)).toEqual(truth);
  });

  test('that did not look whether a rollout is still the same file would be noticed', async () => {
    const directory = temporaryFolder();
    const planted = plantSome(directory);
    const mutant = await mutantModule('catalogue', 'state.inode === row.inode', 'true') as { Catalogue: typeof Catalogue };
    const catalogue = new mutant.Catalogue(directory);
    catalogue.refresh([]);
    CHANGES['one replaced by another of its size and time']?.(planted, directory);
    catalogue.refresh([]);
    expect(rowsOf(catalogue)).not.toEqual(truthOf(directory));
  });

  test('does not ask for every rollout each time where that takes long, but always for folders and for those that are named', () => {
    const directory = temporaryFolder();
    const [one, two, three] = plantSome(directory);
    const catalogue = new Catalogue(directory, NEVER_AGAIN);
    catalogue.refresh([]);
    const sizeOf = (planted: Planted | undefined): number | undefined =>
      (Object.values(rowsOf(catalogue)) as Row[]).find(({ name }) => name === basename(planted?.path ?? ''))?.bytes;
    const before = sizeOf(one);
    for (const planted of [one, two]) appendFileSync(planted?.path ?? '', 'x'.repeat(100));
    rmSync(three?.path ?? '');
    const later = plant(directory, { id: idAtMinute(5) });
    catalogue.refresh([two?.path ?? '']);
    expect(sizeOf(one)).toBe(before);
    expect(sizeOf(two)).toBe(statSync(two?.path ?? '').size);
    expect(sizeOf(three)).toBeUndefined();
    expect(sizeOf(later)).toBe(statSync(later.path).size);
    const often = new Catalogue(directory, { freeRows: 0, rest: 0 });
    often.refresh([]);
    appendFileSync(one?.path ?? '', 'x');
    often.refresh([]);
    expect(rowsOf(often)).toEqual(truthOf(directory));
  });

  test('names folders that it cannot read, and reads the others', () => {
    const directory = temporaryFolder();
    const [one] = plantSome(directory);
    const catalogue = new Catalogue(directory);
    mkdirSync(join(directory, 'sessions', 'loop'));
    rmSync(join(directory, 'archived_sessions'), { recursive: true });
    symlinkSync('archived_sessions', join(directory, 'archived_sessions'));
    catalogue.refresh([]);
    expect([...catalogue.problems]).toEqual([['archived_sessions', 'it cannot be read: ELOOP']]);
    expect(Object.keys(rowsOf(catalogue)).some((path) => path.endsWith(basename(one?.path ?? '')))).toBe(true);
    const wanted = { sort: 'updated', direction: 'desc', parentId: undefined, cwd: undefined, after: undefined, count: 50 } as const;
    expect(select(catalogue, { ...wanted, isArchived: true }).rollouts).toMatchObject([{ folder: 'archived_sessions', name: '', problem: 'it cannot be read: ELOOP' }]);
  });
});

describe('the file of a catalogue', () => {
  const FOLDER: Folder = {
    path: 'sessions/2026/05/06', modifiedMs: 1778051289010.123, readMs: 1778051299010, folders: ['a', 'b'],
    rows: upTo(5).map((number) => ({
      name: `rollout-${number}.jsonl`, bytes: number, modifiedMs: 1778051289010 + number / 7, inode: 2 ** 40 + number, isDamaged: number === 3,
      parentId: number % 2 === 0 ? PARENT : undefined, cwd: number === 4 ? undefined : 'C:\\ü "x"\u2028',
    })),
  };
  const stored = encodeCatalogue([FOLDER, { ...FOLDER, path: 'archived_sessions' }], TIME);

  test('gives back what it took', () => {
    expect(decodeCatalogue(stored)).toEqual({ folders: [FOLDER, { ...FOLDER, path: 'archived_sessions' }], isWhole: true });
  });

  test('cut anywhere, or with any byte changed, gives what is whole, and says that it is not all', () => {
    const whole = decodeCatalogue(stored)?.folders ?? [];
    for (let place = 0; place < stored.length; place += 1) {
      const flipped = Buffer.from(stored);
      flipped[place] = (flipped[place] ?? 0) ^ (1 << (place % 8));
      for (const bytes of [stored.subarray(0, place), flipped]) {
        const decoded = decodeCatalogue(bytes);
        for (const folder of decoded?.folders ?? []) expect(whole).toContainEqual(folder);
        // Cut behind a whole line it is the catalogue of fewer folders.
        if (bytes === flipped && flipped[place] !== 0x0d) expect(decoded?.isWhole !== true, `byte ${place}`).toBe(true);
      }
    }
  });

  test('whose checksums nobody looked at would be noticed', async () => {
    const mutant = await mutantModule('catalogue-file', "verifyChecksum(line) === 'right' ? decodeLine(line) : undefined", 'decodeLine(line)') as { decodeCatalogue: typeof decodeCatalogue };
    const whole = JSON.stringify(mutant.decodeCatalogue(stored)?.folders[0]);
    let wrong = 0;
    for (let place = 0; place < stored.length; place += 1) {
      const flipped = Buffer.from(stored);
      flipped[place] = (flipped[place] ?? 0) ^ 1;
      wrong += (mutant.decodeCatalogue(flipped)?.folders ?? []).slice(0, 1).filter((folder) => JSON.stringify({ ...folder, path: FOLDER.path }) !== whole).length;
    }
    expect(wrong).toBeGreaterThan(50);
  });

  test('of another version, or of anything else, is none', () => {
    const line = (type: string, payload: unknown): Buffer => encodeLine(TIME, ordinal(0), { type, payload });
    const folders = stored.subarray(stored.indexOf('\n') + 1);
    for (const first of [line('catalogue', { version: 2 }), line('catalogue', {}), line('catalogue', null), line('session_meta', { version: 1 }), Buffer.from('\n')]) {
      expect(decodeCatalogue(Buffer.concat([first, folders]))).toBeUndefined();
    }
    expect(decodeCatalogue(Buffer.alloc(0))).toBeUndefined();
    expect(decodeCatalogue(folders)).toBeUndefined();
  });

  test('whose lines are whole and say nonsense is taken for what makes sense of it', () => {
    const members = fc.record({
      path: fc.anything(), modifiedMs: fc.anything(), readMs: fc.anything(), folders: fc.anything(), texts: fc.anything(), rows: fc.anything(),
    }, { requiredKeys: [] });
    const rows = fc.array(fc.array(fc.oneof(fc.string(), fc.double(), fc.constant('rollout-x.jsonl'), fc.constant('../x'))));
    const packed = fc.record({
      path: fc.string(), modifiedMs: fc.double(), readMs: fc.double(), folders: fc.array(fc.oneof(fc.string(), fc.constant('..'))), texts: fc.array(fc.string()), rows,
    });
    const [header = ''] = stored.toString().split('\n');
    fc.assert(fc.property(fc.oneof(members, packed), (payload) => {
      const line = encodeLine(TIME, ordinal(1), { type: 'folder', payload: JSON.parse(JSON.stringify(payload)) as object });
      const { folders = [] } = decodeCatalogue(Buffer.concat([Buffer.from(`${header}\n`), line])) ?? {};
      for (const { path, folders: names, rows: found } of folders) {
        expect(typeof path).toBe('string');
        expect([...names, ...found.map(({ name }) => name)].filter((name) => name.includes('/') || name === '..' || name === '')).toEqual([]);
      }
    }), { seed: SEED, numRuns: 2000 });
  });

  test('damaged at random, or put in the place of a directory\'s own, changes nothing of what is said', () => {
    const random = randomFrom(SEED);
    const [directory, elsewhere] = [temporaryFolder(), temporaryFolder()];
    plantSome(directory);
    plantSome(elsewhere);
    storeAt(directory, restored(directory));
    storeAt(elsewhere, restored(elsewhere));
    const truth = truthOf(directory);
    const path = join(directory, CATALOGUE);
    const whole = readFileSync(path);
    const lines = whole.toString().trimEnd().split('\n');
    const damages: (() => Buffer)[] = [
      () => whole.subarray(0, random(whole.length)),
      () => { const bytes = Buffer.from(whole); bytes[random(bytes.length)] = random(256); return bytes; },
      () => { const bytes = Buffer.from(whole); bytes.fill(0, random(bytes.length)); return bytes; },
      () => Buffer.concat([whole, whole.subarray(random(whole.length))]),
      () => Buffer.from(`${lines.filter(() => random(3) > 0).join('\n')}\n`),
      () => Buffer.from(`${[...lines].sort(() => random(3) - 1).join('\n')}\n`),
      () => readFileSync(join(elsewhere, CATALOGUE)),
    ];
    for (const round of upTo(700)) {
      writeFileSync(path, damages[round % damages.length]?.() ?? '');
      expect(rowsOf(restored(directory)), `seed ${SEED}, round ${round}`).toEqual(truth);
    }
  });

  test('is none where something else stands in its place', () => {
    const directory = temporaryFolder();
    plantSome(directory);
    const path = join(directory, CATALOGUE);
    for (const put of [() => { mkdirSync(path); }, () => { execFileSync('mkfifo', [path]); }, () => { symlinkSync('/etc/passwd', path); }, () => { writeFileSync(path, ''); }]) {
      put();
      expect(loadCatalogue(directory)).toBeUndefined();
      rmSync(path, { recursive: true });
    }
    expect(loadCatalogue(join(directory, 'nowhere'))).toBeUndefined();
  });

  test('is replaced as a whole; what a dead process left of another is removed, what a living one writes is not', () => {
    const directory = temporaryFolder();
    plantSome(directory);
    const [old, young] = ['.catalogue.jsonl.1f.tmp', '.catalogue.jsonl.2f.tmp'].map((name) => join(directory, name));
    for (const path of [old, young]) writeFileSync(path ?? '', 'x');
    utimesSync(old ?? '', 1000, 1000);
    storeAt(directory, restored(directory));
    expect(readdirSync(directory).sort()).toEqual(['.catalogue.jsonl.2f.tmp', 'archived_sessions', CATALOGUE, 'sessions']);
    expect(statSync(join(directory, CATALOGUE)).mode & 0o777).toBe(0o600);
    rmSync(join(directory, CATALOGUE));
    mkdirSync(join(directory, CATALOGUE, 'full'), { recursive: true });
    expect(thrown(() => { storeAt(directory, restored(directory)); })).toMatchObject({ syscall: 'rename' });
    expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual(['.catalogue.jsonl.2f.tmp']);
  });
});

describe('what is selected', () => {
  test('is what sorting all of it would give, page after page', () => {
    const random = randomFrom(SEED);
    for (const round of upTo(60)) {
      const folders: Folder[] = ['sessions/2026/05/06', 'sessions/2026/05/07', 'sessions/odd', 'archived_sessions'].map((path) => ({
        path, modifiedMs: 0, readMs: 0, folders: [], rows: upTo(random(40)).map(() => ({
          name: `rollout-2026-05-06T07-08-09-${idAtMinute(random(3000))}.jsonl`, bytes: 1, inode: 1, modifiedMs: random(5), isDamaged: random(10) === 0,
          parentId: random(2) === 0 ? PARENT : undefined, cwd: ['/a', '/b', undefined][random(3)],
        })),
      }));
      const catalogue = new Catalogue('/nowhere');
      catalogue.take(folders);
      const [sort, direction]: [Sort, Direction] = [random(2) === 0 ? 'created' : 'updated', random(2) === 0 ? 'asc' : 'desc'];
      const [parentId, cwd, isArchived] = [random(2) === 0 ? PARENT : undefined, random(2) === 0 ? '/a' : undefined, random(4) === 0];
      const expected = folders.filter(({ path }) => (path === 'archived_sessions') === isArchived).flatMap(({ path, rows }) => rows
        .filter((row) => row.isDamaged || ((parentId === undefined || row.parentId === parentId) && (cwd === undefined || row.cwd === cwd)))
        .map(({ name, modifiedMs }) => ({ key: sort === 'created' ? createdKey(name, spanOf(path)) : modifiedMs, tie: tieOf(path, name) })))
        .sort(comparator(direction));
      const seen: { key: number; tie: string }[] = [];
      const count = 1 + random(10);
      for (let isMore = true; isMore;) {
        const page = select(catalogue, { sort, direction, parentId, cwd, isArchived, after: seen.at(-1), count });
        isMore = page.isMore;
        seen.push(...page.rollouts.map(({ folder, name, key }) => ({ key, tie: tieOf(folder, name) })));
        expect(page.rollouts.length).toBe(isMore ? count : Math.min(count, expected.length - seen.length + page.rollouts.length));
      }
      expect(seen, `seed ${SEED}, round ${round}`).toEqual(expected);
    }
  });
});
