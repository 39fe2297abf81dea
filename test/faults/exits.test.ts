/** Every kind of end of a process, on a real file system that is slow, hangs or takes nothing, and with a writer that is dead or starting. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readRollout } from 'lastword';
import { expect, test, type TestContext } from 'vitest';
import { lackOf, SlowDisk, type DiskFaults } from '../support/crash/disks.js';
import { ENDS, scenarioOf, type End } from '../support/exits/kinds.js';
import { expectKept, runHost, type Ended, type Scenario } from '../support/exits/run.js';
import { errorsOf, expectSalvaged, unwrittenOf } from '../support/exits/salvaged.js';
import { mutantPackage } from '../support/mutants.js';
import { temporaryFolder } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

/** Ends at a time, each with a disk of its own. */
const LANES = 2;
const ROUNDS = 3;
/** Of what takes seconds each. */
const ROUNDS_SLOW = 2;
const LARGE_BYTES = 60 << 20;
/** Of the last drain, and of a close, on a disk that does not come back. */
const BOUND_MS = 1_000;
/** Of a machine that has other work. */
const SLACK_MS = 20_000;
/** A process that has not ended by then is killed, and its disk let go: nothing else ends it. */
const CHILD_MS = 60_000;

/** Twelve. A host that lives on is no end on a disk that fails: there it appends, and exits. */
const KINDS = Object.entries(ENDS).filter(([name, { isVariant }]) => isVariant !== true && !name.includes('where the stack is used up'));
const SURVIVES = 'uncaught exception that the host survives';
const EXITS_INSTEAD = 'uncaught exception that the host hears, appends and exits';
/** No listener of 'exit' that is added last hears of these. */
const UNHEARD = ['uncaughtException handler that throws', 'exit listener that throws', 'SIGTERM, with the option'];

interface Case { readonly name: string; readonly end: End; readonly disk: SlowDisk }
interface Outcome extends Ended {
  /** From the end's begin to where the disk was let go, or the process was over. */
  readonly tookMs: number;
}

async function endOn({ name, end, disk }: Case, scenario: Partial<Scenario>, faults: DiskFaults, isOver?: (line: string) => boolean): Promise<Outcome> {
  const base = scenarioOf(name, end, scenario.burst);
  let beganMs = performance.now();
  let overMs: number | undefined;
  const childMs = scenario.childMs ?? CHILD_MS;
  const timer = setTimeout(() => { disk.set({}); }, childMs + 1_000);
  const ended = await runHost({
    ...base, delayMs: 0, isRigged: false, ...scenario, childMs,
    options: { ...base.options, ...scenario.options, directory: join(disk.folder, 'root') },
    disk: { control: disk.control, faults },
    onLine: (line) => {
      if (line.includes('"ends"')) beganMs = performance.now();
      if (overMs !== undefined || isOver?.(line) !== true) return;
      overMs = performance.now();
      disk.set({});
    },
  });
  clearTimeout(timer);
  disk.set({});
  return { ...ended, tookMs: (overMs ?? performance.now()) - beganMs };
}

/** Each kind in turn, so many rounds, some at a time; the folder is empty again after each. */
async function everyKind(rounds: number, kinds: readonly (readonly [string, End])[], act: (of: Case) => Promise<void>): Promise<void> {
  const left = Array.from({ length: rounds }, () => kinds).flat();
  const lane = async (): Promise<void> => {
    const disk = new SlowDisk(temporaryFolder());
    await disk.mount();
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [name, end] = next;
      await act({ name, end, disk });
      rmSync(join(disk.folder, 'root'), { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

function expectEnd(ended: Outcome, { name, end }: Case, isFailing = false): void {
  // A close that cannot finish rejects, and nobody catches that here.
  const code = isFailing && name === 'close()' ? 1 : end.code;
  expect(ended, `${name}: ${ended.stderr.slice(0, 2_000)}`).toMatchObject({ code, signal: end.signal ?? null, isOverdue: false, stdout: 'the host was here\n' });
}

function skipUnlessThere({ skip }: TestContext): void {
  const lack = lackOf({ hasFuse: true });
  if (lack !== undefined) skip(lack);
}

const SITUATIONS: readonly [string, number, Partial<Scenario>, DiskFaults][] = [
  ['with nothing left to write', ROUNDS, { burst: 'idle' }, {}],
  ['with a burst that exceeds ring and overflow', ROUNDS, { burst: 3000 }, {}],
  ['with an item of 60 MiB', ROUNDS_SLOW, { burst: 'large', largeBytes: LARGE_BYTES, options: { overflowBytes: 128 << 20 } }, {}],
  ['with a writer that is starting on a slow disk', ROUNDS_SLOW, { burst: 'spills', isRigged: true, death: 'within a write', waitsForExitEvent: true }, { open: 'sleep:0.05', write: 'sleep:0.02' }],
  ['with a writer that is dead on a slow disk', ROUNDS, { burst: 'spills', isRigged: true, death: 'within a write' }, { write: 'sleep:0.02' }],
  ['on a slow disk', ROUNDS_SLOW, { burst: 1500, options: { durability: 'synced' } }, { write: 'sleep:0.05', fsync: 'sleep:0.1' }],
];

test.for(SITUATIONS)('P5 P21: an end of each kind %s keeps every item, in order, with code, signal and output as they are', async ([what, rounds, scenario, faults], context) => {
  skipUnlessThere(context);
  counted(context.task, rounds * KINDS.length);
  await everyKind(rounds, KINDS, async (of) => {
    const ended = await endOn(of, scenario, faults);
    expectEnd(ended, of);
    await expectKept(ended, `${of.name}, ${what}`);
    expect(errorsOf(ended)).toEqual([]);
  });
});

const ON_FAILING = KINDS.map(([name, end]) => (name === SURVIVES ? [EXITS_INSTEAD, ENDS[EXITS_INSTEAD] ?? end] as const : [name, end] as const));
const FAILING = { burst: 'fits', isFlushedFirst: true, isTellingAtExit: true, options: { exitTimeoutMs: BOUND_MS, closeTimeoutMs: BOUND_MS } } as const;

/** The drain is over: told by a listener of 'exit' behind the library's, or by the library itself where there is none. */
function isOverOf(name: string): (line: string) => boolean {
  return UNHEARD.includes(name) ? (line) => line.includes('the process ends') : (line) => line.includes('"atExit"');
}

/** What is missing is named; what is there is whole and in order. */
async function expectNamed(ended: Ended): Promise<void> {
  const { ids = [], paths = [], accepted = [] } = ended.told;
  const named = unwrittenOf(ended);
  for (const [which, path] of paths.entries()) {
    const ordinals: number[] = [];
    const kinds: string[] = [];
    for await (const { ordinal } of readRollout(path, { onDamage: ({ kind }) => { kinds.push(kind); } })) ordinals.push(ordinal);
    expect(ordinals.findIndex((ordinal, place) => ordinal !== place), 'first ordinal that is wrong').toBe(-1);
    expect(kinds.filter((kind) => kind !== 'torn')).toEqual([]);
    const range = named.find(({ threadId }) => threadId === ids[which]);
    const isNamed = range !== undefined && range.from <= ordinals.length && range.to === (accepted[which] ?? 0) - 1;
    if (ordinals.length < (accepted[which] ?? 0)) expect(isNamed, `${ordinals.length} of ${accepted[which]} are there, and named is ${JSON.stringify(range)}`).toBe(true);
  }
}

test('P5 P21: an end of each kind on a disk that hangs in a write is over within its bound, names what is not written, and says what hangs', async (context) => {
  skipUnlessThere(context);
  counted(context.task, ROUNDS_SLOW * KINDS.length);
  await everyKind(ROUNDS_SLOW, ON_FAILING, async (of) => {
    const ended = await endOn(of, FAILING, { write: 'hang' }, isOverOf(of.name));
    expectEnd(ended, of, true);
    // A close and the last drain, and one more for what a listener appends.
    expect(ended.tookMs, of.name).toBeLessThan(3 * BOUND_MS + SLACK_MS);
    expect(unwrittenOf(ended), of.name).not.toEqual([]);
    await expectNamed(ended);
    if (!UNHEARD.includes(of.name)) expect(ended.told.busy, of.name).toBe('write');
  });
});

test('P5 P21: an end of each kind on a disk that hangs in a sync is over within its bound, and names what is not written', async (context) => {
  skipUnlessThere(context);
  const kinds = ON_FAILING.filter(([name]) => !UNHEARD.includes(name));
  counted(context.task, ROUNDS_SLOW * kinds.length);
  await everyKind(ROUNDS_SLOW, kinds, async (of) => {
    const ended = await endOn(of, { ...FAILING, options: { ...FAILING.options, durability: 'synced' } }, { fsync: 'hang' }, isOverOf(of.name));
    expectEnd(ended, of, true);
    expect(ended.tookMs, of.name).toBeLessThan(3 * BOUND_MS + SLACK_MS);
    await expectNamed(ended);
  });
});

test('P5 P21: an end of each kind on a disk that takes nothing puts every item into salvage files elsewhere, which the log names', async (context) => {
  skipUnlessThere(context);
  counted(context.task, ROUNDS * KINDS.length);
  await everyKind(ROUNDS, ON_FAILING, async (of) => {
    const ended = await endOn(of, FAILING, { write: 28 });
    expectEnd(ended, of, true);
    await expectSalvaged(ended, of.name);
    for (const { salvage = '' } of unwrittenOf(ended)) {
      expect(salvage.startsWith(of.disk.folder)).toBe(false);
      rmSync(salvage);
    }
  });
});

test('P5 P21, the control: a package whose last drain has no bound does not end on a disk that hangs', async (context) => {
  skipUnlessThere(context);
  const { lastwordUrl } = mutantPackage({ file: 'src/exit/exit-drain.js', find: 'if (leftMs <= 0)\n                return false;', replace: 'if (leftMs <= 0)\n                continue;' });
  await everyKind(1, ON_FAILING.filter(([name]) => name === 'process.exit()'), async (of) => {
    const ended = await endOn(of, { ...FAILING, lastwordUrl, childMs: 5_000 }, { write: 'hang' }, isOverOf(of.name));
    expect(ended.isOverdue).toBe(true);
  });
});

test('P5 P21, the control: a package that does not hear of the end loses items on a slow disk', async (context) => {
  skipUnlessThere(context);
  const { lastwordUrl } = mutantPackage({ file: 'src/exit/process-end.js', find: 'listeners.add(listener);', replace: '' });
  const found: string[] = [];
  await everyKind(1, KINDS.filter(([, { signal }]) => signal === undefined), async (of) => {
    const ended = await endOn(of, { burst: 'fits', lastwordUrl }, { write: 'sleep:0.2' });
    await expectKept(ended, of.name).catch(() => { found.push(of.name); });
  });
  expect(found.sort()).toEqual(KINDS.flatMap(([name, { signal }]) => (signal === undefined && name !== 'close()' ? [name] : [])).sort());
});
