import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const FOLDER = fileURLToPath(new URL('../fixtures/reporter', import.meta.url));

/** Runs the fixture files that are named as a run of their own. */
function run(...files: string[]): { status: number | null; lines: string[] } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
  const args = [VITEST, 'run', '--root', FOLDER, ...files];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: FOLDER, env, encoding: 'utf8' });
  return { status, lines: stdout.trim().split('\n') };
}

test('a skipped test of the list is named and the run passes', () => {
  const { status, lines } = run('listed');
  expect(lines.slice(-2)).toEqual(['skipped: what this machine lacks > is skipped', 'tests: 1 passed, 0 failed, 1 skipped']);
  expect(status).toBe(0);
});

test('a skipped test outside the list fails the run', () => {
  const { status, lines } = run('listed', 'forgotten');
  expect(lines).toContain('skipped: was forgotten');
  expect(lines).toContain('error: skipped and not in the list of those that may be: was forgotten');
  expect(lines.at(-1)).toBe('tests: 1 passed, 0 failed, 2 skipped');
  expect(status).toBe(1);
});

test('a run in which all tests are skipped that may be passes, with the reasons that they give', () => {
  const { status, lines } = run('lacking');
  expect(lines.slice(-2)).toEqual(['skipped: lacks everything (there is nothing)', 'tests: 0 passed, 0 failed, 1 skipped']);
  expect(status).toBe(0);
});

test('a run whose filter finds no test fails', () => {
  const { status, lines } = run('listed', '-t', 'no such name');
  expect(lines.slice(-2)).toEqual(['error: no test ran', 'tests: 0 passed, 0 failed, 2 skipped']);
  expect(status).toBe(1);
});

test('a run in which no test ran fails', () => {
  const { status, lines } = run('no-such-file');
  expect(lines.at(-1)).toBe('tests: 0 passed, 0 failed, 0 skipped');
  expect(status).toBe(1);
});

test('a failed test and a file that cannot be loaded are counted as failed', () => {
  const { status, lines } = run('failing', 'unloadable');
  expect(lines.at(-1)).toBe('tests: 0 passed, 2 failed, 0 skipped');
  expect(status).toBe(1);
});
