/**
 * What the contract promises is built under the same name or is on the list of what is not, and what is built is tested.
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
import { NOT_BUILT_YET } from './support/not-built-yet.js';
import { testTitles } from './support/source.js';

const CONTRACT = declarationsOf('test/support/contract.d.ts');
const BUILT = new Map([...declarationsOf('src/index.ts'), ...declarationsOf('src/jobs/index.ts')]);
const LATER = NOT_BUILT_YET.flatMap(({ names }) => names);

/** Whose members are options, and of what. */
const OPTIONS: Readonly<Record<string, string>> = {
  CreateThreadOptions: 'createThread', FlushOptions: 'flush', CloseOptions: 'close', ReadOptions: '(readRollout|readThread)', ListOptions: 'listThreads',
  JobOptions: '(runJob|resumeJob)',
};

/** The type or function a name belongs to: with it, all of its members are not built. */
function ownerOf(name: string): string {
  return /^\w+/.exec(name)?.[0] ?? name;
}

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
  test('is built or on the list of what is not', () => {
    const missing = [...CONTRACT.keys()].filter((name) => !BUILT.has(name) && !LATER.includes(name) && !LATER.includes(ownerOf(name)));
    expect(missing).toEqual([]);
  });

  test('holds everything that is on the list, once', () => {
    expect(LATER.filter((name, i) => !CONTRACT.has(name) || LATER.indexOf(name) !== i)).toEqual([]);
  });

  test('is not built where the list says so', () => {
    expect(LATER.filter((name) => BUILT.has(name))).toEqual([]);
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
