/** Every program and every command in README and docs, run from the packed package in an empty project. A block that begins with an import is a program. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entryPrefix, ENTRY_SUFFIX } from '../../src/rollout/salvage-entry.js';
import { COMMANDS, commandsIn, NOT_RUN, problemOf, stepsNotRun } from '../support/document-commands.js';
import { FRAGMENTS, PROGRAMS, type Block } from '../support/documents.js';
import { Project } from '../support/installed.js';
import { idOfMinute } from '../support/planted-threads.js';
import { idAt, plant } from '../support/planted.js';
import { RECORDED, RECORDING_HOST } from '../support/recording-host.js';
import { lineOf } from '../support/rollouts.js';
import { filesBelow, read, ROOT } from '../support/source.js';
import { upTo } from '../support/sidecars.js';

/** What they print, where it says that they did what they tell. */
const SAID: Readonly<Record<string, RegExp>> = {
  'docs/guide/embed.md': /^everything below ordinal 8 survives power loss\n7 items on disk, 0 late\n$/,
  'docs/guide/close-agents.md': /^child: told to stop\nroot: 0 items, forced: false\nchild: closed, 1 items, and what it says now is late\n$/,
  'docs/guide/resume-and-fork.md': /^draft: one, two, another three\nfork: one, two, a different end\ncreated\n$/,
  'docs/guide/jobs.md': /^row-1: completed\nrow-2: completed\nrow-3: completed\ncompleted 3\n$/,
  'docs/guide/worker-threads.md': /agent 1: 1 item on disk\n[^]*agent 1\nagent 2\n$/,
  'docs/guide/tuning.md': /^10000 items written, 0 bytes in the overflow, 0 files evicted, write latencies measured\n$/,
  'docs/guide/operating.md': /^closed with 1 items\ntrue 2 0\n$/,
  'docs/guide/migrating.md': /^2 events taken over\n$/,
};

let project: Project;
beforeAll(async () => { project = await Project.create(); });
afterAll(() => { project.remove(); });

function beginsAs(text: string, kinds: Readonly<Record<string, unknown>>): string | undefined {
  return Object.keys(kinds).find((kind) => text.startsWith(kind));
}

async function ran({ name }: Block, source: string): Promise<{ stdout: string; stderr: string }> {
  // `await using` is of Node 24.
  const { code } = await transform(source, { loader: 'ts', target: 'node20' });
  project.write(`${name}/program.mjs`, code);
  return project.run('node', ['program.mjs'], join(project.folder, name));
}

test.each(PROGRAMS)('the program $name does what its document says', async (program) => {
  const { stdout, stderr } = await ran(program, program.source);
  expect(stderr).toBe('');
  expect(stdout).toMatch(SAID[program.document] ?? /\n$/);
});

/** What a fragment takes as given, by how it begins: what stands before it, and behind. */
const OPEN = "import { importSalvage, LastwordError, openSidecar } from 'lastword';\nconst sidecar = await openSidecar({ directory: 'rollouts' });\n";
const WITH_THREAD = `${OPEN}const thread = await sidecar.createThread();\n`;
const CLOSE = "await sidecar.close();\nconsole.log('closed');\n";
const GIVEN: Readonly<Record<string, readonly [before: string, behind: string]>> = {
  'if (sidecar.needsDrain)': [WITH_THREAD, CLOSE],
  'const { salvage } =': [WITH_THREAD, CLOSE],
  'try {\n  await thread.flush(': [WITH_THREAD, CLOSE],
  'await openSidecar({ directory: \'rollouts\', writerUrl': ["import { openSidecar } from 'lastword';\nconst sidecar = ", CLOSE],
  'import { runJob, resumeJob, showProgress }': [
    `${OPEN}const answer = async (row) => ({ answer: row.question.length });\n`, `if (status !== 'completed' || items.length !== 2 || items.some((item) => item.status !== 'completed')) throw new Error(status);\n${CLOSE}`,
  ],
  'const agent = await sidecar.createThread(': [
    `${OPEN}import { runJob } from 'lastword/jobs';\nconst job = await runJob(sidecar, { rows: [{}], worker: async (item) => {\n`,
    `return agent.parentId; } });\nif ((await job.result).status !== 'completed') throw new Error('not completed');\n${CLOSE}`,
  ],
};

test.each(FRAGMENTS)('the fragment $name works with what it takes as given', async (fragment) => {
  const [before, behind] = GIVEN[beginsAs(fragment.source, GIVEN) ?? ''] ?? [];
  if (before === undefined || behind === undefined) throw new Error(`nothing says what ${fragment.name} takes as given`);
  project.write(`${fragment.name}/writer/main.mjs`, "import 'lastword/worker';\n");
  project.write(`${fragment.name}/questions.csv`, 'question\nhow?\nwhy?\n');
  expect((await ran(fragment, `${before}${fragment.source}\n${behind}`)).stdout).toMatch(/^closed\n$/);
});

test('the control: a fragment that does not work is found out', async () => {
  const broken = { document: '', name: 'broken', source: 'await thread.flsh();' };
  await expect(ran(broken, `${WITH_THREAD}${broken.source}\n${CLOSE}`)).rejects.toThrow('flsh');
});

test('every page of the guide has a program, but for the one on bundling', () => {
  const pages = filesBelow('docs/guide', '.md').filter((path) => !/README|bundling|command-line/.test(path));
  expect(pages.filter((page) => SAID[page] === undefined || !PROGRAMS.some(({ document }) => document === page))).toEqual([]);
});

/** What an empty project with a folder of two threads says to them, in the order in which they are run. */
const NEW = idAt(Date.now());
const OLD = idOfMinute(0);
const RUN: Readonly<Record<string, RegExp>> = {
  'npm install lastword': /^\n?up to date/,
  'npx lastword ls rollouts': new RegExp(`^${NEW} .*\\n${OLD} .*\\n$`),
  'npx lastword ls rollouts --tree --since 2d': new RegExp(`^${NEW} .*\\n$`),
  'npx lastword show 019dfc1d --dir rollouts': /^0 .* session_meta\n[^]*\n {4}three\n$/,
  'npx lastword tail -f 019dfc1d --dir rollouts': /\n {4}three\n$/,
  'npx lastword verify rollouts': /^2 rollouts, 5 records, .*: all whole\n$/,
  'npx lastword repair 019dfc1d --dir rollouts': /: its end is whole, there is nothing to repair\n$/,
};
/** What the commands on bundling leave is run: by itself, and with the writer that the last one makes. */
const BUNDLED: Readonly<Record<string, string | undefined>> = {
  'npx esbuild host.ts --bundle --platform=node --format=esm --packages=external': undefined,
  'npx esbuild host.ts --bundle --platform=node --format=esm --outfile': undefined,
  'npx esbuild node_modules/lastword/dist/worker/main.js': './nowhere.mjs',
  'mkdir -p dist/writer/transcode': './writer/main.mjs',
};
/** Of programs that are not this package's, by how they begin: a rollout of four records, and what is printed of it. */
const BY_HAND: Readonly<Record<string, RegExp>> = {
  'jq -c \'[.ordinal': /^\[0,"[^"]+","session_meta",null\]\n(\[\d,"[^"]+","response_item",null\]\n){3}$/,
  'jq -cR': /^$/,
  'jq -c \'.line': /^\{"type":"response_item","payload":\{"text":"record 1"\}\}\n$/,
  'sed -n 4p': /^([0-9a-f]{8}) \1\n$/,
};

const homesOf = (command: string): unknown[] => [RUN[command], beginsAs(command, BUNDLED), beginsAs(command, BY_HAND), stepsNotRun(command)].filter((home) => home !== undefined);

describe('a command of README, CONTRIBUTING or docs', () => {
  beforeAll(() => {
    const items = ['one', 'two', 'three'].map((text) => ({ type: 'note', payload: { text } }));
    plant(join(project.folder, 'rollouts'), { id: OLD, items });
    plant(join(project.folder, 'rollouts'), { id: NEW, meta: { timestamp: new Date().toISOString() } });
  });

  test('is run by one of these tests, or said not to be and why, and no other is', () => {
    expect(COMMANDS.filter(({ command }) => homesOf(command).length !== 1)).toEqual([]);
    const printed = COMMANDS.map(({ command }) => command);
    const steps = new Set(printed.flatMap((command) => stepsNotRun(command) ?? []).map(({ name }) => name));
    expect([...Object.keys(RUN).filter((one) => !printed.includes(one)), ...Object.keys(NOT_RUN).filter((one) => !steps.has(one))]).toEqual([]);
    for (const kind of Object.keys({ ...BUNDLED, ...BY_HAND })) expect(printed.some((command) => command.startsWith(kind)), kind).toBe(true);
    const strange = commandsIn('```sh\ncargo build   # slow\nnpm run demo \\\n  -- --quick\n```\n`npm run nothing`, and `lastword ls`');
    expect([strange, strange.map((command) => homesOf(command).length)], 'the control').toEqual([['cargo build', 'npm run demo -- --quick', 'npm run nothing', 'lastword ls'], [0, 1, 0, 0]]);
  });

  test('finds nothing in PATH but node, npm, and what a shell needs', async () => {
    const { stdout } = await project.shell('echo "$PATH"');
    expect(readdirSync(stdout.trim()).toSorted()).toEqual(['cp', 'mkdir', 'node', 'npm', 'npx', 'sh']);
    await expect(project.shell('git --version'), 'the control').rejects.toMatchObject({ code: 127 });
  });

  test.each(Object.entries(RUN))('%s does what its document says', async (command, said) => {
    const { stdout, stderr } = await project.shell(command.replace('install lastword', `install --prefer-offline ${project.tarball}`));
    expect(stderr).toBe('');
    expect(stdout).toMatch(said);
  });

  test('that does not work is seen', async () => {
    await expect(project.shell('npx lastword list rollouts'), 'the control').rejects.toMatchObject({ code: 2 });
  });

  test('on bundling makes a bundle that records', async () => {
    project.write('host.ts', RECORDING_HOST);
    // A bundler that the project has.
    const modules = join(project.folder, 'node_modules');
    symlinkSync(join(ROOT, 'node_modules', 'esbuild'), join(modules, 'esbuild'));
    symlinkSync(join('..', 'esbuild', 'bin', 'esbuild'), join(modules, '.bin', 'esbuild'));
    for (const [kind, writer] of Object.entries(BUNDLED)) {
      const { command = '' } = COMMANDS.find((one) => one.command.startsWith(kind)) ?? {};
      await project.shell(command);
      if (writer === './nowhere.mjs') continue;
      expect(await project.run('node', ['dist/host.mjs', `of-${kind.replaceAll(/\W/g, '')}`, ...(writer === undefined ? [] : [writer])]), command).toEqual(RECORDED);
    }
  });

  test.skipIf(['jq', 'python3'].some((name) => spawnSync(name, ['--version']).status !== 0))('on files by hand prints what it says (needs jq and python3)', () => {
    const rollout = plant(join(project.folder, 'by-hand'), { bytes: Buffer.concat(upTo(4).map((number) => lineOf(number))) }).path;
    const salvage = project.write('salvage.jsonl', `${entryPrefix(OLD).toString()}${lineOf(1).toString().trimEnd()}${ENTRY_SUFFIX.toString()}`);
    for (const [kind, said] of Object.entries(BY_HAND)) {
      const { command = '' } = COMMANDS.find((one) => one.command.startsWith(kind)) ?? {};
      expect(execFileSync('sh', ['-c', command.replace('rollout-….jsonl', rollout).replace('salvage-….jsonl', salvage)], { encoding: 'utf8' }), command).toMatch(said);
    }
  });

  test('for whoever works on the repository names a script that there is, and options that it takes', () => {
    for (const step of new Set(COMMANDS.flatMap(({ command }) => stepsNotRun(command) ?? []).map((one) => JSON.stringify(one)))) {
      expect(problemOf(JSON.parse(step))).toBeUndefined();
    }
    expect(problemOf({ name: 'npm run bench', options: ['--quickly'] }), 'the control').toContain("'--quickly'");
    expect(problemOf({ name: 'npm run nothing', options: [] }), 'the control').toBe('package.json has no script nothing');
    expect(problemOf({ name: 'npm run build', options: ['--fast'] }), 'the control').toBe('npm run build takes no options');
  });

  test('npm ci takes the lock file', async () => {
    for (const name of ['package.json', 'package-lock.json']) project.write(join('lock', name), read(name));
    await project.run('npm', ['ci', '--dry-run', '--offline', '--ignore-scripts'], join(project.folder, 'lock'));
    project.write(join('lock', 'package.json'), read('package.json').replace('"comlink": "4', '"comlink": "3'));
    await expect(project.run('npm', ['ci', '--dry-run', '--offline', '--ignore-scripts'], join(project.folder, 'lock')), 'the control').rejects.toMatchObject({ code: 1 });
  });
});
