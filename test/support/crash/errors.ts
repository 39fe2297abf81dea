/** The small run of a sidecar whose disk fails at one system call of the writer's, or from one on, until it is well again. */
import { appendFileSync, cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setEnvironmentData, type Worker } from 'node:worker_threads';
import { LastwordError, openSidecar, readRollout, type Sidecar, type Thread } from 'lastword';
import { outcomeOf } from '../steps.js';
import { temporaryFolder, upTo } from '../sidecars.js';
import { FAULTY } from './writer-words.mjs';

export const ERRORS = [{ code: 'EIO', errno: -5 }, { code: 'ENOSPC', errno: -28 }, { code: 'EACCES', errno: -13 }] as const;
const ENTRY = new URL('faulty-writer.mjs', import.meta.url);
const RESUMED = '01932b2e-0000-7000-8000-000000000001';
const ARCHIVED = '01932b2e-0000-7000-8000-000000000002';
/** Of what may never come while the disk fails, and of what must come when it does not. */
const SICK_MS = 50;
const WELL_MS = 20_000;
const { CALLS, FAILS_AT, IS_PERSISTENT, ERROR, FAILED, RESYNCED, KINDS } = FAULTY;
const CALLS_MAX = 2000;
/** System calls of the writer. */
export const CALL_KINDS = [
  'open', 'write', 'ftruncate', 'fstat', 'close', 'link', 'rename', 'unlink', 'read', 'lstat', 'readdir', 'mkdir', 'stat', 'access', 'fsync', 'fdatasync',
] as const;
export type CallKind = (typeof CALL_KINDS)[number];
/** Runs at a time: most of one is waiting. */
const LANES = 6;

export interface Fault { readonly at: number; readonly isPersistent: boolean; readonly error: number }

export interface Outcome {
  readonly fault: Fault;
  /** What was called before the disk was well again, in order. */
  readonly calls: readonly CallKind[];
  /** How many calls failed. */
  readonly failed: number;
  readonly complaints: string[];
}

const item = (index: number): { type: string; payload: object } => ({ type: 'event_msg', payload: { index, text: 'x'.repeat(50) } });

/** A directory with a torn thread of a sidecar that was closed, and one that is to be archived. */
async function prepare(): Promise<string> {
  const directory = join(temporaryFolder(), 'template');
  const sidecar = await openSidecar({ directory, logger: false });
  for (const id of [RESUMED, ARCHIVED]) {
    const thread = await sidecar.createThread({ id });
    thread.append(item(1));
    await thread.close();
    if (id === RESUMED) appendFileSync(thread.path, '{"timestamp":"2026-');
  }
  await sidecar.close();
  return directory;
}

/** One run in a copy of the directory. */
async function runWithError(template: string, fault: Fault, writerUrl?: string): Promise<Outcome> {
  const directory = join(temporaryFolder(), 'run');
  cpSync(template, directory, { recursive: true });
  const words = new Int32Array(new SharedArrayBuffer(4 * CALLS_MAX));
  words[FAILS_AT] = fault.at;
  words[IS_PERSISTENT] = fault.isPersistent ? 1 : 0;
  words[ERROR] = fault.error;
  const run = new Run(directory, words);
  await run.all(writerUrl);
  rmSync(directory, { recursive: true });
  const calls = Array.from(words.subarray(KINDS + 1, KINDS + 1 + run.callsWhileSick), (kind) => CALL_KINDS[kind] ?? 'open');
  return { fault, calls, failed: words[FAILED] ?? 0, complaints: run.complaints };
}

/** Which of the faults at a call there are to be: `of` is the call's number and its kind. */
export type Choose = (of: { at: number; kind: CallKind }) => Omit<Fault, 'at'>[];

/** Every call of the run in turn, with the faults that are chosen for it. */
export async function failEveryCall(choose: Choose, writerUrl?: string): Promise<{ calls: readonly CallKind[]; outcomes: Outcome[] }> {
  const template = await prepare();
  const { calls } = await runWithError(template, { at: 0, isPersistent: false, error: 0 }, writerUrl);
  const faults = calls.flatMap((kind, index) => choose({ at: index + 1, kind }).map((fault) => ({ at: index + 1, ...fault })));
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let fault = faults.shift(); fault !== undefined; fault = faults.shift()) outcomes.push(await runWithError(template, fault, writerUrl));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { calls, outcomes };
}

let opening: Promise<unknown> = Promise.resolve();

class Run {
  readonly complaints: string[] = [];
  callsWhileSick = 0;
  readonly #workers: Worker[] = [];
  readonly #directory: string;
  readonly #words: Int32Array;
  readonly #threads: Thread[] = [];
  #isSick = true;

  constructor(directory: string, words: Int32Array) {
    this.#directory = directory;
    this.#words = words;
  }

  async all(writerUrl: string | undefined): Promise<void> {
    let sidecar = await this.#openSidecar(writerUrl);
    if (sidecar !== undefined) await this.#steps(sidecar);
    this.#heal();
    sidecar ??= await this.#openSidecar(writerUrl);
    if (sidecar !== undefined) await this.#afterwards(sidecar);
    if (this.#words[RESYNCED] !== 0) this.#say('a file was synced again whose sync had failed');
    // A sidecar that could not be closed leaves its worker.
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** One at a time: what the writer is given comes by way of the process. */
  #openSidecar(writerUrl: string | undefined): Promise<Sidecar | undefined> {
    const onWorker = (worker: Worker): void => { this.#workers.push(worker); };
    const opened = opening.then(async () => {
      setEnvironmentData('lastword-test-faults', { words: this.#words, directory: this.#directory, errors: ERRORS, kinds: CALL_KINDS, writerUrl });
      process.on('worker', onWorker);
      try {
        return await this.#try('openSidecar', () => openSidecar({ directory: this.#directory, logger: false, syncIntervalMs: 0, writerUrl: ENTRY }));
      } finally {
        process.off('worker', onWorker);
      }
    });
    opening = opened;
    return opened;
  }

  async #steps(sidecar: Sidecar): Promise<void> {
    const created = await this.#open('createThread', () => sidecar.createThread());
    await this.#append(created, 'written');
    await this.#append(created, 'synced');
    const resumed = await this.#open('resumeThread', () => sidecar.resumeThread(RESUMED));
    await this.#append(resumed, 'synced');
    await this.#append(created, 'written');
    await this.#try('archiveThread', () => sidecar.archiveThread(ARCHIVED));
    await this.#try('close', async () => resumed?.close({ timeoutMs: SICK_MS }));
  }

  #heal(): void {
    this.callsWhileSick = Atomics.load(this.#words, CALLS);
    Atomics.store(this.#words, FAILS_AT, 0);
    this.#isSick = false;
  }

  /** The disk is well: what could be waited for comes, and everything else goes on. */
  async #afterwards(sidecar: Sidecar): Promise<void> {
    if (sidecar.state !== 'open') this.#say(`the sidecar is ${sidecar.state}`);
    for (const thread of this.#threads) {
      if (thread.state === 'open') await this.#append(thread, 'synced');
      const isFailed = thread.state === 'failed';
      if (isFailed) await this.#abandon(thread);
      else await this.#try('close', () => thread.close({ timeoutMs: WELL_MS }));
      await this.#checkFile(thread, isFailed);
    }
    const fresh = await this.#open('createThread', () => sidecar.createThread());
    await this.#append(fresh, 'synced');
    await this.#try('close', async () => fresh?.close());
    if (fresh !== undefined) await this.#checkFile(fresh);
    await this.#try('close of the sidecar', () => sidecar.close({ timeoutMs: WELL_MS }));
    const left = readdirSync(join(this.#directory, 'locks')).filter((name) => name.endsWith('.lock'));
    if (left.length > 0) this.#say(`leases are left: ${left.join(', ')}`);
  }

  async #append(thread: Thread | undefined, durability: 'written' | 'synced'): Promise<void> {
    if (thread === undefined) return;
    thread.appendAll(upTo(3).map(item));
    await this.#try(`flush ${durability}`, () => thread.flush({ durability, timeoutMs: this.#isSick ? SICK_MS : WELL_MS }));
    const { written, synced, path } = thread;
    const records = await this.#recordsOf(path, this.#isSick);
    if (synced > written || written > records) this.#say(`${synced} are said to be synced, ${written} written, and ${records} are there`);
  }

  async #abandon(thread: Thread): Promise<void> {
    const outcome = await outcomeOf(thread.close(), () => 'closed');
    if (outcome !== 'LASTWORD_WRITE_FAILED' && outcome !== 'LASTWORD_SYNC_FAILED') this.#say(`the close of a failed thread: ${outcome}`);
    const { code } = ERRORS[this.#words[ERROR] ?? 0] ?? ERRORS[0];
    if (outcome === 'LASTWORD_WRITE_FAILED' && code !== 'EACCES') this.#say(`${code} may pass, and the thread failed for good`);
    await this.#try('close with abandon', () => thread.close({ abandon: true }));
  }

  /** Every record in its place; all of them unless the thread was given up. */
  async #checkFile(thread: Thread, isAbandoned = false): Promise<void> {
    const records = await this.#recordsOf(thread.path, isAbandoned);
    if (!isAbandoned && records !== thread.accepted) this.#say(`${thread.accepted} were accepted, and ${records} are there`);
    if (records < thread.written) this.#say(`${thread.written} are said to be written, and ${records} are there`);
  }

  async #recordsOf(path: string, mayBeTorn: boolean): Promise<number> {
    try {
      const ordinals: number[] = [];
      // What a write left that failed may stay for as long as the disk refuses everything.
      const onDamage = ({ kind }: { kind: string }): void => { if (kind !== 'torn' || !mayBeTorn) this.#say(`damage: ${kind}`); };
      for await (const { ordinal } of readRollout(path, { onDamage })) ordinals.push(ordinal);
      const wrong = ordinals.findIndex((ordinal, place) => ordinal !== place);
      if (wrong !== -1) this.#say(`record ${wrong} is another one`);
      return ordinals.length;
    } catch (error) {
      this.#say(String(error));
      return 0;
    }
  }

  async #open(what: string, act: () => Promise<Thread>): Promise<Thread | undefined> {
    const thread = await this.#try(what, act);
    if (thread !== undefined) this.#threads.push(thread);
    return thread;
  }

  /** Typed, whatever fails, and not at all once the disk is well. */
  async #try<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      if (!this.#isSick || !(error instanceof LastwordError) || error.code === 'LASTWORD_WRITER_EXITED') this.#say(`${what}: ${String(error)}`);
      return undefined;
    }
  }

  #say(complaint: string): void {
    this.complaints.push(complaint);
  }
}
