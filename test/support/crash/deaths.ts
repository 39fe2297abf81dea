/** A sidecar under load whose writer dies at random moments, in every way that a worker can end. */
import { once } from 'node:events';
import { setEnvironmentData, type Worker } from 'node:worker_threads';
import type { Thread } from 'lastword';
import { openLedger, type Ledger } from '../ledger.js';
import { mutantPackage, type Patch } from '../mutants.js';
import { randomFrom } from '../random.js';
import { numbered, temporaryFolder, upTo } from '../sidecars.js';
import { turn, within } from '../steps.js';
import { DYING } from './writer-words.mjs';

const ENTRY = new URL('dying-writer.mjs', import.meta.url);
/** What the writer does by itself at one of its system calls; and the host's terminate(). */
const WAYS = [
  'exits before a call', 'exits behind a part of a call', 'exits behind a call', 'throws out of a turn', 'rejects and nobody listens', 'runs out of memory',
] as const;
export type Way = (typeof WAYS)[number] | 'is terminated by the host';
const { CALLS, DIES_AT, WAY, COUNTS_WRITES } = DYING;
const LANES = 3;
/** After so many this thread writes, see src/control/writer-link.ts. */
const DEATHS_MAX = 3;
/** Calls, writes, and milliseconds until the next death. */
const CALLS_BETWEEN = 60;
const WRITES_BETWEEN = 8;
const MS_BETWEEN = 8;
/** A lane that went so far and met no death. */
const STEPS_MAX = 20_000;

export interface Trial { readonly seed: number; readonly ways: readonly Way[]; readonly complaints: readonly string[] }

/** As many trials as are asked for, one after the other: what a writer is given comes by way of the process. A mutant is looked at until it is `found`. */
export async function dieOften(trials: number, seed: number, { patches = [], found }: { patches?: readonly Patch[]; found?: RegExp } = {}): Promise<Trial[]> {
  // Its heap has a limit that is soon reached.
  const { lastwordUrl, writerUrl } = mutantPackage(...patches, {
    file: 'src/control/writer-handle.js', find: 'execArgv: [], env: {},', replace: 'execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: 64 },',
  });
  const done: Trial[] = [];
  for (const index of upTo(trials)) {
    const one = await trial(seed + index, lastwordUrl, writerUrl);
    done.push(one);
    if (found !== undefined && one.complaints.some((complaint) => found.test(complaint))) break;
  }
  return done;
}

async function trial(seed: number, lastwordUrl: string, writerUrl: string): Promise<Trial> {
  const next = randomFrom(seed);
  const directory = temporaryFolder();
  const words = new Int32Array(new SharedArrayBuffer(16));
  const syncIntervalMs = next(2) * 5;
  setEnvironmentData('lastword-test-deaths', { words, directory, ways: WAYS, writerUrl });
  const workers: Worker[] = [];
  const onWorker = (worker: Worker): void => { workers.push(worker); };
  process.on('worker', onWorker);
  const ways: Way[] = [];
  const complaints: string[] = [];
  try {
    const ledger = await openLedger({ directory, writerUrl: ENTRY, ringBytes: 64 << 10, overflowBytes: 2 << 20, itemBytesMax: 1 << 20, syncIntervalMs }, lastwordUrl);
    const dies = killWriters(ledger, { next, words, workers, ways });
    let isOver = false;
    const load = Promise.all(upTo(LANES).map((lane) => churn(ledger, randomFrom(seed * LANES + lane), () => isOver)));
    await within(Promise.race([dies, load]), 'the deaths');
    isOver = true;
    await within(load, 'the end of the load');
    complaints.push(...unexpected(await within(ledger.complaints(), 'the close'), ways.length, syncIntervalMs > 0));
  } catch (error) {
    complaints.push(String(error));
  } finally {
    process.off('worker', onWorker);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return { seed, ways, complaints };
}

interface Rig {
  readonly next: (below: number) => number;
  readonly words: Int32Array;
  readonly workers: readonly Worker[];
  /** Of the deaths so far. */
  readonly ways: Way[];
}

/** One or two deaths, or so many that there is no further writer. */
async function killWriters({ sidecar }: Ledger, { next, words, workers, ways }: Rig): Promise<void> {
  const count = next(5) === 0 ? DEATHS_MAX : 1 + next(2);
  for (let death = 0; death < count; death += 1) {
    // The third comes within ten seconds, or, on a slow machine, is one more of the first.
    const replaced = Promise.race([once(sidecar, 'writerRestarted'), once(sidecar, 'degraded')]);
    const drawn = next(WAYS.length + 1);
    const way = WAYS[drawn] ?? 'is terminated by the host';
    ways.push(way);
    if (drawn < WAYS.length) {
      Atomics.store(words, WAY, drawn);
      // Half of them in writes, which are rarer than all others together; only a write has parts.
      const countsWrites = way === 'exits behind a part of a call' ? 1 : next(2);
      Atomics.store(words, COUNTS_WRITES, countsWrites);
      Atomics.store(words, DIES_AT, Atomics.load(words, CALLS) + 1 + next(countsWrites === 1 ? WRITES_BETWEEN : CALLS_BETWEEN));
    } else setTimeout(() => { void workers.at(-1)?.terminate(); }, next(MS_BETWEEN));
    await replaced;
  }
}

/** What a host may do, at random, until it is told to end. */
async function churn(ledger: Ledger, next: (below: number) => number, isOver: () => boolean): Promise<void> {
  let thread = await ledger.create();
  for (let step = 0; step < STEPS_MAX && !isOver(); step += 1) {
    if (next(8) === 0) {
      const { id } = thread;
      await thread.close({ durability: next(2) === 0 ? 'synced' : 'written' });
      thread = next(2) === 0 ? await ledger.resume(id) : await ledger.create();
    }
    await act(ledger, thread, next);
  }
  await thread.close();
}

async function act(ledger: Ledger, thread: Thread, next: (below: number) => number): Promise<void> {
  const durability = next(2) === 0 ? 'synced' : 'written';
  switch (next(7)) {
    case 0: for (const index of upTo(next(60))) ledger.append(thread, numbered(index)); return;
    case 1: ledger.append(thread, { type: 'event_msg', payload: 'x'.repeat(next(400_000)) }); return;
    case 2: ledger.appendAll(thread, upTo(2 + next(20)).map(numbered)); return;
    case 3: await ledger.publish(thread, numbered(3), { durability }); return;
    case 4: await thread.flush({ durability }); return;
    case 5: ledger.setMeta(thread, { step: next(100) }); return;
    default: await turn();
  }
}

/** Deaths are said at warn, and that this thread writes at error: each once, and nothing else. A sync behind a close has the file open for some time. */
function unexpected(complaints: readonly string[], deaths: number, isSyncedLater: boolean): string[] {
  const isRestart = (text: string): boolean => text.startsWith('logged at warn: the writer ended and was started again');
  const isStandby = (text: string): boolean => text.startsWith('logged at error: the writer ends again and again');
  const restarts = complaints.filter(isRestart).length;
  const standbys = complaints.filter(isStandby).length;
  const isOpenStill = (text: string): boolean => isSyncedLater && text.startsWith('what is left of the threads');
  const rest = complaints.filter((text) => !isRestart(text) && !isStandby(text) && !isOpenStill(text));
  if (restarts + standbys !== deaths) rest.push(`${restarts} restarts and ${standbys} standbys were logged, of ${deaths} deaths`);
  return rest;
}
