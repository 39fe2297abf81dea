/** importSalvage() puts records back: a rollout that was cut is afterwards, byte for byte, what it would have been. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importSalvage, openSidecar } from 'lastword';
import { describe, expect, test } from 'vitest';
import { nodeFsOps, systemClock } from '../../worker/fs-ops.js';
import { appendSalvage } from '../../worker/salvage.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, upTo } from '../support/sidecars.js';
import { secondProcess } from '../support/second-process.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURE = join(ROOT, 'test/fixtures/codex/begun-by-codex.jsonl');

interface Case {
  readonly directory: string;
  readonly id: string;
  readonly path: string;
  /** The rollout as it should be. */
  readonly whole: Buffer;
  readonly lines: readonly Buffer[];
  /** With everything that the rollout lacks. */
  readonly salvage: string;
}

/** A rollout of which the records from `from` on are in a salvage file. */
async function cut(records: number, from: number, item: (index: number) => ReturnType<typeof numbered> = numbered, directory = temporaryFolder()): Promise<Case> {
  const sidecar = await openSidecar({ directory, logger: false });
  const thread = await sidecar.createThread();
  for (const index of upTo(records - 1)) thread.append(item(index));
  await sidecar.close();
  return cutAt(directory, thread.id, thread.path, from);
}

function cutAt(directory: string, id: string, path: string, from: number): Case {
  const whole = readFileSync(path);
  const lines = linesOf(whole);
  writeFileSync(path, Buffer.concat(lines.slice(0, from).flatMap((line) => [line, Buffer.from('\n')])));
  return { directory, id, path, whole, lines, salvage: salvageOf({ id, path }, lines.slice(from)) };
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0x0a, at);
    lines.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return lines;
}

function salvageOf({ id, path }: Pick<Case, 'id' | 'path'>, lines: readonly Buffer[]): string {
  return appendSalvage({ fs: nodeFsOps, clock: systemClock, temporaryFolder: dirname(path) }, { threadId: id, path }, lines.map((line) => ({ threadId: id, line })));
}

function expectWhole({ directory, path, whole }: Case): void {
  expect(readFileSync(path).equals(whole)).toBe(true);
  expect(readdirSync(join(directory, 'locks'))).toEqual([]);
}

describe('importSalvage', () => {
  test('puts what close({ abandon }) salvaged back, once, and the thread goes on behind it', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    await thread.flush();
    const whole = readFileSync(thread.path);
    appendFileSync(thread.path, 'x');
    thread.appendAll(upTo(500).map((index) => ({ ...numbered(index), text: '\u2028\ud800'.repeat(index) })));
    await rejection(thread.flush());
    const { salvage = '' } = await thread.close({ abandon: true });
    expect(await importSalvage(salvage, sidecar.directory)).toEqual({ records: 500, alreadyThere: 0 });
    expect(readFileSync(thread.path).subarray(0, whole.length).equals(whole)).toBe(true);
    expect((await recordsOf(thread.path)).map(({ ordinal }) => ordinal)).toEqual(upTo(502));
    const after = readFileSync(thread.path);
    expect(await importSalvage(salvage, sidecar.directory)).toEqual({ records: 0, alreadyThere: 500 });
    expect([readFileSync(thread.path).equals(after), existsSync(salvage)]).toEqual([true, true]);
    const again = await sidecar.resumeThread(thread.id);
    expect(again.append(numbered(1))).toBe(502);
    await again.close();
    // What came behind is no reason to refuse what is there already.
    expect(await importSalvage(salvage, sidecar.directory)).toEqual({ records: 0, alreadyThere: 500 });
  });

  test.each([[1], [7], [60], [99]])('from record %i on, whatever of it is there already, torn ends too', async (from) => {
    const one = await cut(100, from);
    const { lines, path } = one;
    for (const there of new Set([from, from + 1, 99, 100])) {
      for (const torn of [0, 1, 30]) {
        writeFileSync(path, Buffer.concat([...lines.slice(0, there).flatMap((line) => [line, Buffer.from('\n')]), (lines[there] ?? Buffer.alloc(0)).subarray(0, torn)]));
        expect(await importSalvage(one.salvage, one.directory), `${there} there`).toEqual({ records: 100 - there, alreadyThere: there - from });
        expectWhole(one);
      }
    }
  });

  test('of large records, and of several threads', async () => {
    const directory = temporaryFolder();
    const text = (index: number): ReturnType<typeof numbered> => ({ type: 'event_msg', payload: { index, text: 'é'.repeat(index * 400_000) } });
    const cases = [await cut(6, 2, text, directory), await cut(300, 100, numbered, directory), await cut(5, 5, numbered, directory)];
    const both = join(directory, 'all.jsonl');
    writeFileSync(both, Buffer.concat(cases.map(({ salvage }) => readFileSync(salvage))));
    expect(await importSalvage(both, directory)).toEqual({ records: 204, alreadyThere: 0 });
    for (const one of cases) expectWhole(one);
  });

  test('of files put together by hand, in any order and with copies', async () => {
    const one = await cut(50, 10);
    const [first, second] = [salvageOf(one, one.lines.slice(10, 30)), salvageOf(one, one.lines.slice(20))].map((path) => readFileSync(path));
    const both = join(one.directory, 'both.jsonl');
    writeFileSync(both, Buffer.concat([second ?? Buffer.alloc(0), first ?? Buffer.alloc(0)]));
    expect(await importSalvage(both, one.directory)).toEqual({ records: 40, alreadyThere: 10 });
    expectWhole(one);
  });

  test('of an archived thread, where it is now', async () => {
    const one = await cut(10, 4);
    const archived = join(one.directory, 'archived_sessions', basename(one.path));
    const sidecar = await openTestSidecar({ directory: one.directory });
    await sidecar.archiveThread(one.id);
    expect(await importSalvage(one.salvage, one.directory)).toEqual({ records: 6, alreadyThere: 0 });
    expect(readFileSync(archived).equals(one.whole)).toBe(true);
  });

  test('of a file whose records are not numbered, with records that are alike', async () => {
    const directory = temporaryFolder();
    const [line = ''] = readFileSync(FIXTURE, 'utf8').split('\n');
    const header = JSON.parse(line) as { ordinal?: number; payload: { id: string; history_mode?: string } };
    delete header.ordinal;
    delete header.payload.history_mode;
    const { id } = header.payload;
    const path = join(directory, 'sessions/2026/11/21', `rollout-2026-11-21T00-00-00-${id}.jsonl`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(header)}\n`);
    const sidecar = await openSidecar({ directory, logger: false });
    const thread = await sidecar.resumeThread(id);
    for (const index of upTo(40)) thread.append(numbered(index));
    await sidecar.close();
    const lines = linesOf(readFileSync(path));
    const alike = [...lines.slice(0, 20), lines[19] ?? Buffer.alloc(0), lines[19] ?? Buffer.alloc(0)];
    writeFileSync(path, Buffer.concat(alike.flatMap((one) => [one, Buffer.from('\n')])));
    const one = cutAt(directory, id, path, 5);
    writeFileSync(path, Buffer.concat(alike.slice(0, 20).flatMap((known) => [known, Buffer.from('\n')])));
    expect(await importSalvage(one.salvage, directory)).toEqual({ records: 2, alreadyThere: 15 });
    expectWhole(one);
    expect(await importSalvage(one.salvage, directory)).toEqual({ records: 0, alreadyThere: 17 });
    expectWhole(one);
  });

  test('with records missing in between leaves the hole where it is, and what is behind it is there', async () => {
    const one = await cut(20, 10);
    const salvage = salvageOf(one, one.lines.slice(15));
    expect(await importSalvage(salvage, one.directory)).toEqual({ records: 5, alreadyThere: 0 });
    expect(linesOf(readFileSync(one.path)).map((line) => line.toString())).toEqual([...one.lines.slice(0, 10), ...one.lines.slice(15)].map((line) => line.toString()));
  });
});

describe('importSalvage refuses', () => {
  test('a thread that is open, here or in another process, and changes nothing', async () => {
    const one = await cut(10, 4);
    const other = secondProcess(one.directory);
    expect(await other.ask('resume', one.id)).not.toHaveProperty('code');
    const before = readFileSync(one.path);
    expect(await rejection(importSalvage(one.salvage, one.directory))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { threadId: one.id, owner: { pid: other.pid } } });
    expect(readFileSync(one.path).equals(before)).toBe(true);
    await other.kill();
    const sidecar = await openTestSidecar({ directory: one.directory });
    const thread = await sidecar.resumeThread(one.id);
    expect(await rejection(importSalvage(one.salvage, one.directory))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { owner: { pid: process.pid } } });
    await thread.close();
    expect(await importSalvage(one.salvage, one.directory)).toEqual({ records: 6, alreadyThere: 0 });
    expect(readFileSync(one.path).equals(one.whole)).toBe(true);
  });

  test('a thread that went on with other records under the same ordinals: both are named, and no thread of the file is changed', async () => {
    const directory = temporaryFolder();
    const [one, other] = [await cut(10, 4, numbered, directory), await cut(10, 4, numbered, directory)];
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.resumeThread(other.id);
    thread.append({ type: 'event_msg', payload: 'another' });
    await sidecar.close();
    const both = join(directory, 'both.jsonl');
    writeFileSync(both, Buffer.concat([one.salvage, other.salvage].map((path) => readFileSync(path))));
    const before = [one.path, other.path].map((path) => readFileSync(path, 'utf8'));
    const error = await rejection(importSalvage(both, directory));
    expect(error).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'path', path: both, threadId: other.id, ordinal: 4 } });
    expect([one.path, other.path].map((path) => readFileSync(path, 'utf8'))).toEqual(before);
    expect(readdirSync(join(directory, 'locks'))).toEqual([]);
    expect(await importSalvage(one.salvage, directory)).toEqual({ records: 6, alreadyThere: 0 });
  });

  test('what is behind a damaged line, names its place, and puts back what stands before', async () => {
    const one = await cut(40, 10);
    const bytes = readFileSync(one.salvage);
    const starts = linesOf(bytes).reduce<number[]>((offsets, line) => [...offsets, (offsets.at(-1) ?? 0) + line.length + 1], [0]);
    const short = readFileSync(one.path);
    for (const [place, damage] of [[12, 'flipped'], [29, 'cut'], [0, 'flipped'], [5, 'cut']] as const) {
      writeFileSync(one.path, short);
      const at = (starts[place] ?? 0) + 80;
      const damaged = join(one.directory, `damaged-${place}.jsonl`);
      writeFileSync(damaged, damage === 'cut' ? bytes.subarray(0, at) : Buffer.concat([bytes.subarray(0, at), Buffer.from([(bytes[at] ?? 0) ^ 1]), bytes.subarray(at + 1)]));
      const error = await rejection(importSalvage(damaged, one.directory));
      expect(error, damaged).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT', context: { path: damaged, offset: starts[place], records: place, alreadyThere: 0 } });
      expect(linesOf(readFileSync(one.path)).length).toBe(10 + place);
    }
    writeFileSync(one.path, short);
    expect(await importSalvage(one.salvage, one.directory)).toEqual({ records: 30, alreadyThere: 0 });
    expectWhole(one);
  });

  test.each<[string, (one: Case) => [path: unknown, directory: unknown], object]>([
    ['a salvage file that is not there', ({ directory }) => [join(directory, 'none'), directory], { code: 'LASTWORD_THREAD_NOT_FOUND' }],
    ['a folder', ({ directory }) => [directory, directory], { code: 'LASTWORD_ROLLOUT_CORRUPT' }],
    ['a rollout', ({ path, directory }) => [path, directory], { code: 'LASTWORD_ROLLOUT_CORRUPT', context: { offset: 0, records: 0 } }],
    ['threads that are not below the directory', ({ salvage }) => [salvage, temporaryFolder()], { code: 'LASTWORD_THREAD_NOT_FOUND' }],
    ['no path', ({ directory }) => ['', directory], { code: 'LASTWORD_INVALID_OPTION', context: { option: 'path' } }],
    ['no directory', ({ salvage }) => [salvage, 7], { code: 'LASTWORD_INVALID_OPTION', context: { option: 'directory' } }],
  ])('%s', async (_what, args, expected) => {
    const one = await cut(10, 4);
    const before = readFileSync(one.path);
    const [path, directory] = args(one);
    expect(await rejection(importSalvage(path as string, directory as string))).toMatchObject(expected);
    expect(readFileSync(one.path).equals(before)).toBe(true);
    if (typeof directory === 'string' && directory !== one.directory) expect(readdirSync(directory)).toEqual([]);
  });

  test('nothing that is there because the disk is full: what fitted stays, and the next time the rest comes', async () => {
    const one = await cut(2000, 10);
    const { lastwordUrl } = mutantPackage(SMALL_BATCHES, {
      file: 'worker/fs-ops.js', find: WRITE,
      replace: `write: (descriptor, bytes, offset, length) => {
        globalThis.writes = (globalThis.writes ?? 0) + 1;
        if (globalThis.writes <= 10) return fs.writeSync(descriptor, bytes, offset, length);
        fs.writeSync(descriptor, bytes, offset, 100);
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', errno: -28, syscall: 'write' });
      },`,
    });
    const { importSalvage: onFullDisk } = await import(/* @vite-ignore */ lastwordUrl) as { importSalvage: typeof importSalvage };
    expect(await rejection(onFullDisk(one.salvage, one.directory))).toMatchObject({ code: 'LASTWORD_WRITE_FAILED', context: { errno: -28 } });
    const there = (await recordsOf(one.path)).length;
    expect(there).toBeGreaterThan(10);
    expect(await importSalvage(one.salvage, one.directory)).toEqual({ records: 2000 - there, alreadyThere: there - 10 });
    expectWhole(one);
  });
});

const SMALL_BATCHES: Patch = { file: 'worker/import-salvage.js', find: 'BATCH_BYTES = 1 << 20', replace: 'BATCH_BYTES = 1 << 13' };
const WRITE = 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),';

/** A package that is killed within a write, whose number and part the file says. */
function killedAt(sign: string, more: Patch[] = []): string {
  return mutantPackage(SMALL_BATCHES, {
    file: 'worker/fs-ops.js', find: WRITE,
    replace: `write: (descriptor, bytes, offset, length) => {
      const [number, part] = fs.readFileSync(${JSON.stringify(sign)}, 'utf8').split(' ').map(Number);
      globalThis.writes = (globalThis.writes ?? 0) + 1;
      if (globalThis.writes !== number) return fs.writeSync(descriptor, bytes, offset, length);
      fs.writeSync(descriptor, bytes, offset, Math.floor(length * part));
      process.kill(process.pid, 'SIGKILL');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },`,
  }, ...more).lastwordUrl;
}

/** Imports in a process of its own. Returns the signal that ended it. */
async function importElsewhere(lastwordUrl: string, { salvage, directory }: Case): Promise<NodeJS.Signals | null> {
  const program = `import { importSalvage } from ${JSON.stringify(lastwordUrl)};
    await importSalvage(${JSON.stringify(salvage)}, ${JSON.stringify(directory)});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  await once(child, 'exit');
  return child.signalCode;
}

describe('importSalvage that is killed', () => {
  test('at any write, again and again: the next time each record is there once', async () => {
    const random = randomFrom(SEED);
    const one = await cut(2000, 10);
    const short = readFileSync(one.path);
    const sign = join(one.directory, 'sign');
    const lastwordUrl = killedAt(sign);
    let halves = 0;
    for (const trial of upTo(8)) {
      writeFileSync(one.path, short);
      // Until it has got through: each process begins with what the one before has left.
      for (let kills = 0; kills < 3; kills += 1) {
        writeFileSync(sign, `${2 + random(12)} ${random(100) / 100}`);
        const signal = await importElsewhere(lastwordUrl, one);
        expect([null, 'SIGKILL']).toContain(signal);
        const { size } = statSync(one.path);
        if (size > short.length && size < one.whole.length) halves += 1;
      }
      const { records, alreadyThere } = await importSalvage(one.salvage, one.directory);
      expect(records + alreadyThere, `trial ${trial}, seed ${SEED}`).toBe(1990);
      expectWhole(one);
    }
    expect(halves, 'processes that were killed within their work').toBeGreaterThan(5);
  });

  test.each<[string, Patch]>([
    ['one that does not look at what is there', { file: 'worker/import-salvage.js', find: 'there.has(entry)', replace: 'there === entry' }],
    ['one that leaves the line that was begun', { file: 'worker/recovery/resume-rollout.js', find: 'fs.truncate(', replace: '(() => undefined)(' }],
  ])('the control: %s is seen', async (_what, patch) => {
    const one = await cut(2000, 10);
    const sign = join(one.directory, 'sign');
    writeFileSync(sign, '6 0.503');
    expect(await importElsewhere(killedAt(sign), one)).toBe('SIGKILL');
    const { importSalvage: wrong } = await import(/* @vite-ignore */ mutantPackage(patch).lastwordUrl) as { importSalvage: typeof importSalvage };
    await wrong(one.salvage, one.directory).catch(() => undefined);
    expect(readFileSync(one.path).equals(one.whole)).toBe(false);
  });
});
