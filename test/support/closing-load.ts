/** A load that goes on while all of its threads are closed, and what must be true of them afterwards. */
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LastwordError, LATE, type RolloutRecord, type Sidecar, type SidecarOptions, type Thread, type ThreadCloseReceipt } from 'lastword';
import { numbered, openTestSidecar, recordsOf, upTo } from './sidecars.js';

export interface LoadOptions {
  readonly threads: number;
  readonly perSecond: number;
  /** After so many appends every thread is closed. */
  readonly closeAt: number;
  /** Half of the threads are held while so many more appends come in: they are sealed one after the other. */
  readonly heldFor: number;
  /** So many come when everything is closed. */
  readonly lateAfter: number;
  /** Draws the threads and the holds. */
  readonly random: (below: number) => number;
  readonly sidecar?: Partial<SidecarOptions>;
}

export interface LoadOutcome {
  readonly appends: number;
  readonly taken: number;
  readonly takenWhileClosing: number;
  readonly late: number;
  readonly appendsPerSecond: number;
  /** What is not as it must be, in words. */
  readonly complaints: string[];
}

/** What came of one thread, as seen from its callers. */
interface ThreadRun {
  readonly thread: Thread;
  /** Numbers of the items for which append() returned an ordinal. */
  readonly taken: number[];
  takenWhileClosing: number;
  late: number;
  lateAfterReceipt: number;
  receipt: ThreadCloseReceipt | undefined;
  failure: unknown;
}

const TICK_MS = 1;
/** A machine that stood still is caught up with in steps, so that the writer's answers come in between. */
const PER_TICK_MAX = 500;
const CLOSE_TIMEOUT_MS = 30_000;
const LOAD_MS_MAX = 60_000;

export async function closeUnderLoad(options: LoadOptions): Promise<LoadOutcome> {
  const before = openDescriptors();
  const sidecar = await openTestSidecar(options.sidecar);
  const runs = await Promise.all(upTo(options.threads).map(async (): Promise<ThreadRun> => ({
    thread: await sidecar.createThread(), taken: [], takenWhileClosing: 0, late: 0, lateAfterReceipt: 0, receipt: undefined, failure: undefined,
  })));
  const begin = performance.now();
  const appends = await load(runs, options);
  const seconds = (performance.now() - begin) / 1000;
  const sum = (count: (run: ThreadRun) => number): number => runs.reduce((total, run) => total + count(run), 0);
  const [taken, late] = [sum((run) => run.taken.length), sum((run) => run.late)];
  const complaints = [
    ...(await Promise.all(runs.map(threadComplaints))).flat(),
    ...compared('stats().items', sidecar.stats().items, { accepted: taken, written: taken, late }),
    ...compared('what is left of the threads', leftOf(sidecar), { live: [], open: 0, descriptors: [], leases: [] }),
    ...await closeComplaints(sidecar, { threads: runs.length, items: taken, late }),
    ...compared('the number of descriptors', openDescriptors()?.length, before?.length),
    ...compared('what is left of the sidecar', leftOf(sidecar).leases, []),
  ];
  return { appends, taken, late, takenWhileClosing: sum((run) => run.takenWhileClosing), appendsPerSecond: appends / seconds, complaints };
}

/** Appends in step with the clock; every thread is closed in the middle of it. Returns how many appends there were. */
async function load(runs: readonly ThreadRun[], { perSecond, closeAt, heldFor, lateAfter, random }: LoadOptions): Promise<number> {
  const held = runs.filter(() => random(2) === 0).map(({ thread }) => ({ hold: thread.hold('the load'), until: closeAt + random(heldFor) }))
    .sort((one, other) => other.until - one.until);
  let appends = 0;
  let end = Infinity;
  const begin = performance.now();
  while (appends < end) {
    const elapsedMs = performance.now() - begin;
    if (elapsedMs > LOAD_MS_MAX) throw new Error(`the closes under load did not end in ${LOAD_MS_MAX} ms`);
    const due = Math.min((elapsedMs * perSecond) / 1000, appends + PER_TICK_MAX, end);
    for (; appends < due; appends += 1) {
      if (appends === closeAt) void closeAll(runs).then(() => { end = appends + lateAfter; });
      while ((held.at(-1)?.until ?? Infinity) <= appends) held.pop()?.hold[Symbol.dispose]();
      append(runs[random(runs.length)], appends);
    }
    await sleep(TICK_MS);
  }
  return appends;
}

function append(run: ThreadRun | undefined, index: number): void {
  if (run === undefined) throw new Error('no such thread');
  const isClosing = run.thread.state === 'closing';
  if (run.thread.append(numbered(index)) === LATE) {
    run.late += 1;
    if (run.receipt !== undefined) run.lateAfterReceipt += 1;
  } else {
    run.taken.push(index);
    if (isClosing) run.takenWhileClosing += 1;
  }
}

async function closeAll(runs: readonly ThreadRun[]): Promise<void> {
  await Promise.all(runs.map(async (run) => {
    try {
      run.receipt = await run.thread.close({ timeoutMs: CLOSE_TIMEOUT_MS });
    } catch (error) {
      run.failure = error;
    }
  }));
}

async function threadComplaints(run: ThreadRun): Promise<string[]> {
  const { thread, taken, late, lateAfterReceipt, receipt, failure } = run;
  const what = `thread ${thread.id}`;
  if (receipt === undefined) return [`${what}: close() rejected with ${nameOf(failure)}`];
  let records: RolloutRecord[];
  try {
    records = (await recordsOf(thread.path)).slice(1);
  } catch (error) {
    return [`${what}: its rollout cannot be read: ${String(error)}`];
  }
  return [
    ...compared(`${what}: its receipt`, { items: receipt.items, nextOrdinal: receipt.nextOrdinal, late: receipt.late },
      { items: taken.length, nextOrdinal: taken.length + 1, late: late - lateAfterReceipt }),
    ...compared(`${what}: its ordinals on disk`, records.map(({ ordinal }) => ordinal), upTo(taken.length).map((index) => index + 1)),
    ...compared(`${what}: its records on disk`, records.map(({ payload }) => payload), taken.map((index) => numbered(index).payload)),
  ];
}

async function closeComplaints(sidecar: Sidecar, expected: { threads: number; items: number; late: number }): Promise<string[]> {
  try {
    const { threads, items, late } = await sidecar.close();
    return compared('the receipt of the sidecar', { threads, items, late }, expected);
  } catch (error) {
    return [`the close of the sidecar rejected with ${nameOf(error)}`];
  }
}

/** What a sidecar still has: threads, descriptors, leases. */
export function leftOf(sidecar: Sidecar): { live: string[]; open: number; descriptors: string[]; leases: string[] } {
  const locks = join(sidecar.directory, 'locks');
  // The heartbeat of all its leases is the sidecar's own, and open as long as it is.
  const isHeartbeat = (path: string): boolean => sidecar.state === 'open' && path.startsWith(locks) && path.endsWith('.owner');
  return {
    live: [...sidecar.liveThreads()].map(({ id }) => id),
    open: sidecar.stats().files.open,
    descriptors: (openDescriptors() ?? []).filter((path) => path.startsWith(sidecar.directory + sep) && !isHeartbeat(path)),
    leases: existsSync(locks) ? readdirSync(locks).filter((name) => name.endsWith('.lock')) : [],
  };
}

/** What this process has open; undefined where the system does not tell. */
export function openDescriptors(): string[] | undefined {
  const folder = '/proc/self/fd';
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(join(folder, name))];
    } catch {
      return [];   // the one that the folder itself was read with
    }
  });
}

export function nameOf(error: unknown): string {
  return error instanceof LastwordError ? error.code : String(error);
}

/** Nothing where they are the same, else the difference in words. */
export function compared(what: string, found: unknown, expected: unknown): string[] {
  const [foundText, expectedText] = [JSON.stringify(found), JSON.stringify(expected)];
  return foundText === expectedText ? [] : [`${what}: ${foundText}, and should be ${expectedText}`];
}
