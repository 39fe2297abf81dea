/** Every program in README and docs, run from the packed package in an empty project. A block that begins with an import is one. */
import { join } from 'node:path';
import { transform } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROGRAMS } from '../support/documents.js';
import { Project } from '../support/installed.js';
import { filesBelow } from '../support/source.js';

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

test.each(PROGRAMS)('the program $name does what its document says', async ({ document, name, source }) => {
  // `await using` is of Node 24.
  const { code } = await transform(source, { loader: 'ts', target: 'node20' });
  project.write(`${name}/program.mjs`, code);
  const { stdout, stderr } = await project.run('node', ['program.mjs'], join(project.folder, name));
  expect(stderr).toBe('');
  expect(stdout).toMatch(SAID[document] ?? /\n$/);
});

test('every page of the guide has a program, but for the one on bundling', () => {
  const pages = filesBelow('docs/guide', '.md').filter((path) => !/README|bundling|command-line/.test(path));
  expect(pages.filter((page) => SAID[page] === undefined || !PROGRAMS.some(({ document }) => document === page))).toEqual([]);
});
