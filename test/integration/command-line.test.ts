/** The command line in a pipe: what it lists, shows and verifies, and what it says to mistakes. */
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RolloutRecord, ThreadSummary, VerifyReport } from 'lastword';
import { describe, expect, test } from 'vitest';
import { plantRollouts } from '../../bench/load/rollouts.js';
import { archivedPath, rolloutPath } from '../../src/rollout/rollout-path.js';
import { lastword, lastwordJson, mutantCommand, startLastword, type Ran } from '../support/command-line.js';
import { idOfMinute, IDS, plantKnown } from '../support/planted-threads.js';
import { plant } from '../support/planted.js';
import { corpusFiles } from '../support/rollouts.js';
import { openTestSidecar, temporaryFolder, upTo } from '../support/sidecars.js';
import { within } from '../support/steps.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function known(): string {
  const directory = temporaryFolder();
  plantKnown(directory);
  return directory;
}

function idsOf(...args: string[]): string[] {
  return lastwordJson<ThreadSummary>(['ls', ...args]).map(({ id }) => id);
}

function ordinalsOf(...args: string[]): number[] {
  return lastwordJson<RolloutRecord>(args).map(({ ordinal }) => ordinal);
}

/** One line on stderr, with a code and what to do, and nothing else. */
function expectRefused({ status, stdout, stderr }: Ran, exit: number, ...parts: string[]): void {
  expect(stderr).toMatch(/^lastword: [^\n]+ \[[A-Z_]+\]: [^\n]+\n$/);
  expect([status, stdout], stderr).toEqual([exit, '']);
  for (const part of parts) expect(stderr).toContain(part);
}

describe('lastword ls', () => {
  test('lists newest first, and as asked: archived ones, so many, since when, children of one, by folder, as trees', () => {
    const directory = known();
    const { archived, ...others } = IDS;
    const newestFirst = Object.values(others).toReversed();
    expect(idsOf(directory)).toEqual(newestFirst);
    expect(idsOf(directory, '--archived')).toEqual([archived]);
    expect(idsOf(directory, '--limit', '2')).toEqual(newestFirst.slice(0, 2));
    expect(idsOf(directory, '--limit', '0')).toEqual([]);
    expect(idsOf(directory, '--parent', IDS.root)).toEqual([IDS.child]);
    expect(idsOf(directory, '--parent', IDS.child.slice(0, 13))).toEqual([IDS.grandchild]);
    expect(idsOf(directory, '--cwd', '/work/two')).toEqual([IDS.grandchild, IDS.child]);
    expect(idsOf(directory, '--since', '2026-05-06T07:08')).toEqual(newestFirst);
    expect(idsOf(directory, '--since', '2026-05-07')).toEqual([]);
    expect(idsOf(directory, '--since', '1h', '--sort', 'updated').toSorted()).toEqual(newestFirst.toSorted());
    const tree = lastwordJson<ThreadSummary & { depth: number }>(['ls', directory, '--tree']);
    expect(tree.map(({ id, depth }) => [id, depth])).toEqual([[IDS.hostile, 0], [IDS.wide, 0], [IDS.root, 0], [IDS.child, 1], [IDS.grandchild, 2]]);
  });

  test('shows threads whose parents never end, each once', () => {
    const directory = temporaryFolder();
    const ids = upTo(4).map((minute) => idOfMinute(minute));
    for (const [place, id] of ids.entries()) plant(directory, { id, meta: { parent_thread_id: ids[(place + 1) % 3] } });
    expect(idsOf(directory, '--tree').toSorted()).toEqual(ids);
  });

  test('says who has a thread open, and of what cannot be listed why', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const empty = plant(sidecar.directory, { bytes: '' });
    const { status, stdout, stderr } = lastword(['ls', sidecar.directory]);
    expect(stdout).toContain(`[${process.pid} on `);
    expect([status, stderr]).toEqual([1, `lastword: ${empty.path}: it is empty\n`]);
    expect(lastwordJson<ThreadSummary>(['ls', sidecar.directory])).toMatchObject([{ id: thread.id, owner: { pid: process.pid } }]);
    await sidecar.close();
    const compressed = `${thread.path.replace(thread.id, idOfMinute(0))}.zst`;
    renameSync(empty.path, compressed);
    const closed = lastword(['ls', sidecar.directory]);
    expect([closed.status, closed.stderr]).toEqual([0, 'lastword: 1 compressed rollout (.jsonl.zst) left out\n']);
    expect(closed.stdout).not.toContain(' on ');
  });
});

describe('lastword show', () => {
  test('takes a path, an id or the beginning of one, and shows all, from somewhere, or the last', () => {
    const directory = known();
    const path = rolloutPath(directory, IDS.root);
    const dir = ['--dir', directory];
    const all = upTo(7);
    expect(ordinalsOf('show', path)).toEqual(all);
    expect(ordinalsOf('show', IDS.root, ...dir)).toEqual(all);
    expect(ordinalsOf('show', IDS.root.slice(0, 13).toUpperCase(), ...dir)).toEqual(all);
    expect(ordinalsOf('show', IDS.archived, ...dir)).toEqual([0, 1]);
    expect(ordinalsOf('show', path, '--from', '4')).toEqual([4, 5, 6]);
    expect(ordinalsOf('show', path, '--last', '2')).toEqual([5, 6]);
    expect(ordinalsOf('show', path, '--last', '5', '--from', '5')).toEqual([5, 6]);
    expect(ordinalsOf('show', path, '--from', '100')).toEqual([]);
    expect(lastwordJson(['show', basename(path)], { cwd: dirname(path) })).toHaveLength(7);
    expect(lastwordJson(['show', IDS.root], { cwd: directory })).toHaveLength(7);
  });

  test('shows a thread as it is in effect, and with --raw what is in its file', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.appendAll(upTo(4).map((index) => ({ type: 'note', payload: { index } })));
    thread.rollback(3);
    const fork = await sidecar.forkThread(thread.id, { through: 2 });
    await sidecar.close();
    expect(ordinalsOf('show', thread.path)).toEqual([0, 1, 2, 5]);
    expect(ordinalsOf('show', thread.path, '--raw')).toEqual(upTo(6));
    expect(ordinalsOf('show', thread.path, '--raw', '--last', '3')).toEqual([3, 4, 5]);
    expect(ordinalsOf('show', fork.id, '--dir', sidecar.directory)).toEqual(upTo(4));
    expect(ordinalsOf('show', fork.path, '--raw')).toEqual([3]);
  });

  test('steps over damage, counts it, and tells by its status', () => {
    const directory = known();
    const path = rolloutPath(directory, IDS.root);
    const lines = readFileSync(path, 'utf8').split('\n');
    lines[2] = '{"half';
    writeFileSync(path, lines.join('\n'));
    const { status, stdout, stderr } = lastword(['show', path, '--json']);
    expect([status, stdout.split('\n').length - 1, stderr]).toEqual([1, 6, `lastword: 1 damaged place stepped over in ${path}: lastword verify says which\n`]);
  });

  test('lets no text of a rollout act on the terminal', () => {
    const directory = known();
    const acting = (text: string): string[] => [...text].filter((character) => /[\p{Cc}\u202e]/u.test(character) && character !== '\n' && character !== '\t');
    for (const args of [['ls', directory], ['ls', directory, '--json'], ['show', IDS.hostile, '--dir', directory], ['show', IDS.hostile, '--dir', directory, '--json']]) {
      const { stdout } = lastword(args);
      expect(acting(stdout)).toEqual([]);
      expect(stdout).toContain('\\u001b');
    }
    const main = mutantCommand({ file: 'src/cli/text.js', find: 'return text.replaceAll(ACTED_ON', replace: 'return text.replaceAll(/$^/g' });
    expect(acting(lastword(['ls', directory], { main }).stdout), 'the control').toContain('\u001b');
  });
});

describe('lastword verify', () => {
  test('tells what is damaged in a directory, or in one rollout, and by its status that something is', () => {
    const directory = known();
    expect(lastword(['verify', directory])).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^6 rollouts, 17 records, 17 of them with a checksum, \d\.\dK: all whole\n$/) as string });
    const torn = rolloutPath(directory, IDS.root);
    const changed = archivedPath(directory, IDS.archived);
    const wholeBytes = statSync(torn).size;
    appendFileSync(torn, '{"half');
    writeFileSync(changed, readFileSync(changed, 'utf8').replace('put away', 'put aside'));
    const { status, stdout, stderr } = lastword(['verify', directory]);
    expect([status, stderr]).toEqual([1, '']);
    expect(stdout).toContain(`damaged  ${torn}: 7 whole records\n    torn at byte ${wholeBytes}, 6 bytes, ordinal 7\n`);
    expect(stdout).toContain(`damaged  ${changed}: 1 whole record\n    torn at byte `);
    expect(stdout).toMatch(/: 2 damaged\n$/);
    expect(lastwordJson<VerifyReport>(['verify', directory]).filter(({ damage }) => damage.length > 0).map(({ path }) => path)).toEqual([changed, torn]);
    expect(lastword(['verify', torn]).status).toBe(1);
    expect(lastword(['verify', rolloutPath(directory, IDS.child)])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^1 rollout, 2 records, .*: all whole\n$/) as string });
  });
});

test('a directory of 10,000 rollouts is listed, as trees too, and verified, each of them once', () => {
  const directory = temporaryFolder();
  plantRollouts(directory, 10_000, 7);
  const lines = lastword(['ls', directory]).stdout.split('\n').slice(0, -1);
  expect(lines[0]).toMatch(/^019baa58-ee80-7000-8000-00000000270f {2}2026-01-10 23:58 {2}[\d.]+K {2}do number 9999$/);
  expect(new Set(lines.map((line) => line.slice(0, 36))).size).toBe(10_000);
  expect(lines.toSorted().toReversed()).toEqual(lines);
  expect(lastword(['ls', directory, '--tree']).stdout.split('\n')).toHaveLength(10_001);
  expect(lastword(['verify', directory]).stdout).toMatch(/^10000 rollouts, 30000 records, .*: all whole\n$/);
  expectRefused(lastword(['show', '0', '--dir', directory]), 2, '10000 threads', ' and 9990 others');
});

test.skipIf(corpusFiles.length === 0)('the command line on real rollouts lists, shows and verifies every one (needs the real rollouts beside the project)', () => {
  const directory = temporaryFolder();
  const folder = join(directory, 'sessions', '2026', '11', '21');
  mkdirSync(folder, { recursive: true });
  for (const { path, bytes } of corpusFiles) writeFileSync(join(folder, basename(path)), bytes);
  const threads = lastwordJson<ThreadSummary>(['ls', directory]);
  expect(threads.map(({ path }) => basename(path)).toSorted()).toEqual(corpusFiles.map(({ path }) => basename(path)).toSorted());
  for (const { path, preview = '' } of threads) {
    const items = readFileSync(path, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
    expect(lastwordJson<RolloutRecord>(['show', path, '--raw']).map(({ type, payload }) => ({ type, payload }))).toEqual(items.map(({ type, payload }) => ({ type, payload })));
    const transcript = lastword(['show', path]).stdout;
    const [line = ''] = preview.trim().split('\n');
    expect(line).not.toBe('');
    expect(transcript).toContain(`    ${line}`);
  }
  expect(lastword(['verify', directory])).toMatchObject({ status: 0, stderr: '' });
});

test('the guide names every command, every option, and every exit status, as --help does', () => {
  const guide = readFileSync(join(ROOT, 'docs', 'guide', 'command-line.md'), 'utf8');
  const help = lastword(['--help']).stdout;
  const commands = [...help.matchAll(/^ {2}(\w+) \[options\] (<\w+>)/gm)].map(([, name = '', argument = '']) => ({ name, argument }));
  expect(commands.map(({ name }) => name)).toEqual(['ls', 'show', 'tail', 'verify', 'repair']);
  for (const { name, argument } of commands) {
    expect(guide).toContain(`| \`${name} ${argument}\` |`);
    for (const [option] of lastword([name, '--help']).stdout.matchAll(/(?<=^ {2}(?:-\w, )?)--\w+( <\w+>)?/gm)) if (option !== '--help') expect(guide, name).toContain(`| \`${option}\``);
  }
  const statuses = [...help.matchAll(/^ {2}(\d+) +([^(:\n]+)/gm)].map(([, status = '', meaning = '']) => [status, meaning.trim()]);
  expect(statuses).toHaveLength(8);
  for (const [status = '', meaning = ''] of statuses) expect(guide).toMatch(new RegExp(`^\\| ${status}(, 143)? \\| ${meaning}`, 'm'));
});

describe('mistakes', () => {
  test('a wrong path is said to be wrong, whichever command', () => {
    const folder = temporaryFolder();
    const none = join(folder, 'none');
    for (const args of [['ls', none], ['verify', none], ['show', 'abc', '--dir', none]]) expectRefused(lastword(args), 3, `there is no directory: ${none}`);
    for (const command of ['ls', 'verify']) expectRefused(lastword([command, folder]), 3, `there are no rollouts in ${folder}`);
    for (const command of ['show', 'tail', 'repair']) expectRefused(lastword([command, none]), 3, none, 'LASTWORD_THREAD_NOT_FOUND');
    expectRefused(lastword(['ls', join(ROOT, 'package.json')]), 3, 'it is no directory');
  });

  test('what is no rollout is said to be none', () => {
    const path = join(temporaryFolder(), 'rollout-2026-01-02T03-04-05-01a1fc00-3acb-72e1-9fe5-382b9a8a8e0b.jsonl.zst');
    writeFileSync(path, 'x');
    for (const command of ['show', 'tail', 'verify', 'repair']) expectRefused(lastword([command, join(ROOT, 'LICENSE')]), 4, `${ROOT}LICENSE`);
    for (const command of ['show', 'tail', 'repair']) expectRefused(lastword([command, `${ROOT}src`]), 4, `${ROOT}src`);
    expectRefused(lastword(['show', path]), 4, path, 'zstd -d');
  });

  test('an id that nobody has, and the beginning of several, listed', () => {
    const directory = known();
    expectRefused(lastword(['show', 'fff', '--dir', directory]), 3, 'no thread', 'begins with fff');
    expectRefused(lastword(['show', idOfMinute(99), '--dir', directory]), 3, idOfMinute(99));
    expectRefused(lastword(['show', IDS.root.slice(0, 6), '--dir', directory]), 2, '6 threads have ids that begin with', ...Object.values(IDS));
    expectRefused(lastword(['show', 'what', '--dir', directory]), 2, 'neither a path');
  });

  test('wrong usage', () => {
    for (const args of [[], ['what'], ['ls'], ['ls', 'a', 'b'], ['ls', '.', '--what'], ['ls', '.', '--limit', 'x'], ['ls', '.', '--since', 'yesterday'], ['ls', '.', '--sort', 'size'], ['show', 'x', '--last', '-1']]) {
      expectRefused(lastword(args), 2, 'see lastword --help');
    }
    const { status, stdout } = lastword(['--help']);
    expect([status, stdout]).toEqual([0, expect.stringContaining('Exit status:')]);
    expect(lastword(['--version']).stdout).toBe(`${(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version}\n`);
  });

  test.skipIf(!isReadableByOthers())('no permission is named, and whose files they are (needs root)', () => {
    const directory = known();
    chmodSync(directory, 0o755);
    const path = rolloutPath(directory, IDS.root);
    chmodSync(path, 0o600);
    const asNobody = { uid: 65_534 };
    for (const command of ['show', 'tail', 'verify', 'repair']) expectRefused(lastword([command, path], asNobody), 6, 'permission denied', path, '[EACCES]: run it as the user whose files they are');
    expect(lastword(['ls', directory], asNobody)).toMatchObject({ status: 1, stderr: `lastword: ${path}: it cannot be read: EACCES\n` });
    expect(lastword(['verify', directory], asNobody)).toMatchObject({ status: 1, stdout: expect.stringContaining(`unread  ${path}: EACCES\n`) as string });
    chmodSync(directory, 0o700);
    for (const args of [['ls', directory], ['verify', directory], ['show', 'abc', '--dir', directory]]) expectRefused(lastword(args, asNobody), 6, '[EACCES]');
  });
});

describe('a pipe', () => {
  test('that is closed ends the command, and nothing is said', async () => {
    const directory = temporaryFolder();
    const path = plant(directory, { items: upTo(20_000).map((index) => ({ type: 'note', payload: `note ${index}` })) }).path;
    const closedOn = async (args: string[], main?: string): Promise<[unknown, string]> => {
      const child = startLastword(args, main);
      const [ended, stderr] = [once(child, 'exit'), child.stderr.setEncoding('utf8').toArray()];
      await within(once(child.stdout, 'readable'), 'the first lines');
      child.stdout.destroy();
      const [status] = await within(ended, 'the end of the command') as unknown[];
      return [status, (await stderr).join('')];
    };
    for (const args of [['show', path], ['show', path, '--json'], ['tail', path, '-n', '20000']]) expect(await closedOn(args)).toEqual([0, '']);
    const main = mutantCommand({ file: 'src/cli/main.js', find: "if (error.code === 'EPIPE')", replace: 'if (false)' });
    expect(await closedOn(['show', path], main), 'the control').toEqual([6, expect.stringContaining('EPIPE')]);
  });

  test('gets no colours and no progress, and lines that are not cut', () => {
    const directory = known();
    for (const args of [['ls', directory], ['show', IDS.root, '--dir', directory], ['verify', directory]]) {
      const { stdout, stderr } = lastword(args);
      expect([stdout.includes('\u001b['), stdout.includes('title…'), stderr]).toEqual([false, false, '']);
    }
    expect(lastword(['ls', directory]).stdout).toContain('百二十列でも\n');
  });
});

/** Whether another user may read the package where it lies. */
function isReadableByOthers(): boolean {
  for (let path = ROOT; path !== dirname(path); path = dirname(path)) if ((statSync(path).mode & 0o5) !== 0o5) return false;
  return existsSync(join(ROOT, 'dist')) && process.getuid?.() === 0;
}
