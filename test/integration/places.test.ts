/** What stands where the library would write: links, pipes, devices, further names of other files; and who may read what it makes. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { openSidecar, Sidecar, SidecarOptions, Thread } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { plant, type Planted } from '../support/planted.js';
import { itemsOf, numbered, openTestSidecar, temporaryFolder, upTo } from '../support/sidecars.js';
import { outcomeOf, within } from '../support/steps.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const isRoot = process.getuid?.() === 0;

/** The shipped package, or one with patches. */
async function openWith(directory: string, patches: readonly Patch[] = [], options: Partial<SidecarOptions> = {}): Promise<Sidecar> {
  if (patches.length === 0) return openTestSidecar({ directory, ...options });
  const { lastwordUrl } = mutantPackage(...patches);
  const mutant = await import(lastwordUrl) as { openSidecar: typeof openSidecar };
  const sidecar = await mutant.openSidecar({ directory, logger: false, syncIntervalMs: 0, ...options });
  onTestFinished(async () => { await sidecar.close({ timeoutMs: 2_000 }).catch(() => undefined); });
  return sidecar;
}

/** Everything in a folder, so that any change shows: names, kinds, modes, bytes. */
function snapshot(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).sort().map((name) => {
    const { mode, nlink, size } = lstatSync(join(folder, name));
    const hash = lstatSync(join(folder, name)).isFile() ? createHash('sha256').update(readFileSync(join(folder, name))).digest('hex') : '';
    return `${name} ${mode.toString(8)} ${nlink} ${size} ${hash}`;
  });
}

/** Whatever a host may ask of the thread: the answers, in words. Bounded: what hangs fails. */
async function askAll(sidecar: Sidecar, id: string): Promise<Record<string, string>> {
  const read = async (view: 'raw' | 'effective'): Promise<number> => {
    let records = 0;
    for await (const record of sidecar.readThread(id, { view })) records += record.ordinal >= 0 ? 1 : 0;
    return records;
  };
  const append = async (opening: Promise<Thread>): Promise<string> => {
    const thread = await opening;
    thread.append(numbered(0));
    await thread.flush({ durability: 'synced' });
    await thread.close();
    return `appended to ${thread.id === id ? 'it' : 'another'}`;
  };
  const asked: Record<string, () => Promise<string>> = {
    resume: () => append(sidecar.resumeThread(id)),
    fork: () => append(sidecar.forkThread(id)),
    create: () => append(sidecar.createThread({ id })),
    setThreadMeta: () => sidecar.setThreadMeta(id, { title: 'x' }).then(() => 'set'),
    readRaw: () => read('raw').then((records) => `${records} records`),
    read: () => read('effective').then((records) => `${records} records`),
    getThread: () => sidecar.getThread(id).then((summary) => summary === undefined ? 'nothing' : 'a summary'),
    list: () => sidecar.listThreads({ sort: 'updated' }).then(({ threads }) => threads.some((thread) => thread.id === id) ? 'listed' : 'not listed'),
  };
  const answers: Record<string, string> = {};
  for (const [what, ask] of Object.entries(asked)) answers[what] = await within(outcomeOf(ask(), (answer) => answer), what);
  return answers;
}

const REFUSED = {
  resume: 'LASTWORD_ROLLOUT_CORRUPT', fork: 'LASTWORD_ROLLOUT_CORRUPT', create: 'LASTWORD_THREAD_EXISTS', setThreadMeta: 'LASTWORD_ROLLOUT_CORRUPT',
  readRaw: 'LASTWORD_ROLLOUT_CORRUPT', read: 'LASTWORD_ROLLOUT_CORRUPT', getThread: 'nothing', list: 'not listed',
};

interface Scene {
  readonly directory: string;
  readonly outside: string;
  /** A whole rollout, as it stands outside. */
  readonly elsewhere: string;
  readonly stored: Planted;
}

/** A directory with a rollout, and the same rollout where nobody is to write. */
function scene(): Scene {
  const directory = temporaryFolder();
  const outside = temporaryFolder();
  const stored = plant(directory, { items: upTo(3).map(numbered) });
  const elsewhere = join(outside, 'elsewhere.jsonl');
  writeFileSync(elsewhere, readFileSync(stored.path));
  return { directory, outside, elsewhere, stored };
}

type Kind = [name: string, make: (path: string, scene: Scene) => unknown];
const KINDS: Kind[] = [
  ['a link to a rollout', (path, { elsewhere }) => { symlinkSync(elsewhere, path); }],
  ['a link to nothing', (path, { outside }) => { symlinkSync(join(outside, 'new.jsonl'), path); }],
  ['a link to a device', (path) => { symlinkSync('/dev/zero', path); }],
  ['a folder', (path) => { mkdirSync(path); }],
  ['a FIFO', (path) => spawnSync('mkfifo', [path])],
  ['a socket', async (path, { outside }) => {
    // Its own path may not be as long as a rollout's.
    await once(createServer().listen(join(outside, 's')).unref(), 'listening');
    renameSync(join(outside, 's'), path);
  }],
];

async function meets(kind: Kind, patches: readonly Patch[] = []): Promise<{ answers: Record<string, string>; isUntouched: boolean }> {
  const place = scene();
  const { directory, outside, stored } = place;
  unlinkSync(stored.path);
  await kind[1](stored.path, place);
  const before = [snapshot(outside), lstatSync(stored.path).mode];
  const sidecar = await openWith(directory, patches);
  const answers = await askAll(sidecar, stored.id);
  return { answers, isUntouched: JSON.stringify([snapshot(outside), lstatSync(stored.path).mode]) === JSON.stringify(before) };
}

describe('in the place of a rollout', () => {
  test.each(KINDS)('P17: %s is refused, typed, by whatever asks for the thread, and nothing is written through it', async (...kind) => {
    expect(await meets(kind)).toEqual({ answers: REFUSED, isUntouched: true });
  });

  test.skipIf(!isRoot)('P17: a device is refused (needs root)', async () => {
    expect(await meets(['a device', (path) => spawnSync('mknod', [path, 'c', '1', '5'])])).toEqual({ answers: REFUSED, isUntouched: true });
  });

  test.each([
    ['a writer that follows links', KINDS[0], { file: 'worker/fs-ops.js', find: 'O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK', replace: 'O_RDWR | O_APPEND | O_NONBLOCK' }],
    ['a reader that follows links', KINDS[0], { file: 'src/reader/rollout-source.js', find: 'FLAGS | constants.O_NOFOLLOW', replace: 'FLAGS' }],
    ['a reader that reads whatever it can open', KINDS[4], { file: 'src/reader/heads.js', find: 'if (!(await file.stat()).isFile())', replace: 'if (false)' }],
    ['a writer that takes whatever it can open', KINDS[4], { file: 'worker/fs-guard.js', find: 'if (!stats.isFile())', replace: 'if (false)' }],
  ] as [string, Kind, Patch][])('the control: the same finds %s', async (_what, kind, patch) => {
    expect(await meets(kind, [patch])).not.toEqual({ answers: REFUSED, isUntouched: true });
  });
});

describe('a rollout with a further name', () => {
  /** As somebody would make it who may write to the folder and wants a file of ours to grow. */
  async function meetsLink(isFoldersOwner: boolean, patches: readonly Patch[] = [], more: (place: Scene) => void = () => undefined): Promise<string> {
    const place = scene();
    const { directory, elsewhere, stored } = place;
    unlinkSync(stored.path);
    linkSync(elsewhere, stored.path);
    more(place);
    if (!isFoldersOwner) chownSync(dirname(stored.path), 12_345, 12_345);
    const sidecar = await openWith(directory, patches);
    return outcomeOf(sidecar.resumeThread(stored.id).then(async (thread) => {
      thread.append(numbered(3));
      await thread.close();
    }), () => 'appended');
  }
  const CARELESS: Patch = { file: 'worker/fs-guard.js', find: 'if (nlink > 1 + own.length)', replace: 'if (false)' };

  test('P17: is resumed in a folder of ours: whoever made the name had our rights', async () => {
    expect(await meetsLink(true)).toBe('appended');
  });

  test.skipIf(!isRoot)('P17: is refused in a folder of another user, unless the name is one that our own publishing leaves behind (needs root)', async () => {
    expect(await meetsLink(false)).toBe('LASTWORD_ROLLOUT_CORRUPT');
    const leaveBehind = ({ elsewhere, stored }: Scene): void => {
      renameSync(elsewhere, join(dirname(stored.path), `.${basename(stored.path)}.12ab.tmp`));
    };
    expect(await meetsLink(false, [], leaveBehind)).toBe('appended');
    // One name more than can be accounted for.
    expect(await meetsLink(false, [], (place) => { linkSync(place.elsewhere, join(place.outside, 'third')); leaveBehind(place); })).toBe('LASTWORD_ROLLOUT_CORRUPT');
    expect(await meetsLink(false, [CARELESS])).toBe('appended');
  });
});

describe('a folder of the date that is a link', () => {
  const LEVELS: [string, number][] = [['day', 0], ['month', 1], ['year', 2]];
  const FOLLOWS: Patch = { file: 'worker/fs-guard.js', find: '=== true)', replace: '=== 0)' };
  const LOOKS_BEHIND: Patch = { file: 'src/reader/locate.js', find: "!kinds.includes('link')", replace: 'true' };

  /** Moves the folder outside, and puts a link in its place. */
  function moveAway({ stored, outside }: Scene, level: number): void {
    let folder = dirname(stored.path);
    for (let up = 0; up < level; up += 1) folder = dirname(folder);
    renameSync(folder, join(outside, 'moved'));
    symlinkSync(join(outside, 'moved'), folder);
  }

  async function meetsFolder(level: number, patches: readonly Patch[] = []): Promise<{ answers: Record<string, string>; isUntouched: boolean }> {
    const place = scene();
    moveAway(place, level);
    const before = snapshot(place.outside);
    const sidecar = await openWith(place.directory, patches);
    const answers = await askAll(sidecar, place.stored.id);
    answers['archive'] = await outcomeOf(sidecar.archiveThread(place.stored.id), () => 'done');
    answers['delete'] = await outcomeOf(sidecar.deleteThread(place.stored.id), () => 'done');
    return { answers, isUntouched: JSON.stringify(snapshot(place.outside)) === JSON.stringify(before) };
  }
  const NOWHERE = {
    resume: 'LASTWORD_THREAD_NOT_FOUND', fork: 'LASTWORD_THREAD_NOT_FOUND', create: 'LASTWORD_WRITE_FAILED', setThreadMeta: 'LASTWORD_THREAD_NOT_FOUND',
    readRaw: 'LASTWORD_THREAD_NOT_FOUND', read: 'LASTWORD_THREAD_NOT_FOUND', getThread: 'nothing', list: 'not listed', archive: 'LASTWORD_THREAD_NOT_FOUND',
    delete: 'LASTWORD_THREAD_NOT_FOUND',
  };

  test.each(LEVELS)('P17: the %s: nothing is read, written, made, moved or deleted behind it', async (_name, level) => {
    expect(await meetsFolder(level)).toEqual({ answers: NOWHERE, isUntouched: true });
  });

  test('P17: put there while the thread is open: it fails when its file is opened again, and nothing is written behind it', async () => {
    const run = async (patches: readonly Patch[]): Promise<{ closed: string; isUntouched: boolean }> => {
      const place = scene();
      const sidecar = await openWith(place.directory, patches, { openFilesMax: 1 });
      const thread = await sidecar.resumeThread(place.stored.id);
      await sidecar.createThread(); // takes the one descriptor
      moveAway(place, 0);
      const before = snapshot(place.outside);
      thread.append(numbered(3));
      const closed = await outcomeOf(thread.close(), () => 'closed');
      return { closed, isUntouched: JSON.stringify(snapshot(place.outside)) === JSON.stringify(before) };
    };
    expect(await run([])).toEqual({ closed: 'LASTWORD_WRITE_FAILED', isUntouched: true });
    expect(await run([FOLLOWS])).toEqual({ closed: 'closed', isUntouched: false });
  });

  test('P17: put where a thread is unarchived to: it stays where it is', async () => {
    const { directory, outside, stored } = scene();
    const sidecar = await openTestSidecar({ directory });
    await sidecar.archiveThread(stored.id);
    renameSync(dirname(stored.path), join(outside, 'moved'));
    symlinkSync(join(outside, 'moved'), dirname(stored.path));
    const before = snapshot(outside);
    expect(await outcomeOf(sidecar.unarchiveThread(stored.id), () => 'done')).toBe('LASTWORD_WRITE_FAILED');
    expect(snapshot(outside)).toEqual(before);
    expect((await sidecar.getThread(stored.id))?.archived).toBe(true);
  });

  test('the control: the same finds a library that looks behind it', async () => {
    expect((await meetsFolder(0, [LOOKS_BEHIND])).answers).not.toEqual(NOWHERE);
    expect(await meetsFolder(0, [LOOKS_BEHIND, FOLLOWS])).toMatchObject({ answers: { resume: 'appended to it', archive: 'done' }, isUntouched: false });
  });
});

test('P17: the directory, and the folders that it consists of, may be links: they are the owner\'s to place', async () => {
  const outside = temporaryFolder();
  const directory = join(temporaryFolder(), 'link');
  symlinkSync(outside, directory);
  for (const name of ['sessions', 'archived_sessions', 'locks']) {
    mkdirSync(join(outside, `other-${name}`));
    symlinkSync(join(outside, `other-${name}`), join(outside, name));
  }
  const sidecar = await openTestSidecar({ directory });
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  await thread.close();
  await sidecar.archiveThread(thread.id);
  await sidecar.unarchiveThread(thread.id);
  const resumed = await sidecar.resumeThread(thread.id);
  resumed.append(numbered(1));
  await resumed.close();
  expect((await sidecar.listThreads()).threads.map(({ id }) => id)).toEqual([thread.id]);
  expect(await itemsOf(join(outside, 'other-sessions', relative(join(directory, 'sessions'), thread.path)))).toEqual([numbered(0), numbered(1)]);
});

test('P17: a link in the place of the catalogue is replaced and not followed', async () => {
  const { directory, outside, elsewhere, stored } = scene();
  symlinkSync(elsewhere, join(directory, 'catalogue.jsonl'));
  const before = snapshot(outside);
  const sidecar = await openTestSidecar({ directory });
  expect((await sidecar.listThreads({ sort: 'updated' })).threads.map(({ id }) => id)).toEqual([stored.id]);
  expect(lstatSync(join(directory, 'catalogue.jsonl')).isFile()).toBe(true);
  expect(snapshot(outside)).toEqual(before);
});

describe('modes', () => {
  /** A program that does everything that makes a file, under the umask, with a rollout that anybody may read there before. */
  function modesUnder(umask: number, patches: readonly Patch[] = []): Record<string, string> {
    const directory = join(temporaryFolder(), 'made', 'twice');
    const torn = plant(directory, { items: upTo(3).map(numbered) });
    writeFileSync(torn.path, '{"torn', { flag: 'a' });
    chmodSync(torn.path, 0o644);
    for (let folder = dirname(torn.path); folder !== dirname(directory); folder = dirname(folder)) chmodSync(folder, 0o755);
    const url = patches.length === 0 ? 'lastword' : mutantPackage(...patches).lastwordUrl;
    const program = `import { openSidecar } from ${JSON.stringify(url)};
      process.umask(${umask});
      const sidecar = await openSidecar({ directory: ${JSON.stringify(directory)}, logger: false });
      const thread = await sidecar.resumeThread(${JSON.stringify(torn.id)});
      const other = await sidecar.createThread();
      await other.close();
      await sidecar.archiveThread(other.id);
      await sidecar.listThreads({ sort: 'updated' });
      process.kill(process.pid, 'SIGKILL');`;
    spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: ROOT });
    const modes: Record<string, string> = {};
    for (const name of readdirSync(directory, { recursive: true }) as string[]) {
      const { mode } = lstatSync(join(directory, name));
      modes[name.replace(/[0-9a-f]{8,}(-[0-9a-f]+)*/g, '*').replace(/\d{4}-\d\d-\d\dT[\d-]+/, '')] = (mode & 0o7777).toString(8);
    }
    return modes;
  }

  const now = new Date().toISOString().slice(0, 10).split('-');
  const EXPECTED = {
    // There before: the owner's.
    'sessions': '755', 'sessions/2026': '755', 'sessions/2026/05': '755', 'sessions/2026/05/06': '755',
    'sessions/2026/05/06/rollout-*.jsonl': '600', 'sessions/2026/05/06/rollout-*.jsonl.torn-1': '600',
    [`sessions/${now.slice(0, 1).join('/')}`]: '700', [`sessions/${now.slice(0, 2).join('/')}`]: '700', [`sessions/${now.join('/')}`]: '700',
    'archived_sessions': '700', 'archived_sessions/rollout-*.jsonl': '600', 'locks': '700', 'locks/*.lock': '600', 'locks/*.owner': '600', 'catalogue.jsonl': '600',
  };

  test.each([['000', 0o000], ['077', 0o077], ['277', 0o277]])('P17: under umask %s: files 0600, also a rollout that was readable by all; folders 0700 when they are made', (_name, umask) => {
    const modes = modesUnder(umask);
    expect(modes).toEqual({ ...EXPECTED, ...(now[0] === '2026' ? { 'sessions/2026': '755' } : {}) });
  });

  test('the control: the same finds a writer that leaves modes as they are', () => {
    expect(modesUnder(0, [{ file: 'worker/fs-guard.js', find: 'fs.fchmodSync(descriptor, FILE_MODE);', replace: '' }])).not.toEqual(EXPECTED);
  });

  test.skipIf(!isRoot)('P17: a rollout of another user keeps its mode (needs root)', async () => {
    const { directory, stored } = scene();
    chmodSync(stored.path, 0o640);
    chownSync(stored.path, 12_345, 12_345);
    await (await (await openTestSidecar({ directory })).resumeThread(stored.id)).close();
    expect(lstatSync(stored.path).mode & 0o7777).toBe(0o640);
  });
});
