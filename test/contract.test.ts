/**
 * What the contract promises is built under the same name, and what is built is tested.
 *
 * How a test says what it is of: by its full title, from the outermost `describe` on.
 * - A function or method: the title begins with its name (`describe('append', …)`). What sidecar and thread both have is
 *   tested for both: for the sidecar the title says `of the sidecar`.
 * - An option of openSidecar(): one of the titles begins with `option fullTimeoutMs`.
 * - An option of a method: the title begins with the method's name and holds `option timeoutMs`.
 * - An event: the title holds `event drain`.
 */
import { describe, expect, test } from 'vitest';
import { declarationsOf } from './support/declarations.js';
import { testTitles } from './support/source.js';

const CONTRACT = declarationsOf('test/support/contract.d.ts');
const BUILT = new Map([...declarationsOf('src/index.ts'), ...declarationsOf('src/jobs/index.ts')]);

/** Whose members are options, and of what. */
const OPTIONS: Readonly<Record<string, string>> = {
  CreateThreadOptions: 'createThread', FlushOptions: 'flush', CloseOptions: 'close', ReadOptions: '(readRollout|readThread)', ListOptions: 'listThreads',
  JobOptions: '(runJob|resumeJob)',
};

/** What the title of a test of it looks like; undefined for what is tested along with others. */
function titleOf(name: string, isMethod: boolean): RegExp | undefined {
  const [owner = '', member] = name.split('.');
  if (member === undefined) return isMethod ? new RegExp(`^${owner}\\b`) : undefined;
  if (owner === 'SidecarOptions') return new RegExp(`(^|> |P\\d+: )option ${member}\\b`);
  if (owner === 'SidecarEvents') return new RegExp(`\\bevent ${member}\\b`);
  if (owner in OPTIONS) return new RegExp(`^${OPTIONS[owner]}\\b.*\\boption ${member}\\b`);
  if (!isMethod) return undefined;
  const isOfBoth = owner === 'Sidecar' && BUILT.has(`Thread.${member}`);
  return isOfBoth ? new RegExp(`^${member}\\b.*\\bof the sidecar\\b`) : new RegExp(`^${member}\\b`);
}

describe('the contract', () => {
  test('is built', () => {
    expect([...CONTRACT.keys()].filter((name) => !BUILT.has(name))).toEqual([]);
  });
});

describe('what is built', () => {
  const titles = testTitles();

  test('is documented where it is exported', () => {
    expect([...BUILT].filter(([name, { isDocumented }]) => !name.includes('.') && !isDocumented).map(([name]) => name)).toEqual([]);
  });

  test('has a test of its own', () => {
    const untested = [...BUILT].flatMap(([name, { isMethod }]) => {
      const wanted = titleOf(name, isMethod);
      return wanted === undefined || titles.some((title) => wanted.test(title)) ? [] : [`${name}: ${wanted.source}`];
    });
    expect(untested).toEqual([]);
  });
});
