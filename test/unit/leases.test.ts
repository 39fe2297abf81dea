/** Leases over a real folder, with processes that live and die as the test says. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, linkSync, lstatSync, lutimesSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeFsOps } from '../../worker/fs-ops.js';
import { Leases } from '../../worker/lease/leases.js';
import { decodeOwner } from '../../worker/lease/owner.js';
import type { Clock, FsOps, ProcessIdentity } from '../../worker/seams.js';
import { mutantWriter } from '../support/mutants.js';
import { temporaryFolder, thrown, upTo } from '../support/sidecars.js';

const THREADS = ['01936c1e-7b2a-7000-8000-000000000001', '01936c1e-7b2a-7000-8000-000000000002', '01936c1e-7b2a-7000-8000-000000000003'] as const;
const [THREAD] = THREADS;
const MACHINE = { boot: 'this boot', host: 'here', namespace: 'pid:[1]' };
const SINCE = '2026-07-01T00:00:00.000Z';
let instances = 0;
let draws = 0;

/** A clock that stands still, and timers that a test fires. */
class TestClock implements Clock {
  ms = Date.now();
  readonly timers = new Map<() => void, number>();

  nowMs(): number {
    return this.ms;
  }

  monotonicUs(): number {
    return this.ms * 1000;
  }

  after(ms: number, callback: () => void): () => void {
    this.timers.set(callback, ms);
    return () => { this.timers.delete(callback); };
  }

  /** All that are set now, once. */
  fire(): void {
    for (const callback of [...this.timers.keys()]) {
      this.timers.delete(callback);
      callback();
    }
  }
}

interface Parts { fs?: FsOps; Made?: typeof Leases; clock?: Clock }

/** A sidecar of a process: numbers below 100 are dead. */
function sidecar(root: string, process: Partial<ProcessIdentity> & { pid: number }, { fs = nodeFsOps, Made = Leases, clock = new TestClock() }: Parts = {}): Leases {
  const identity = { ...MACHINE, start: `start of ${process.pid}`, ...process };
  const processes = {
    self: () => identity,
    findFlock: () => undefined,
    isAlive: ({ pid, start }: Pick<ProcessIdentity, 'pid' | 'start'>) => pid >= 100 && start === `start of ${pid}`,
  };
  instances += 1;
  const leases = new Made({ fs, rng: { uint32: () => draws++ }, clock, processes }, { instance: instances.toString(16).padStart(16, '0'), since: SINCE });
  leases.openDirectory(root);
  return leases;
}

const lockOf = (root: string): string => join(root, 'locks', `${THREAD}.lock`);
const ownerOf = (root: string): number | undefined => decodeOwner(nodeFsOps.readText(lockOf(root), 4096) ?? '')?.pid;
/** Seconds since the lease's last heartbeat; and makes it so. */
const ageOf = (root: string): number => (Date.now() - statSync(lockOf(root)).mtimeMs) / 1000;
const setAge = (root: string, seconds: number): void => { utimesSync(lockOf(root), Date.now() / 1000, Date.now() / 1000 - seconds); };

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

/** Whose lease it is, how many seconds old its heartbeat, and whether it may be taken. */
const OWNERS: readonly [string, Partial<ProcessIdentity> & { pid: number }, number, boolean][] = [
  ['of a dead process is taken over', { pid: 5 }, 0, true],
  ['of a process whose number another has now is taken over', { pid: 105, start: 'earlier' }, 0, true],
  ['of before the machine was booted is taken over', { pid: 106, boot: 'an earlier boot' }, 0, true],
  ['of a living process is not, though its heart stood still for a day', { pid: 107 }, 86_400, false],
  ['of another machine is not, while its heart beats', { pid: 8, host: 'elsewhere' }, 55, false],
  ['of another machine is, when there has been no heartbeat for a minute', { pid: 108, host: 'elsewhere' }, 65, true],
  ['of another container is not, while its heart beats', { pid: 9, namespace: 'pid:[2]' }, 55, false],
  ['of another container is, when there has been no heartbeat for a minute', { pid: 109, namespace: 'pid:[2]' }, 65, true],
  ['of another machine whose heartbeat is of tomorrow is not', { pid: 10, host: 'elsewhere' }, -86_400, false],
];

describe('a lease', () => {
  test('is one owner\'s until it is released, and leaves nothing behind', () => {
    const root = temporaryFolder();
    const [one, other] = [sidecar(root, { pid: 101 }), sidecar(root, { pid: 102 })];
    one.hold(THREAD);
    one.hold(THREAD);
    expect(thrown(() => { other.hold(THREAD); })).toMatchObject({
      code: 'LASTWORD_THREAD_BUSY', context: { threadId: THREAD, owner: { pid: 101, host: 'here', since: SINCE } },
    });
    one.release(THREAD);
    other.hold(THREAD);
    one.release(THREAD);
    expect(ownerOf(root)).toBe(102);
    one.releaseAll();
    other.releaseAll();
    expect(readdirSync(join(root, 'locks'))).toEqual([]);
  });

  for (const [what, owner, age, isTaken] of OWNERS) {
    test(what, () => {
      const root = temporaryFolder();
      sidecar(root, owner).hold(THREAD);
      setAge(root, age);
      const taker = sidecar(root, { pid: 200 });
      expect(tries(taker)).toBe(isTaken);
      expect(ownerOf(root)).toBe(isTaken ? 200 : owner.pid);
      taker.releaseAll();
      expect(readdirSync(join(root, 'locks')).filter((name) => !name.endsWith('.owner'))).toHaveLength(isTaken ? 0 : 1);
    });
  }

  test('of a dead writer of the same sidecar is the next writer\'s', () => {
    const root = temporaryFolder();
    sidecar(root, { pid: 101 }).hold(THREAD);
    instances -= 1;
    expect(tries(sidecar(root, { pid: 101 }))).toBe(true);
  });

  test('of a dead writer that its successor knows nothing of goes when the sidecar closes', () => {
    const root = temporaryFolder();
    sidecar(root, { pid: 101 }).hold(`${THREAD}.ref`);
    instances -= 1;
    const successor = sidecar(root, { pid: 101 });
    successor.takeOver(new Set());
    expect(readdirSync(join(root, 'locks')).filter((name) => name.endsWith('.lock')), 'whoever waits for it asks again').toHaveLength(1);
    successor.releaseAll();
    expect(readdirSync(join(root, 'locks')).filter((name) => name.endsWith('.lock'))).toEqual([]);
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
      expect(tries(sidecar(root, { pid: 200 }, { fs }))).toBe(true);
      expect(ownerOf(root)).toBe(200);
    }
  });
});

describe('the text of a lease', () => {
  const OWNER = { pid: 8, start: '1', boot: 'b', namespace: 'n', host: 'elsewhere', instance: '0'.repeat(16), since: SINCE };
  const TEXTS: readonly [string, string][] = [
    ['nothing', ''],
    ['cut short', JSON.stringify(OWNER).slice(0, -5)],
    ['a giant', JSON.stringify({ ...OWNER, more: 'x'.repeat(1 << 20) })],
    ['binary', '\0\u0001\ufffd{}'],
    ['null', 'null'],
    ['an array', JSON.stringify([OWNER])],
    ['nested deep', '['.repeat(4000)],
    ['a prototype', JSON.stringify(OWNER).replace('{', '{"__proto__":{').concat('}')],
    ...([
      ['pid', '8'], ['pid', 0], ['pid', -1], ['pid', 1.5], ['pid', 2 ** 31], ['pid', 1e300], ['pid', null], ['start', 1], ['boot', {}], ['namespace', undefined],
      ['host', ['elsewhere']], ['host', 'else\nwhere'], ['host', 'e\u001b[2Je'], ['host', 'x'.repeat(256)], ['since', 0], ['instance', '../../../../etc'], ['instance', 5],
    ] as const).map(([member, value]): [string, string] => [`${member} ${JSON.stringify(value)}`, JSON.stringify({ ...OWNER, [member]: value })]),
  ];

  test.each(TEXTS)('that names no owner (%s) is one\'s who is alive while its heartbeat is fresh, and a dead one\'s afterwards', (_what, text) => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'locks'));
    writeFileSync(lockOf(root), text);
    const error = thrown(() => { sidecar(root, { pid: 200 }).hold(THREAD); });
    expect(error).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { threadId: THREAD, path: lockOf(root) } });
    expect(error).not.toHaveProperty('context.owner');
    setAge(root, 61);
    expect(tries(sidecar(root, { pid: 201 }))).toBe(true);
    expect(ownerOf(root)).toBe(201);
  });

  test('is that of an owner, so that each of those above differs in one thing', () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'locks'));
    writeFileSync(lockOf(root), JSON.stringify(OWNER));
    expect(thrown(() => { sidecar(root, { pid: 200 }).hold(THREAD); })).toMatchObject({ context: { owner: { pid: 8, host: 'elsewhere', since: SINCE } } });
  });

  const KINDS: readonly [string, (path: string, root: string) => unknown][] = [
    ['folder', (path) => mkdirSync(path)],
    ['link to a file', (path, root) => { writeFileSync(join(root, 'elsewhere'), ''); symlinkSync(join(root, 'elsewhere'), path); }],
    ['link to nothing', (path) => { symlinkSync('nowhere', path); }],
    ['FIFO', (path) => spawnSync('mkfifo', [path])],
    ['socket', (path) => once(createServer().listen(path).unref(), 'listening')],
  ];
  test.each(KINDS)('where a %s stands is never taken, and nothing is read from it', async (_what, make) => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'locks'));
    await make(lockOf(root), root);
    lutimesSync(lockOf(root), 1, 1);
    const kind = lstatSync(lockOf(root)).mode;
    expect(thrown(() => { sidecar(root, { pid: 200 }).hold(THREAD); })).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { path: lockOf(root) } });
    expect(lstatSync(lockOf(root)).mode).toBe(kind);
  });
});

describe('the heartbeat', () => {
  test('is one for all leases of a sidecar, comes every ten seconds, and ends with it', () => {
    const root = temporaryFolder();
    const clock = new TestClock();
    const owner = sidecar(root, { pid: 101 }, { clock });
    owner.hold(THREAD);
    owner.hold(THREADS[1]);
    for (let beat = 0; beat < 3; beat += 1) {
      setAge(root, 50);
      expect([...clock.timers.values()]).toEqual([10_000]);
      clock.fire();
      expect(ageOf(root)).toBeLessThan(40);
    }
    owner.releaseAll();
    expect(clock.timers.size).toBe(0);
  });

  test('is that of all files that name the sidecar, also of those that an earlier writer of it left', () => {
    const root = temporaryFolder();
    let links = 0;
    const fs: FsOps = {
      ...nodeFsOps,
      link: (from, to) => {
        links += 1;
        if (links === 2) throw Object.assign(new Error('EMLINK'), { code: 'EMLINK' });
        nodeFsOps.link(from, to);
      },
    };
    const earlier = sidecar(root, { pid: 101 }, { fs });
    earlier.hold(THREAD);
    earlier.hold(THREADS[1]);
    expect(readdirSync(join(root, 'locks')).filter((name) => name.endsWith('.owner'))).toHaveLength(2);
    instances -= 1;
    const clock = new TestClock();
    const later = sidecar(root, { pid: 101 }, { clock });
    later.hold(THREADS[2]);
    setAge(root, 50);
    clock.fire();
    expect(ageOf(root)).toBeLessThan(40);
    later.hold(THREAD);
    later.hold(THREADS[1]);
    later.releaseAll();
    expect(readdirSync(join(root, 'locks'))).toEqual([]);
  });

  test('never cuts a file that only bears the name of one of ours', async () => {
    const run = (Made: typeof Leases): string => {
      const root = temporaryFolder();
      writeFileSync(join(root, 'victim'), 'x'.repeat(10_000));
      mkdirSync(join(root, 'locks'));
      // Its own name is told by every lease; a further one of any file can be made by whoever may write to the folder.
      linkSync(join(root, 'victim'), join(root, 'locks', `${(instances + 1).toString(16).padStart(16, '0')}-1.owner`));
      const leases = sidecar(root, { pid: 101 }, { Made });
      leases.hold(THREAD);
      expect(ownerOf(root)).toBe(Made === Leases ? 101 : undefined);
      return readFileSync(join(root, 'victim'), 'utf8').slice(0, 10_000);
    };
    expect(run(Leases)).toBe('x'.repeat(10_000));
    const careless = mutantWriter({ file: 'worker/lease/owner-file.js', find: 'if (fs.readText(path, OWNER_BYTES_MAX) === this.#text.toString())', replace: '' });
    const { Leases: Made } = await import(new URL('lease/leases.js', careless).href) as { Leases: typeof Leases };
    expect(run(Made).length).toBeLessThan(10_000);
  });

  test('of an owner that was stopped for long comes before its next write, which finds that nobody took the lease', () => {
    const root = temporaryFolder();
    const clock = new TestClock();
    const owner = sidecar(root, { pid: 101, host: 'elsewhere' }, { clock });
    owner.hold(THREAD);
    setAge(root, 500);
    owner.keep(THREAD);
    expect(ageOf(root)).toBeGreaterThan(400);
    clock.ms += 500_000;
    owner.keep(THREAD);
    expect(ageOf(root)).toBeLessThan(100);
    expect(tries(sidecar(root, { pid: 200 }))).toBe(false);
  });

  test.each([
    ['by a write', (): void => undefined], ['by the clock', (clock: TestClock) => { clock.fire(); }],
  ])('that comes too late (%s) finds other owners: no write follows, and the leases stay the others\'', (_what, first) => {
    const root = temporaryFolder();
    const clock = new TestClock();
    const owner = sidecar(root, { pid: 101, host: 'elsewhere' }, { clock });
    for (const id of THREADS) owner.hold(id);
    setAge(root, 500);
    const taker = sidecar(root, { pid: 200 });
    for (const id of [THREAD, THREADS[1]]) taker.hold(id);
    clock.ms += 500_000;
    first(clock);
    owner.keep(THREADS[2]);
    for (const id of [THREAD, THREADS[1], THREAD]) {
      expect(thrown(() => { owner.keep(id); })).toMatchObject({
        code: 'LASTWORD_WRITE_FAILED', context: { threadId: id, owner: { pid: 200, host: 'here', since: SINCE } },
      });
    }
    owner.releaseAll();
    expect(ownerOf(root)).toBe(200);
  });

  test('that the disk refuses makes every write look at its lease, and refuses none while it stands', () => {
    const root = temporaryFolder();
    const clock = new TestClock();
    let reads = 0;
    const fs: FsOps = {
      ...nodeFsOps,
      readText: (path, bytesMax) => { reads += 1; return nodeFsOps.readText(path, bytesMax); },
      truncate: () => { throw Object.assign(new Error('EIO'), { code: 'EIO' }); },
    };
    const owner = sidecar(root, { pid: 101 }, { fs, clock });
    owner.hold(THREAD);
    reads = 0;
    owner.keep(THREAD);
    expect(reads).toBe(0);
    clock.ms += 40_000;
    clock.fire();
    for (let write = 1; write <= 3; write += 1) {
      owner.keep(THREAD);
      expect(reads).toBe(write);
    }
  });

  test('that is set while a taker claims the lease saves it', () => {
    const root = temporaryFolder();
    sidecar(root, { pid: 101, host: 'elsewhere' }).hold(THREAD);
    setAge(root, 500);
    const fs: FsOps = {
      ...nodeFsOps,
      link: (from, to) => {
        nodeFsOps.link(from, to);
        if (to !== lockOf(root)) setAge(root, 0);
      },
    };
    expect(tries(sidecar(root, { pid: 200 }, { fs }))).toBe(false);
    expect(ownerOf(root)).toBe(101);
    expect(readdirSync(join(root, 'locks')).filter((name) => name.includes('.lock'))).toEqual([`${THREAD}.lock`]);
  });
});

describe('the control:', () => {
  const mutant = async (file: string, find: string, replace: string): Promise<typeof Leases> => {
    const writer = mutantWriter({ file: `worker/lease/${file}`, find, replace });
    return (await import(new URL('lease/leases.js', writer).href) as { Leases: typeof Leases }).Leases;
  };

  test('without a look at the heartbeat, another machine\'s lease is taken while it beats', async () => {
    const Made = await mutant('leases.js', 'ageMs === undefined || ageMs <= HEARTBEAT_AGE_MAX_MS', 'false');
    const root = temporaryFolder();
    sidecar(root, { pid: 101, host: 'elsewhere' }).hold(THREAD);
    expect(tries(sidecar(root, { pid: 200 }, { Made }))).toBe(true);
  });

  test('without terms, an owner that was stopped writes though its lease is another\'s', async () => {
    const Made = await mutant('owner-file.js', 'this.#term += 1', 'this.#term += 0');
    const root = temporaryFolder();
    const clock = new TestClock();
    const owner = sidecar(root, { pid: 101, host: 'elsewhere' }, { clock, Made });
    owner.hold(THREAD);
    setAge(root, 500);
    sidecar(root, { pid: 200 }).hold(THREAD);
    clock.ms += 500_000;
    owner.keep(THREAD);
    expect(ownerOf(root)).toBe(200);
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
    const writer = mutantWriter({ file: 'worker/lease/leases.js', find: 'now.text === found.text && !this.#isAlive(path, now)', replace: 'true' });
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
    const other = sidecar(root, { pid: 201 }, { Made });
    const fs = Object.fromEntries(Object.entries(nodeFsOps).map(([name, call]) => [name, (...args: never[]) => {
      calls += 1;
      if (calls === at) second = tries(other);
      return (call as (...given: never[]) => unknown)(...args);
    }])) as unknown as FsOps;
    const first = tries(sidecar(root, { pid: 200 }, { fs, Made }));
    if (second === undefined) return moments;
    moments.push({ winners: [first, second].filter(Boolean).length, isOwner: ownerOf(root) === (first ? 200 : 201) });
  }
}

/** A process that claims the dead lease, and dies before it puts its own in the place. */
function dieClaiming(root: string, pid: number): void {
  const dying: FsOps = { ...nodeFsOps, rename: () => { throw new Error('killed'); } };
  expect(() => { sidecar(root, { pid }, { fs: dying }).hold(THREAD); }).toThrow('killed');
  expect(existsSync(lockOf(root))).toBe(true);
}
