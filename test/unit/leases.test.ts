/** Leases over a real folder, with processes that live and die as the test says. */
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeFsOps } from '../../worker/fs-ops.js';
import { Leases } from '../../worker/lease/leases.js';
import { decodeOwner } from '../../worker/lease/owner.js';
import type { FsOps, ProcessIdentity } from '../../worker/seams.js';
import { mutantWriter } from '../support/mutants.js';
import { temporaryFolder, thrown, upTo } from '../support/sidecars.js';

const THREAD = '01936c1e-7b2a-7000-8000-000000000001';
const MACHINE = { boot: 'this boot', host: 'here' };
let instances = 0;
let draws = 0;

/** A sidecar of a process: numbers below 100 are dead. */
function sidecar(root: string, process: Partial<ProcessIdentity> & { pid: number }, fs: FsOps = nodeFsOps, Made = Leases): Leases {
  const identity = { ...MACHINE, start: `start of ${process.pid}`, ...process };
  const processes = {
    self: () => identity,
    isAlive: ({ pid, start }: Pick<ProcessIdentity, 'pid' | 'start'>) => pid >= 100 && start === `start of ${pid}`,
    bootedMs: () => Date.parse('2026-06-01T00:00:00Z'),
  };
  instances += 1;
  const leases = new Made({ fs, rng: { uint32: () => draws++ }, processes }, {
    instance: instances.toString(16).padStart(16, '0'), since: '2026-07-01T00:00:00.000Z',
  });
  leases.openDirectory(root);
  return leases;
}

const lockOf = (root: string): string => join(root, 'locks', `${THREAD}.lock`);
const ownerOf = (root: string): number | undefined => decodeOwner(nodeFsOps.readText(lockOf(root), 4096) ?? '')?.pid;

/** True when the lease was got, false when it is another's. */
function tries(leases: Leases): boolean {
  try {
    leases.hold(THREAD);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'LASTWORD_THREAD_BUSY' });
    return false;
  }
}

describe('a lease', () => {
  test('is one owner\'s until it is released, and leaves nothing behind', () => {
    const root = temporaryFolder();
    const [one, other] = [sidecar(root, { pid: 101 }), sidecar(root, { pid: 102 })];
    one.hold(THREAD);
    one.hold(THREAD);
    expect(thrown(() => { other.hold(THREAD); })).toMatchObject({
      code: 'LASTWORD_THREAD_BUSY', context: { threadId: THREAD, owner: { pid: 101, host: 'here', since: '2026-07-01T00:00:00.000Z' } },
    });
    one.release(THREAD);
    other.hold(THREAD);
    one.release(THREAD);
    expect(ownerOf(root)).toBe(102);
    one.releaseAll();
    other.releaseAll();
    expect(readdirSync(join(root, 'locks'))).toEqual([]);
  });

  const OWNERS: readonly [string, Partial<ProcessIdentity> & { pid: number }, boolean][] = [
    ['of a dead process is taken over', { pid: 5 }, true],
    ['of a process whose number another has now is taken over', { pid: 105, start: 'earlier' }, true],
    ['of before the machine was booted is taken over', { pid: 106, boot: 'an earlier boot' }, true],
    ['of a living process is not', { pid: 107 }, false],
    ['of another machine is not, dead or alive', { pid: 8, host: 'elsewhere' }, false],
  ];
  for (const [what, owner, isTaken] of OWNERS) {
    test(what, () => {
      const root = temporaryFolder();
      sidecar(root, owner).hold(THREAD);
      const taker = sidecar(root, { pid: 200 });
      expect(tries(taker)).toBe(isTaken);
      expect(ownerOf(root)).toBe(isTaken ? 200 : owner.pid);
      taker.releaseAll();
      expect(readdirSync(join(root, 'locks')).filter((name) => !name.endsWith('.owner'))).toHaveLength(isTaken ? 0 : 1);
    });
  }

  test('whose text is none is taken over only if it is older than the machine\'s boot; a link and a folder never are', () => {
    for (const [text, year, isTaken] of [['', 2025, true], ['{"pid":1', 2025, true], ['x'.repeat(10_000), 2027, false], ['', 2027, false]] as const) {
      const root = temporaryFolder();
      mkdirSync(join(root, 'locks'));
      writeFileSync(lockOf(root), text);
      utimesSync(lockOf(root), new Date(`${year}-01-01`), new Date(`${year}-01-01`));
      expect(tries(sidecar(root, { pid: 200 }))).toBe(isTaken);
    }
    const root = temporaryFolder();
    mkdirSync(lockOf(root), { recursive: true });
    expect(() => { sidecar(root, { pid: 200 }).hold(THREAD); }).toThrow('EISDIR');
  });

  test('of a dead writer of the same sidecar is the next writer\'s', () => {
    const root = temporaryFolder();
    sidecar(root, { pid: 101 }).hold(THREAD);
    instances -= 1;
    expect(tries(sidecar(root, { pid: 101 }))).toBe(true);
  });

  test('is taken though its owner\'s file has as many links as a file may have, or is gone', () => {
    for (const code of ['EMLINK', 'ENOENT']) {
      const root = temporaryFolder();
      let isFull = true;
      const fs: FsOps = {
        ...nodeFsOps,
        link: (from, to) => {
          if (!isFull) {
            nodeFsOps.link(from, to);
            return;
          }
          isFull = false;
          throw Object.assign(new Error(code), { code });
        },
      };
      expect(tries(sidecar(root, { pid: 200 }, fs))).toBe(true);
      expect(ownerOf(root)).toBe(200);
    }
  });
});

describe('two that want a dead owner\'s lease at once', () => {
  for (const claimers of [0, 1, 2]) {
    test(`exactly one gets it, wherever the second comes in between (${claimers} claimers died before)`, () => {
      const moments = sweep(Leases, claimers);
      expect(moments.length).toBeGreaterThan(5);
      expect(moments.filter(({ winners, isOwner }) => winners !== 1 || !isOwner)).toEqual([]);
    });
  }

  test('the control: without a second look under the claim, both get it', async () => {
    const writer = mutantWriter({ file: 'worker/lease/leases.js', find: 'const isUnchanged = this.#readText(path) === text;', replace: 'const isUnchanged = true;' });
    const { Leases: Mutant } = await import(new URL('lease/leases.js', writer).href) as { Leases: typeof Leases };
    expect(sweep(Mutant, 0).filter(({ winners }) => winners !== 1)).not.toEqual([]);
  });
});

/** Before every system call of the first taker, in turn, a second one comes and does all it does. */
function sweep(Made: typeof Leases, claimers: number): { winners: number; isOwner: boolean }[] {
  const moments: { winners: number; isOwner: boolean }[] = [];
  for (let at = 1; ; at += 1) {
    const root = temporaryFolder();
    sidecar(root, { pid: 1 }).hold(THREAD);
    for (const claimer of upTo(claimers)) dieClaiming(root, 2 + claimer);
    let calls = 0;
    let second: boolean | undefined;
    const other = sidecar(root, { pid: 201 }, nodeFsOps, Made);
    const fs = Object.fromEntries(Object.entries(nodeFsOps).map(([name, call]) => [name, (...args: never[]) => {
      calls += 1;
      if (calls === at) second = tries(other);
      return (call as (...given: never[]) => unknown)(...args);
    }])) as unknown as FsOps;
    const first = tries(sidecar(root, { pid: 200 }, fs, Made));
    if (second === undefined) return moments;
    moments.push({ winners: [first, second].filter(Boolean).length, isOwner: ownerOf(root) === (first ? 200 : 201) });
  }
}

/** A process that claims the dead lease, and dies before it puts its own in the place. */
function dieClaiming(root: string, pid: number): void {
  const dying: FsOps = { ...nodeFsOps, rename: () => { throw new Error('killed'); } };
  expect(() => { sidecar(root, { pid }, dying).hold(THREAD); }).toThrow('killed');
  expect(existsSync(lockOf(root))).toBe(true);
}
