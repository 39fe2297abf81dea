/** What is told of a thread, of which files, and of which not. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync, mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type * as lastword from 'lastword';
import type { Sidecar } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { archivedPath, rolloutName } from '../../src/rollout/rollout-path.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { damagedOf, fillerOf, headerOf, idAtMinute, idsOf, linesOfItems, listed, plant } from '../support/planted.js';
import { codexLine, corpusFiles } from '../support/rollouts.js';
import { secondProcess } from '../support/second-process.js';
import { numbered, openTestSidecar, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const MISSING = '01936c1e-7b2a-7000-8000-000000000001';
const OTHERS = '6fa459ea-ee8a-4ca4-894e-db77e160355e';
const MIB = 1 << 20;

function said(message: string): { type: string; payload: object } {
  return { type: 'event_msg', payload: { type: 'user_message', message } };
}

describe('getThread', () => {
  test('of a thread that is nowhere is undefined, of what is no id refused', async () => {
    const sidecar = await openTestSidecar();
    expect(await sidecar.getThread(MISSING)).toBeUndefined();
    expect(await sidecar.getThread(OTHERS)).toBeUndefined();
    for (const id of ['x', '../x', 7]) expect(await rejection(sidecar.getThread(id as string))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'id' } });
  });

  test('finds what a list has, wherever it stands and whatever its id', async () => {
    const directory = temporaryFolder();
    const far = 'ffffffff-ffff-7000-8000-000000000000';
    const astray = idAtMinute(2);
    const planted = [
      plant(directory), plant(directory, { id: OTHERS, at: `sessions/2025/01/02/rollout-2025-01-02T03-04-05-${OTHERS}.jsonl` }),
      plant(directory, { id: astray, at: `sessions/by-hand/${rolloutName(astray)}` }),
      plant(directory, { id: far, at: `sessions/2026/05/06/rollout-2026-05-06T00-00-00-${far}.jsonl` }),
    ];
    const upper = plant(directory, { id: idAtMinute(3) });
    const name = basename(upper.path).replace(upper.id, upper.id.toUpperCase());
    renameSync(upper.path, join(dirname(upper.path), name));
    const sidecar = await openTestSidecar({ directory });
    const all = await listed(sidecar);
    expect(all.map(({ id }) => id).sort()).toEqual([...planted, upper].map(({ id }) => id).sort());
    for (const summary of all) expect(await sidecar.getThread(summary.id)).toEqual(summary);
    expect(await damagedOf(sidecar)).toEqual([]);
    expect((await sidecar.resumeThread(upper.id)).path).toBe(join(dirname(upper.path), name));
  });

  test('of a rollout that cannot be summarised is undefined', async () => {
    const directory = temporaryFolder();
    const { id } = plant(directory, { bytes: 'nothing' });
    expect(await (await openTestSidecar({ directory })).getThread(id)).toBeUndefined();
  });

  test('sees a title wherever it was set; a list where it was set near the beginning or the end', async () => {
    const directory = temporaryFolder();
    const titled = (title: string, around: readonly [number, number]) => (id: string) =>
      plant(directory, { id, items: [...fillerOf(around[0]), { type: 'session_meta', payload: { id, title, history_mode: 'paginated' } }, ...fillerOf(around[1])] });
    const sidecar = await openTestSidecar({ directory });
    for (const [minute, [before, behind, isListed]] of ([[0, 0, true], [MIB, 5 * MIB, true], [5 * MIB, MIB, true], [3 * MIB, 3 * MIB, false]] as const).entries()) {
      const { id } = titled(`title ${minute}`, [before, behind])(idAtMinute(minute));
      expect(await sidecar.getThread(id)).toMatchObject({ title: `title ${minute}` });
      expect((await listed(sidecar)).find((summary) => summary.id === id)?.title).toBe(isListed ? `title ${minute}` : undefined);
    }
  });
});

describe('a summary', () => {
  test('has the metadata that were set last, without those that were removed, and with those a rollback brought back', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread({ meta: { title: 'first', cwd: '/a', git: { branch: 'main' } } });
    const told = async (): Promise<unknown> => (await sidecar.getThread(thread.id))?.meta;
    thread.append(numbered(0));
    const marker = thread.setMeta({ title: 'second', cwd: undefined, size: 3 });
    expect(await told()).toEqual({ title: 'second', git: { branch: 'main' }, size: 3 });
    thread.rollback(marker);
    expect(await told()).toEqual({ title: 'first', cwd: '/a', git: { branch: 'main' } });
    await thread.close();
    await sidecar.setThreadMeta(thread.id, { title: 7 });
    expect(await sidecar.getThread(thread.id)).toMatchObject({ title: undefined, meta: { title: 7, cwd: '/a' } });
  });

  test.each([
    ['an event of Codex', [said('hello')], 'hello'],
    ['an item of Codex', [{ type: 'event_msg', payload: { type: 'item_completed', item: { type: 'UserMessage', content: [{ type: 'text', text: 'hel' }, { type: 'image' }, { type: 'text', text: 'lo' }] } } }], 'hello'],
    ['a message to the model', [{ type: 'response_item', payload: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hello' }] } }], 'hello'],
    ['a message with nothing but its text', [{ type: 'response_item', payload: { type: 'message', role: 'user', content: 'hello' } }], 'hello'],
    ['the first of several', [numbered(0), said('hello'), said('again')], 'hello'],
    ['nobody said anything', [numbered(0), said(''), { type: 'response_item', payload: { type: 'message', role: 'assistant', content: 'hi' } }], undefined],
    ['what Codex says in the user\'s name', ['<environment_context>…', '# AGENTS.md instructions for /x', 'hello'].map((text) => ({ type: 'response_item', payload: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } })), 'hello'],
    ['a long text', [said('x'.repeat(1000))], 'x'.repeat(200)],
    ['a text of pairs', [said(`x${'😀'.repeat(200)}`)], `x${'😀'.repeat(99)}`],
    ['behind much else', [...fillerOf(MIB), said('hello')], 'hello'],
    ['that is no text', [{ type: 'event_msg', payload: { type: 'user_message', message: { text: 'no' } } }, said('hello')], 'hello'],
  ])('has as preview what the user said first: %s', async (_what, items, preview) => {
    const directory = temporaryFolder();
    plant(directory, { items });
    expect((await listed(await openTestSidecar({ directory })))[0]?.preview).toBe(preview);
  });

  test('says who may append: this sidecar, another process while it lives, nobody', async () => {
    const directory = temporaryFolder();
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.createThread();
    const owner = async (): Promise<unknown> => (await listed(sidecar))[0]?.owner;
    expect(await owner()).toBe('self');
    await thread.close();
    expect(await owner()).toBeUndefined();
    const holder = secondProcess(directory);
    await holder.ask('resume', thread.id);
    expect(await owner()).toEqual({ pid: holder.pid, host: expect.any(String) });
    await holder.kill();
    expect(await owner()).toBeUndefined();
  });

  test('of Codex\'s threads: both forms, local time in the names, the parent where older versions named it', async () => {
    const directory = temporaryFolder();
    const id = idAtMinute(0);
    const spawned = { id, timestamp: '2026-05-06T07:08:09.010Z', cwd: '/x', source: { subagent: { thread_spawn: { parent_thread_id: OTHERS, depth: 1 } } } };
    const local = rolloutName(id).replace('T07-08-09', 'T21-08-09');
    plant(directory, { id, at: `sessions/2026/05/07/${local}`, bytes: Buffer.concat([codexLine(undefined, spawned), codexLine(1)].map((line, number) =>
      (number === 0 ? Buffer.from(line.toString().replace('"event_msg"', '"session_meta"')) : line))) });
    for (const { path } of corpusFiles) {
      const [, year = '', month = '', day = ''] = /rollout-(\d{4})-(\d\d)-(\d\d)/.exec(path) ?? [];
      mkdirSync(join(directory, 'sessions', year, month, day), { recursive: true });
      copyFileSync(path, join(directory, 'sessions', year, month, day, basename(path)));
    }
    const sidecar = await openTestSidecar({ directory });
    const all = await listed(sidecar);
    expect(await damagedOf(sidecar)).toEqual([]);
    expect(all).toHaveLength(corpusFiles.length + 1);
    expect(all.find((summary) => summary.id === id)).toMatchObject({ parentId: OTHERS, createdAt: '2026-05-06T07:08:09.010Z', meta: { cwd: '/x' } });
    if (corpusFiles.length === 0) return;
    expect(all.map(({ preview }) => preview)).toEqual(['fork it', 'count to forty', expect.stringContaining('Files mentioned'), 'show tools', undefined]);
    expect(all[0]).toMatchObject({ forkedFrom: all[1]?.id, meta: { originator: 'codex_exec', cwd: '/home/agent/ws' } });
  });
});

describe('what cannot be summarised', () => {
  /** Puts something in the place of a rollout. Returns what is said of it. */
  const DAMAGE: Readonly<Record<string, { readonly put: (path: string, id: string) => unknown; readonly reason: RegExp }>> = {
    'an empty file': { put: (path) => { truncateSync(path); }, reason: /empty/ },
    'garbage': { put: (path) => { writeFileSync(path, 'garbage\n'); }, reason: /header/ },
    'a file of NULs': { put: (path) => { writeFileSync(path, Buffer.alloc(5000)); }, reason: /header/ },
    'half a header': { put: (path) => { truncateSync(path, 40); }, reason: /header/ },
    'a header whose checksum is wrong': { put: (path, id) => { writeFileSync(path, linesOfItems([headerOf(id)]).toString().replace('paginated', 'paginateD')); }, reason: /checksum/ },
    'records without a header': { put: (path) => { writeFileSync(path, linesOfItems([numbered(0)])); }, reason: /header/ },
    'a header behind another record': { put: (path, id) => { writeFileSync(path, linesOfItems([numbered(0), headerOf(id)])); }, reason: /header/ },
    'a first line without end': { put: (path) => { truncateSync(path, 0); truncateSync(path, 64 * MIB); }, reason: /too long/ },
    'a folder': { put: (path) => { renameSync(path, `${path}.away`); mkdirSync(path); }, reason: /regular/ },
    'a link': { put: (path) => { renameSync(path, `${path}.away`); symlinkSync(`${path}.away`, path); }, reason: /regular/ },
    'a link to nothing': { put: (path) => { renameSync(path, `${path}.away`); symlinkSync('/nowhere', path); }, reason: /regular/ },
    'a FIFO': { put: (path) => { renameSync(path, `${path}.away`); execFileSync('mkfifo', [path]); }, reason: /regular/ },
    'a socket': { put: async (path) => {
      renameSync(path, `${path}.away`);
      const server = createServer();
      onTestFinished(() => { server.close(); });
      await once(server.listen({ path: join(dirname(path), 's') }), 'listening');
      renameSync(join(dirname(path), 's'), path);
    }, reason: /regular/ },
    'a compressed one': { put: (path) => { renameSync(path, `${path}.zst`); }, reason: /compressed/ },
    'one whose name holds no id': { put: (path) => { renameSync(path, path.replace(/-[^-]*\.jsonl$/, '.jsonl')); }, reason: /name/ },
    'a further file of a thread, as Codex may make them': { put: (path) => { renameSync(path, path.replace('.jsonl', '_2.jsonl')); }, reason: /name/ },
  };

  async function checked(sidecar: Sidecar, ids: readonly string[], reason: RegExp): Promise<void> {
    for (const options of [{}, { direction: 'asc' }, { sort: 'updated' }, { cwd: '/here' }] as const) {
      expect((await idsOf(sidecar, { ...options, limit: 1 })).sort()).toEqual(ids);
      const damaged = await damagedOf(sidecar, { ...options, limit: 1 });
      expect(damaged).toEqual([{ path: expect.stringContaining('rollout-'), reason: expect.stringMatching(reason) }]);
    }
    expect(await damagedOf(sidecar, { archived: true })).toEqual([]);
  }

  test.each(Object.keys(DAMAGE))('is named once, and the rest is listed: %s', async (what) => {
    const directory = temporaryFolder();
    const ids = upTo(3).map((minute) => plant(directory, { id: idAtMinute(minute), meta: { cwd: '/here' } }));
    await DAMAGE[what]?.put(ids[1]?.path ?? '', ids[1]?.id ?? '');
    await checked(await openTestSidecar({ directory }), [ids[0]?.id ?? '', ids[2]?.id ?? ''], DAMAGE[what]?.reason ?? /^$/);
  });

  test('a second file of one thread: whoever asks for the thread gets the other one', async () => {
    const directory = temporaryFolder();
    const { id, path } = plant(directory, { meta: { cwd: '/here' } });
    for (const folder of ['sessions/2020/01/01', 'sessions/copies', dirname(path).slice(directory.length + 1).replace(/\d\d$/, '07')]) {
      mkdirSync(join(directory, folder), { recursive: true });
      const copy = join(directory, folder, basename(path));
      copyFileSync(path, copy);
      const sidecar = await openTestSidecar({ directory });
      await checked(sidecar, [id], /another rollout/);
      expect((await sidecar.getThread(id))?.path).toBe(path);
      renameSync(copy, `${copy}.away`);
    }
  });

  test('a thread that a process left with both names when it died is active, as for whoever resumes it', async () => {
    const directory = temporaryFolder();
    const { id, path } = plant(directory);
    mkdirSync(join(directory, 'archived_sessions'));
    linkSync(path, archivedPath(directory, id));
    const sidecar = await openTestSidecar({ directory });
    expect(await idsOf(sidecar)).toEqual([id]);
    expect(await idsOf(sidecar, { archived: true })).toEqual([]);
    expect(await damagedOf(sidecar, { archived: true })).toEqual([{ path: archivedPath(directory, id), reason: expect.stringContaining('another') }]);
  });

  test('other files are no rollouts: torn ends, temporary ones, notes, logs of jobs', async () => {
    const directory = temporaryFolder();
    const { id, path } = plant(directory);
    for (const name of [`.${basename(path)}.1f.tmp`, `${basename(path)}.torn-1`, 'notes.txt', '.DS_Store']) writeFileSync(join(dirname(path), name), 'x');
    mkdirSync(join(directory, 'jobs'));
    copyFileSync(path, join(directory, 'jobs', rolloutName(idAtMinute(1))));
    const sidecar = await openTestSidecar({ directory });
    expect(await idsOf(sidecar)).toEqual([id]);
    expect(await damagedOf(sidecar)).toEqual([]);
  });

  test('thousands of them make no endless page', async () => {
    const directory = temporaryFolder();
    for (const minute of upTo(2500)) plant(directory, { id: idAtMinute(minute), bytes: '' });
    const sidecar = await openTestSidecar({ directory });
    const page = await sidecar.listThreads({ limit: 10 });
    expect(page.threads).toEqual([]);
    expect(page.damaged.length).toBeGreaterThanOrEqual(1000);
    expect(page.damaged.length).toBeLessThan(1010);
    expect(await damagedOf(sidecar)).toHaveLength(2500);
  });
});

describe('a page', () => {
  /** What a page of 50 of 3,000 has, and which files were opened for it; of the first page and of the second. */
  async function openedFor(...patches: Patch[]): Promise<{ paths: string[]; opened: string[] }[]> {
    const directory = temporaryFolder();
    for (const minute of upTo(3000)) plant(directory, { id: idAtMinute(minute) });
    const probe: Patch = { file: 'src/reader/lists/pieces.js', find: 'const file = await open(path, FLAGS);', replace: 'globalThis.openedForLists.push(path); const file = await open(path, FLAGS);' };
    const { openSidecar } = await import(mutantPackage(probe, ...patches).lastwordUrl) as typeof lastword;
    const sidecar = await openSidecar({ directory, logger: false });
    onTestFinished(async () => { await sidecar.close(); });
    const seen: { paths: string[]; opened: string[] }[] = [];
    let cursor: string | undefined;
    while (seen.length < 2) {
      const opened: string[] = [];
      (globalThis as { openedForLists?: string[] }).openedForLists = opened;
      const page = await sidecar.listThreads({ cursor });
      cursor = page.nextCursor;
      seen.push({ paths: page.threads.map(({ path }) => path).sort(), opened: opened.sort() });
    }
    return seen;
  }

  test('opens the files that are on it, and no other', async () => {
    for (const { paths, opened } of await openedFor()) {
      expect(paths).toHaveLength(50);
      expect(opened).toEqual(paths);
    }
  });

  test('that opened others would be noticed', async () => {
    const eager: Patch = { file: 'src/reader/lists/thread-lists.js', find: 'const isMore = (await take(places, 1)).length > 0;', replace: 'const isMore = (await Promise.all((await take(places, 1)).map((place) => this.examineEarly(place)))).length > 0;' };
    const examine: Patch = { file: 'src/reader/lists/thread-lists.js', find: '    async #fill(', replace: '    examineEarly(place) { return summarise(place.pathIn(this.#host.directory), false, WINDOW_BYTES); }\n    async #fill(' };
    for (const { paths, opened } of await openedFor(eager, examine)) expect(opened).not.toEqual(paths);
  });
});
