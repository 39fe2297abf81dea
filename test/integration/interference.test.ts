/** What somebody else does to the file of an open thread: noticed, told of, and made good from what is held and what is still open. */
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Sidecar, SidecarEvents, SidecarOptions, Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { mutantWriter, type Patch } from '../support/mutants.js';
import { itemsOf, numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, until, upTo } from '../support/sidecars.js';

interface Logged { level: string; members: Record<string, unknown>; message: string }
interface Scene { sidecar: Sidecar; told: string[]; degraded: SidecarEvents['degraded'][]; lines: Logged[] }

async function open(options: Partial<SidecarOptions> = {}): Promise<Scene> {
  const lines: Logged[] = [];
  const at = (level: string) => (members: object, message: string): void => { lines.push({ level, members: members as Record<string, unknown>, message }); };
  const silent = (): void => undefined;
  const sidecar = await openTestSidecar({ logger: { debug: silent, info: silent, warn: at('warn'), error: at('error') } as never, ...options });
  const told: string[] = [];
  const degraded: SidecarEvents['degraded'][] = [];
  sidecar.on('degraded', (what) => { told.push('degraded'); degraded.push(what); });
  sidecar.on('recovered', () => { told.push('recovered'); });
  return { sidecar, told, degraded, lines };
}

/** What may be under way when it happens. Each returns how many items there are then. */
const SITUATIONS: Record<string, (thread: Thread) => Promise<number>> = {
  'idle, nothing synced': async (thread) => {
    for (const index of upTo(3)) thread.append(numbered(index));
    await thread.flush();
    return 3;
  },
  'idle, all synced': async (thread) => {
    for (const index of upTo(4)) thread.append(numbered(index));
    await thread.flush({ durability: 'synced' });
    return 4;
  },
  'idle, partly synced': async (thread) => {
    for (const index of upTo(5)) thread.append(numbered(index));
    await thread.flush({ durability: 'synced' });
    for (const index of upTo(5)) thread.append(numbered(5 + index));
    await thread.flush();
    return 10;
  },
  'idle, with nothing but a header': async () => Promise.resolve(0),
  'idle, long': async (thread) => {
    for (const index of upTo(3000)) thread.append(numbered(index));
    await thread.flush({ durability: 'synced' });
    return 3000;
  },
};

/** What is done to the file, and what the log says of it. */
const ACTS: Record<string, { act: (path: string) => void; change: string; isWithin: (situation: string) => boolean; left: RegExp[] }> = {
  'unlinked': { act: (path) => { unlinkSync(path); }, change: 'deleted', isWithin: () => true, left: [] },
  'replaced': {
    act: (path) => { writeFileSync(`${path}.new`, 'foreign\n'); renameSync(`${path}.new`, path); }, change: 'replaced', isWithin: () => true, left: [/\.foreign-1$/],
  },
  'cut': { act: (path) => { truncateSync(path, 10); }, change: 'cut', isWithin: (situation) => !/all synced|partly|long/.test(situation), left: [] },
  'left in a folder that is removed': { act: (path) => { rmSync(dirname(dirname(dirname(dirname(path)))), { recursive: true }); }, change: 'deleted', isWithin: () => true, left: [] },
};

const besideOf = (path: string): string[] => readdirSync(dirname(path)).filter((name) => name !== basename(path));

describe('P13: a file that is', () => {
  for (const [name, { act, change, isWithin, left }] of Object.entries(ACTS)) {
    for (const [situation, prepare] of Object.entries(SITUATIONS).filter(([one]) => isWithin(one))) {
      test.each(['noticed while nothing is written', 'noticed by the next batch'])(`${name} (${situation}) is made anew, whole: %s`, async (how) => {
        const { sidecar, told, degraded, lines } = await open();
        const thread = await sidecar.createThread();
        const count = await prepare(thread);
        act(thread.path);
        if (how === 'noticed by the next batch') thread.append(numbered(count));
        await until(() => told.length === 2, 'the end of the episode');
        expect(told).toEqual(['degraded', 'recovered']);
        expect(degraded[0]).toMatchObject({ threadId: thread.id, error: { code: 'LASTWORD_WRITE_FAILED', context: { path: thread.path, change } } });
        expect(lines.map(({ level }) => level)).toEqual(['warn']);
        if (how !== 'noticed by the next batch') thread.append(numbered(count));
        expect((await thread.flush({ durability: 'synced' })).nextOrdinal).toBe(count + 2);
        await thread.close();
        expect(await itemsOf(thread.path)).toEqual(upTo(count + 1).map(numbered));
        expect(statSync(thread.path).mode & 0o777).toBe(0o600);
        const beside = besideOf(thread.path);
        expect([beside.length, left.every((one, at) => one.test(beside[at] ?? ''))]).toEqual([left.length, true]);
        if (left.length > 0) expect(readFileSync(join(dirname(thread.path), beside[0] ?? ''), 'utf8')).toBe('foreign\n');
      });
    }
  }
});

describe('P13: a file that is moved', () => {
  test.each(Object.entries(SITUATIONS))('is followed, and reported (%s)', async (_situation, prepare) => {
    const { sidecar, told, lines } = await open();
    const thread = await sidecar.createThread();
    const before = thread.path;
    const count = await prepare(thread);
    const moved = join(temporaryFolder(), 'elsewhere.jsonl');
    renameSync(before, moved);
    await until(() => lines.length > 0, 'the report');
    expect(lines).toEqual([{ level: 'warn', members: { threadId: thread.id, from: before, path: moved }, message: expect.stringContaining('moved') }]);
    expect(thread.path).toBe(moved);
    thread.append(numbered(count));
    await thread.flush({ durability: 'synced' });
    await thread.close();
    expect(await itemsOf(moved)).toEqual(upTo(count + 1).map(numbered));
    expect([existsSync(before), told]).toEqual([false, []]);
  });

  test('with its folder is followed too, and opened there again after it was let go of', async () => {
    const { sidecar, lines } = await open({ openFilesMax: 1 });
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush();
    const folder = dirname(thread.path);
    renameSync(folder, `${folder}-moved`);
    await until(() => lines.length > 0, 'the report');
    const other = await sidecar.createThread();
    other.append(numbered(0));
    await other.flush();
    thread.append(numbered(1));
    await thread.close({ durability: 'synced' });
    expect(thread.path).toBe(join(`${folder}-moved`, basename(thread.path)));
    expect(await itemsOf(thread.path)).toEqual(upTo(2).map(numbered));
  });

  test('while another one takes its place is followed, and the other is left alone', async () => {
    const { sidecar, lines } = await open();
    const thread = await sidecar.createThread();
    const before = thread.path;
    renameSync(before, `${before}.old`);
    copyFileSync(`${before}.old`, before);
    const copy = readFileSync(before);
    await until(() => lines.length > 0, 'the report');
    thread.append(numbered(0));
    await thread.close();
    expect(await itemsOf(`${before}.old`)).toEqual([numbered(0)]);
    expect(readFileSync(before).equals(copy)).toBe(true);
  });
});

describe('P13: what cannot be made good', () => {
  test('a file cut where nothing is held fails its thread, names what is missing, and what is left stays', async () => {
    const { sidecar } = await open();
    const thread = await sidecar.createThread();
    for (const index of upTo(5)) thread.append(numbered(index));
    await thread.flush({ durability: 'synced' });
    const lines = readFileSync(thread.path, 'utf8').split('\n');
    // Within the record of ordinal 3.
    truncateSync(thread.path, lines.slice(0, 3).join('\n').length + 10);
    for (const index of upTo(2)) thread.append(numbered(5 + index));
    expect(await rejection(thread.flush())).toMatchObject({
      code: 'LASTWORD_WRITE_FAILED', context: { threadId: thread.id, path: thread.path, change: 'cut', unwritten: [{ threadId: thread.id, from: 3, to: 7 }] },
    });
    expect(thread.state).toBe('failed');
    expect(readFileSync(thread.path, 'utf8')).toBe(lines.join('\n').slice(0, lines.slice(0, 3).join('\n').length + 10));
  });

  test('a file deleted while it was not open, but for what is held', async () => {
    const { sidecar, told } = await open({ openFilesMax: 1 });
    const [held, lost] = [await sidecar.createThread(), await sidecar.createThread()];
    held.append(numbered(0));
    lost.append(numbered(0));
    await lost.flush({ durability: 'synced' });
    await held.flush();
    const other = await sidecar.createThread();
    unlinkSync(held.path);
    unlinkSync(lost.path);
    expect(await rejection(lost.flush({ durability: 'synced', timeoutMs: 5000 }).then(() => lost.close()))).toMatchObject({
      code: 'LASTWORD_WRITE_FAILED', context: { change: 'deleted', unwritten: [{ threadId: lost.id, from: 0, to: 1 }] },
    });
    held.append(numbered(1));
    await held.flush({ durability: 'synced' });
    await held.close();
    await other.close();
    expect(await itemsOf(held.path)).toEqual(upTo(2).map(numbered));
    expect(told).toContain('recovered');
  });

  test('a folder in the place of the file is left alone, and the thread fails', async () => {
    const { sidecar } = await open();
    const thread = await sidecar.createThread();
    unlinkSync(thread.path);
    mkdirSync(thread.path);
    thread.append(numbered(0));
    expect(await rejection(thread.flush())).toMatchObject({ context: { unwritten: [{ from: 1, to: 1 }] } });
    expect(statSync(thread.path).isDirectory()).toBe(true);
  });

  test('a link in the place of the file is not followed', async () => {
    const { sidecar, told } = await open();
    const thread = await sidecar.createThread();
    const target = join(temporaryFolder(), 'target');
    writeFileSync(target, 'mine\n');
    unlinkSync(thread.path);
    symlinkSync(target, thread.path);
    thread.append(numbered(0));
    await thread.flush({ durability: 'synced' });
    await until(() => told.length === 2, 'the end of the episode');
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual([numbered(0)]);
    expect(readFileSync(target, 'utf8')).toBe('mine\n');
  });

  test('what somebody else has appended stays, and fails the thread', async () => {
    const { sidecar } = await open();
    const thread = await sidecar.createThread();
    appendFileSync(thread.path, 'foreign\n');
    thread.append(numbered(0));
    expect(await rejection(thread.flush())).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { change: 'grown', unwritten: [{ from: 1, to: 1 }] } });
    expect(readFileSync(thread.path, 'utf8').endsWith('foreign\n')).toBe(true);
  });
});

describe('P3: nothing is acknowledged as synced into a file without a name', () => {
  const DURING: Patch = {
    file: 'worker/fs-ops.js', find: 'syncFile: (descriptor) => datasync(descriptor),',
    replace: `syncFile: async (descriptor) => {
      await datasync(descriptor);
      // Somebody deletes it before the writer hears that the sync has succeeded.
      const path = fs.readlinkSync('/proc/self/fd/' + descriptor);
      if (!globalThis.hasDeleted && path.endsWith('.jsonl')) { fs.unlinkSync(path); globalThis.hasDeleted = true; }
    },`,
  };

  async function deletedDuringSync(...patches: Patch[]): Promise<boolean> {
    const { sidecar } = await open({ writerUrl: mutantWriter(DURING, ...patches) });
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush({ durability: 'synced' });
    return existsSync(thread.path) && (await recordsOf(thread.path)).length === 2;
  }

  test('so it is looked at after each sync', async () => {
    expect(await deletedDuringSync()).toBe(true);
  });

  test('the control: a writer that does not look claims what is gone', async () => {
    const looksNever = { file: 'worker/interference.js', find: 'this.#look();', replace: '' };
    expect(await deletedDuringSync(looksNever, { file: 'worker/file-sync.js', find: 'return file.isReleased || this.#interference.isInPlace(file);', replace: 'return true;' })).toBe(false);
  });
});

describe('the control: the same finds', () => {
  test.each<[string, Patch[]]>([
    ['a writer that looks only when it writes', [{ file: 'worker/interference.js', find: 'this.#look();', replace: '' }]],
    ['a writer that trusts its descriptor', [{ file: 'worker/interference.js', find: 'if (identity === undefined || !file.isEndKnown)', replace: 'if (true)' }]],
    ['a writer that does not write what is held', [{ file: 'worker/rewrite.js', find: 'for (const bytes of held)', replace: 'for (const bytes of [])' }]],
    ['a writer that does not copy what is synced', [{ file: 'worker/rewrite.js', find: 'source !== undefined && done < sourceBytes', replace: 'false' }]],
    ['a writer that writes over what stands there', [{ file: 'worker/file-sync.js', find: 'if (isForeign)', replace: 'if (false)' }]],
  ])('%s', async (_what, patches) => {
    const { sidecar, told } = await open({ writerUrl: mutantWriter(...patches) });
    const thread = await sidecar.createThread();
    for (const index of upTo(2)) thread.append(numbered(index));
    await thread.flush({ durability: 'synced' });
    thread.append(numbered(2));
    await thread.flush();
    writeFileSync(`${thread.path}.new`, 'foreign\n');
    renameSync(`${thread.path}.new`, thread.path);
    const isNoticed = await until(() => told.length === 2, 'the end of the episode', 3000).then(() => true, () => false);
    await thread.close().catch(() => undefined);
    const items = await itemsOf(thread.path).catch(() => []);
    const isKept = besideOf(thread.path).some((name) => name.endsWith('.foreign-1'));
    expect(isNoticed && isKept && JSON.stringify(items) === JSON.stringify(upTo(3).map(numbered))).toBe(false);
  });
});
