/** The rules of the house, where a machine can see whether they are kept. */
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../src/errors.js';
import { DOCUMENTS } from './support/documents.js';
import { PROMISES } from './support/promises.js';
import { readTrials, rowsByPromise, withTable } from './support/promises-table.js';
import { ROOT, filesBelow, importsOf, nodesOf, parse, read } from './support/source.js';

const LINES_MAX = 300;
const SHIPPED = [...filesBelow('src', '.ts'), ...filesBelow('worker', '.ts')];
const CODE = ['src', 'worker', 'bench', 'examples', 'test', 'scripts'].flatMap((folder) =>
  [...filesBelow(folder, '.ts'), ...filesBelow(folder, '.mjs')]);

/** Who may import what: the rest may not. */
const IMPORT_TABLE: readonly { what: RegExp; in: readonly string[]; only: RegExp }[] = [
  { what: /^comlink$/, in: SHIPPED, only: /^(src\/control\/(writer-handle|producer-(server|link))|worker\/control)\.ts$/ },
  { what: /^msgpackr$/, in: SHIPPED, only: /^src\/producer\// },
  { what: /^(node:)?worker_threads$/, in: SHIPPED, only: /^(src\/control\/.*|src\/types|worker\/main)\.ts$/ },
  { what: /^piscina$/, in: CODE, only: /^(src\/pool|bench|examples)\// },
  { what: /^(commander|cli-progress|string-width)$/, in: CODE, only: /^src\/cli\// },
  { what: /^(node:)?fs(\/promises)?$/, in: SHIPPED, only: /^(worker\/fs-(ops|guard)\.ts|worker\/transcode\/compile\.ts|src\/worker-files\.ts|worker\/lease\/(processes|flocks)\.ts|src\/reader\/|src\/cli\/|src\/jobs\/(csv-input|csv-output|options)\.ts$)/ },
];

/** What a file outside of worker/fs-ops.ts may take from node:fs. */
const READING = new Set([
  'closeSync', 'createReadStream', 'existsSync', 'fstat', 'fstatSync', 'lstat', 'lstatSync', 'open', 'openSync', 'opendir', 'opendirSync', 'read', 'readFile',
  'readFileSync', 'readSync', 'readdir', 'readdirSync', 'readlinkSync', 'realpath', 'stat', 'statSync', 'Stats', 'BigIntStats', 'Dirent', 'FSWatcher', 'FileHandle', 'constants', 'watch',
]);

/** The host side loads code of the writer's only here: to stand in for it at the end, to measure how deep an item is, and to see who holds a lease. */
const WORKER_IMPORTS = /^src\/sidecar\.ts -> worker\/(standby|engine)\.js$|^src\/(exit\/exit-drain|control\/writer-link)\.ts -> worker\/standby\.js$|^src\/producer\/.* -> worker\/transcode\/(transcoder|compile)\.js$|^src\/reader\/lease-holder\.ts -> worker\/lease\/(flocks|owner|owner-file|processes)\.js$/;

/** Where time decides: bounds of waits, notices that are told seldom, the clock of the writer, and files of other processes. Nothing else sleeps or polls. */
const TIMERS: readonly string[] = [
  'src/control/pending-calls.ts', 'src/control/standby-peer.ts', 'src/control/writer-handle.ts', 'src/jobs/clock.ts', 'src/lifecycle/deadline.ts', 'src/lifecycle/held-work.ts', 'src/lifecycle/late-notices.ts',
  'src/lifecycle/operations.ts', 'src/producer/waiters.ts', 'src/producers/foreign-thread.ts', 'src/reader/file-changes.ts', 'worker/fs-ops.ts',
];

describe('the house', () => {
  test(`keeps its files below ${LINES_MAX} lines`, () => {
    const long = SHIPPED.map((path) => ({ path, lines: read(path).split('\n').length - 1 })).filter(({ lines }) => lines > LINES_MAX);
    expect(long).toEqual([]);
  });

  test('operates on shared words only in src/ring', () => {
    const found = SHIPPED.filter((path) => !path.startsWith('src/ring/') && !path.startsWith('worker/transcode/assembly/')).filter((path) =>
      [...nodesOf(parse(path))].some((node) =>
        ts.isIdentifier(node) && node.text === 'Atomics' && !ts.isTypeQueryNode(node.parent.parent)));
    expect(found).toEqual([]);
  });

  test.each(IMPORT_TABLE.map((row) => [row.what.source, row] as const))('imports %s only where the table says', (_name, row) => {
    const found = row.in.filter((path) => !row.only.test(path) && importsOf(parse(path)).some(({ specifier }) => row.what.test(specifier)));
    expect(found).toEqual([]);
  });

  test('changes files only in worker/fs-ops.ts and its guard, and the output of a job, which is no rollout, where that is made', () => {
    const found = SHIPPED.filter((path) => !/^worker\/fs-(ops|guard)\.ts$|^src\/jobs\/csv-output\.ts$/.test(path)).flatMap((path) => [
      ...importsOf(parse(path))
        .filter(({ specifier }) => /^(node:)?fs(\/promises)?$/.test(specifier))
        .flatMap(({ names }) => names.filter((name) => !READING.has(name)).map((name) => `${path}: ${name}`)),
      ...[...read(path).matchAll(/\bopen(?:Sync)?\([^)]*'(?:[wa]|r\+|rs\+)[^)]*\)/g)].map(([call]) => `${path}: ${call}`),
    ]);
    expect(found).toEqual([]);
  });

  test('loads code of the writer into the host side only to stand in for it and to measure items', () => {
    const found = filesBelow('src', '.ts').flatMap((path) =>
      importsOf(parse(path))
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => `${path} -> ${join(dirname(path), specifier)}`)
        .filter((link) => link.includes('-> worker/') && !WORKER_IMPORTS.test(link)));
    expect(found).toEqual([]);
  });

  test('signals no process but its own: of others it only asks whether they are there', () => {
    const calls = SHIPPED.flatMap((path) => [...read(path).matchAll(/process\.kill\([^)]*\)/g)].map(([call]) => `${path}: ${call}`));
    expect(calls).toEqual(['src/exit/signals.ts: process.kill(process.pid, signal)', 'worker/lease/processes.ts: process.kill(pid, 0)']);
  });

  test('explains every error code under a heading of its own, and no other', () => {
    const headings = [...read('docs/errors.md').matchAll(/^#+ +`?(LASTWORD_[A-Z_]+)`?\s*$/gm)].map(([, code]) => code);
    expect(headings.slice().sort()).toEqual([...ERROR_CODES].sort());
  });

  test('neither sleeps nor polls: timers are bounds, and each has its place', () => {
    const found = SHIPPED.filter((path) => [...nodesOf(parse(path))].some((node) => ts.isIdentifier(node) && ['setTimeout', 'setInterval'].includes(node.text))
      || importsOf(parse(path)).some(({ specifier }) => /^(node:)?timers/.test(specifier)));
    expect(found.sort()).toEqual(TIMERS);
  });

  test('leaves no test alone, nothing to be done later, and nothing untyped', () => {
    const only = /\b(describe|test|it)\.onl[y]\b/;
    const later = /\b(TO[D]O|FIX[M]E)\b/;
    const found = CODE.flatMap((path) => {
      const text = read(path);
      const untyped = path.endsWith('.ts') && [...nodesOf(parse(path))].some(({ kind }) => kind === ts.SyntaxKind.AnyKeyword);
      return [
        ...(only.test(text) ? [`${path}: a test on its own`] : []),
        ...(later.test(text) ? [`${path}: put off`] : []),
        ...(untyped ? [`${path}: untyped`] : []),
      ];
    });
    expect(found).toEqual([]);
  });

  test('keeps promises that tests name, and says so in docs/reliability.md', () => {
    const rows = rowsByPromise();
    expect([...rows].filter(([, files]) => !files.some(({ hasTest }) => hasTest)).map(([promise]) => promise), 'not tested').toEqual([]);
    expect([...rows.keys()].filter((promise) => !(promise in PROMISES)), 'no such promise').toEqual([]);
    const kept = Object.entries(readTrials()).flatMap(([file, promises]) => Object.keys(promises).map((promise) => `${promise} in ${file}`));
    expect(kept.filter((one) => ![...rows].some(([promise, files]) => files.some(({ file }) => one === `${promise} in ${file}`))), 'tests that were').toEqual([]);
    const document = read('docs/reliability.md');
    if (process.env['LASTWORD_DOCS'] === 'write') writeFileSync(join(ROOT, 'docs/reliability.md'), withTable(document));
    else expect(document, 'npm run docs:promises').toBe(withTable(document));
  });

  test('lists every decision, and each has its context, the decision and its consequences', () => {
    const index = read('docs/adr/README.md');
    const decisions = filesBelow('docs/adr', '.md').filter((path) => !path.endsWith('README.md'));
    const listed = [...index.matchAll(/^\| \[(\d{4})\]\((\1-[\w-]+\.md)\) \| (.+) \|$/gm)];
    expect(listed.map(([, number, file, title]) => [`docs/adr/${file}`, `# ${number} · ${title}`])).toEqual(decisions.map((path) => [path, read(path).split('\n')[0]]));
    expect(decisions.flatMap((path) => ['**Context.**', '**Decision.**', '**Consequences.**'].filter((part) => !read(path).includes(`\n${part}`)).map((part) => `${path} lacks ${part}`))).toEqual([]);
  });

  test('links to files that exist', () => {
    const broken = DOCUMENTS.flatMap((path) =>
      [...read(path).replaceAll(/```.*?```/gs, '').matchAll(/\]\(([^)\s]+)[^)]*\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^([a-z]+:|#)/.test(target))
        .filter((target) => !existsSync(join(ROOT, dirname(path), decodeURIComponent(target.replace(/#.*/, '')))))
        .map((target) => `${path}: ${target}`));
    expect(broken).toEqual([]);
  });
});
