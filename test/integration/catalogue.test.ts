/** Filters and the order of changes, as hosts see them: right whatever the catalogue's file is, and whoever else is at work. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as lastword from 'lastword';
import type { Sidecar } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { decodeCatalogue } from '../../worker/catalogue/catalogue-file.js';
import { mutantPackage } from '../support/mutants.js';
import { damagedOf, idAtMinute, idsOf, linesOfItems, plant, type Planted } from '../support/planted.js';
import { numbered, openTestSidecar, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const PARENT = idAtMinute(-1);
const LISTER = fileURLToPath(new URL('../support/lister.mjs', import.meta.url));

/** Every way to ask that a catalogue answers, and the names of the damaged. */
async function answersOf(sidecar: Sidecar): Promise<object> {
  return {
    newest: await idsOf(sidecar, { sort: 'updated', limit: 7 }), oldest: await idsOf(sidecar, { sort: 'updated', direction: 'asc', limit: 7 }),
    here: await idsOf(sidecar, { cwd: '/w/1', limit: 7 }), there: await idsOf(sidecar, { cwd: '/w/2', direction: 'asc', sort: 'updated' }),
    archived: await idsOf(sidecar, { archived: true, sort: 'updated' }), below: await idsOf(sidecar, { parentId: PARENT, limit: 7 }),
    damaged: await damagedOf(sidecar, { sort: 'updated', limit: 7 }),
  };
}

function plantSome(directory: string): Planted[] {
  const planted = upTo(40).map((minute) => plant(directory, {
    id: idAtMinute(minute * 400), isArchived: minute % 9 === 8,
    meta: { cwd: `/w/${minute % 3}`, ...(minute % 4 === 0 ? { parent_thread_id: PARENT } : {}) },
    ...(minute === 18 ? { bytes: 'damaged' } : {}),
  }));
  for (const [minute, { path }] of planted.entries()) utimesSync(path, 2_000_000, 2_000_000 + ((minute * 17) % 40));
  return planted;
}

describe('the catalogue', () => {
  const DAMAGE: Readonly<Record<string, (path: string) => void>> = {
    'not there': () => undefined,
    'deleted': (path) => { rmSync(path); },
    'cut': (path) => { const bytes = readFileSync(path); writeFileSync(path, bytes.subarray(0, bytes.length >> 1)); },
    'empty': (path) => { writeFileSync(path, ''); },
    'of another version': (path) => { writeFileSync(path, readFileSync(path, 'utf8').replace('"version":1', '"version":2')); },
    'of another directory': (path) => {
      writeFileSync(path, linesOfItems([{ type: 'catalogue', payload: { version: 1 } }, {
        type: 'folder', payload: { path: 'sessions', modifiedMs: 1, readMs: 5000, folders: [], texts: [], rows: [] },
      }]));
    },
    'garbage': (path) => { writeFileSync(path, 'garbage'.repeat(1000)); },
    'a folder': (path) => { rmSync(path); mkdirSync(path); },
  };

  test.each(Object.keys(DAMAGE))('that is %s is made again, and no answer differs', async (how) => {
    const directory = temporaryFolder();
    plantSome(directory);
    const path = join(directory, 'catalogue.jsonl');
    const truth = await answersOf(await openTestSidecar({ directory }));
    rmSync(path);
    if (how !== 'not there') {
      await (await openTestSidecar({ directory })).listThreads({ sort: 'updated' });
      expect(existsSync(path)).toBe(true);
      DAMAGE[how]?.(path);
    }
    const sidecar = await openTestSidecar({ directory });
    expect(await answersOf(sidecar)).toEqual(truth);
    if (how !== 'a folder') expect(decodeCatalogue(readFileSync(path))).toMatchObject({ isWhole: true });
    rmSync(path, { recursive: true });
    expect(await answersOf(sidecar), 'taken from under a sidecar that uses it').toEqual(truth);
  });

  test('that nobody compared with the files would be noticed', async () => {
    const directory = temporaryFolder();
    const planted = plantSome(directory);
    await (await openTestSidecar({ directory })).listThreads({ sort: 'updated' });
    utimesSync(planted[3]?.path ?? '', 3_000_000, 3_000_000);
    const { lastwordUrl } = mutantPackage({ file: 'worker/catalogue/catalogue.js', find: 'beganMs >= this.#nextSweepMs', replace: 'false' }, { file: 'worker/catalogue/catalogue.js', find: 'this.size <= this.#limits.freeRows', replace: 'false' });
    const { openSidecar } = await import(lastwordUrl) as typeof lastword;
    const mutant = await openSidecar({ directory, logger: false });
    onTestFinished(async () => { await mutant.close(); });
    expect((await idsOf(mutant, { sort: 'updated' }))[0]).not.toBe(planted[3]?.id);
    expect((await idsOf(await openTestSidecar({ directory }), { sort: 'updated' }))[0]).toBe(planted[3]?.id);
  });

  test('follows what this sidecar does, and what others do to its files', async () => {
    const directory = temporaryFolder();
    const [one, other] = [await openTestSidecar({ directory }), await openTestSidecar({ directory })];
    const threads = [await one.createThread({ meta: { cwd: '/x' } }), await other.createThread({ meta: { cwd: '/x' } })] as const;
    const newest = async (): Promise<unknown[]> => Promise.all([one, other].map(async (sidecar) => (await idsOf(sidecar, { sort: 'updated', cwd: '/x' }))[0]));
    for (const place of [0, 1, 0] as const) {
      threads[place].append(numbered(place));
      await threads[place].flush();
      // Times of files are as fine as the system's clock ticks.
      utimesSync(threads[place].path, 3_000_000_000, 3_000_000_000 + performance.now());
      expect(await newest()).toEqual([threads[place].id, threads[place].id]);
    }
    await threads[0].close();
    await one.deleteThread(threads[0].id);
    expect(await newest()).toEqual([threads[1].id, threads[1].id]);
    threads[1].setMeta({ cwd: '/y' });
    expect(await idsOf(other, { cwd: '/y' })).toEqual([threads[1].id]);
    expect(await idsOf(one, { cwd: '/x' })).toEqual([]);
    await threads[1].close();
    await other.archiveThread(threads[1].id);
    expect(await idsOf(one, { cwd: '/y', archived: true })).toEqual([threads[1].id]);
    appendFileSync(plant(directory, { meta: { cwd: '/y' } }).path, 'torn');
    expect(await idsOf(one, { cwd: '/y' })).toHaveLength(1);
  });

  test('is written by many processes at once, whole each time', async () => {
    const directory = temporaryFolder();
    plantSome(directory);
    const listers = upTo(3).map(() => spawn(process.execPath, [LISTER, directory], { stdio: ['pipe', 'pipe', 'inherit'] }));
    onTestFinished(() => { for (const lister of listers) lister.kill('SIGKILL'); });
    const ended = listers.map(async (lister) => {
      let text = '';
      lister.stdout.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
      const [code] = await once(lister, 'close') as [number];
      expect(code).toBe(0);
      return JSON.parse(text) as string[];
    });
    const sidecar = await openTestSidecar({ directory });
    const seen: number[] = [];
    while ((seen.at(-1) ?? 0) < 60) {
      seen.push((await idsOf(sidecar, { cwd: '/shared', limit: 100_000 })).length);
      const path = join(directory, 'catalogue.jsonl');
      if (existsSync(path)) expect(decodeCatalogue(readFileSync(path))).toMatchObject({ isWhole: true });
    }
    for (const lister of listers) lister.stdin.end();
    const made = (await Promise.all(ended)).flat();
    expect((await idsOf(sidecar, { cwd: '/shared', limit: 100_000 })).sort()).toEqual(made.sort());
    expect(seen).toEqual(seen.toSorted((some, others) => some - others));
    expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('is not waited for by a close', async () => {
    const directory = temporaryFolder();
    plantSome(directory);
    const { lastwordUrl } = mutantPackage({ file: 'worker/catalogue/catalogue.js', find: '    refresh(changed) {', replace: '    refresh(changed) { for (;;) ;' });
    const { openSidecar } = await import(lastwordUrl) as typeof lastword;
    const sidecar = await openSidecar({ directory, logger: false });
    const listing = rejection(sidecar.listThreads({ sort: 'updated' }));
    expect(await idsOf(sidecar)).toHaveLength(35);
    await sidecar.close();
    expect(await listing).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
    expect(await rejection(sidecar.listThreads())).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
  });
});
