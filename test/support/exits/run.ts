/** Host programs as children: what they were told to do, and what became of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { SidecarOptions } from 'lastword';
import { expect } from 'vitest';
import type { DiskFaults } from '../crash/disks.js';
import { recordsOf, temporaryFolder } from '../sidecars.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const HOST = fileURLToPath(new URL('host.mjs', import.meta.url));
/** Children at a time: the machine has few cores. */
const CHILDREN_MAX = 3;
/** A child that has not ended by then is killed, and its test fails. */
const CHILD_MS = 60_000;
/** Far above CHILD_MS: a drain that does not end before its bound is killed, and seen. */
const NEVER_MS = 600_000;

export type Burst = 'idle' | 'fits' | 'spills' | 'flood' | 'large' | number;

/** What a host program is to do (`host.mjs`). */
export interface Scenario {
  /** A key of ENDS in `ends.mjs`. */
  readonly end: string;
  readonly burst?: Burst;
  readonly options?: Partial<Omit<SidecarOptions, 'writerUrl' | 'logger'>>;
  readonly sidecars?: number;
  readonly threadsEach?: number;
  /** Some items are written before the burst begins. */
  readonly isFlushedFirst?: boolean;
  /** The threads are such as were closed, and resumed. */
  readonly isResumed?: boolean;
  /** The writer's disk waits until all is appended, and may be slow; false: the disk is as it is. */
  readonly isRigged?: boolean;
  /** Milliseconds that each write() takes. */
  readonly delayMs?: number;
  /** How the writer dies at its next write (DEATHS in `rig.mjs`), before the process ends. */
  readonly death?: string;
  /** What the disk has no room for once all is appended: 'nothing', 'rollouts' (salvage files fit), 'everything'. */
  readonly full?: string;
  /** The process ends after the writer did; false: perhaps before. */
  readonly isDeathAwaited?: boolean;
  /** The process ends after it has heard that the writer did. */
  readonly waitsForExitEvent?: boolean;
  /** The writer stays in its write() for ever. */
  readonly isGateKept?: boolean;
  /** What the file system below does from the moment on in which the burst begins (`SlowDisk`). */
  readonly disk?: { readonly control: string; readonly faults: DiskFaults };
  /** Of the item of the burst 'large'. */
  readonly largeBytes?: number;
  /** Tells what is written, what the disk counted, and what the writer is in, in a listener of the process's 'exit'. */
  readonly isTellingAtExit?: boolean;
  /** Only the first sidecar has the option `signals`. */
  readonly isFirstOnlySignalled?: boolean;
  /** The first sidecar's. */
  readonly hasThrowingLogger?: boolean;
  /** Without the library. */
  readonly isBare?: boolean;
  /** Killed after so long, in place of CHILD_MS: for what is expected not to end. */
  readonly childMs?: number;
  /** A mutant of the package, or of the writer, in place of the shipped one. */
  readonly lastwordUrl?: string;
  readonly writerUrl?: string;
  /** Sent when the host says that it is ready. */
  readonly signal?: NodeJS.Signals;
  /** Called with each line that the host tells or logs. */
  readonly onLine?: (line: string) => void;
}

/** What the host told, the last of each. */
export interface Told {
  paths?: string[];
  ids?: string[];
  accepted?: number[];
  returned?: number[][];
  written?: number[];
  used?: number;
  usedBeforeWaiting?: number;
  /** The host lived on, and everything still worked. */
  isAlive?: boolean;
  counts?: { writes: number; syncs: number; writesSynced: number };
  atExit?: { written: number; synced: number }[];
  busy?: string;
  ready?: boolean;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly told: Told;
  readonly isOverdue: boolean;
}

let running = 0;
const queue: (() => void)[] = [];

async function inTurn<T>(act: () => Promise<T>): Promise<T> {
  if (running >= CHILDREN_MAX) await new Promise<void>((resolve) => { queue.push(resolve); });
  else running += 1;
  try {
    return await act();
  } finally {
    const next = queue.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

/** Runs a host program to its end. Not above CHILDREN_MAX at a time: the others wait. */
export function runHost(scenario: Scenario): Promise<Ended> {
  const full = {
    burst: 'fits', isRigged: true, delayMs: 0, death: 'none', isDeathAwaited: true, sidecars: 1, threadsEach: 2, waitsForExitEvent: false, ...scenario,
    options: {
      directory: temporaryFolder(), ringBytes: 64 * 1024, overflowBytes: 64 * 1024, fullTimeoutMs: NEVER_MS, exitTimeoutMs: NEVER_MS,
      syncIntervalMs: 0, ...scenario.options,
    },
  };
  return inTurn(() => runProgram([HOST, JSON.stringify(full)], scenario));
}

/** Runs any program that tells over descriptor 3. */
export async function runProgram(args: readonly string[], { signal, childMs = CHILD_MS, onLine }: Pick<Scenario, 'signal' | 'childMs' | 'onLine'> = {}): Promise<Ended> {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  let isOverdue = false;
  const timer = setTimeout(() => { isOverdue = child.kill('SIGKILL'); }, childMs);
  const told: Told = {};
  const listening = (async (): Promise<void> => {
    for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
      Object.assign(told, JSON.parse(line) as Told);
      onLine?.(line);
      if (signal !== undefined && line.includes('"ready"')) child.kill(signal);
    }
  })();
  let stderr = '';
  const logging = (async (): Promise<void> => {
    for await (const line of createInterface({ input: child.stdio[2] as Readable })) {
      stderr += `${line}\n`;
      onLine?.(line);
    }
  })();
  const [, stdout] = await Promise.all([once(child, 'close'), text(child.stdio[1] as Readable), listening, logging]);
  clearTimeout(timer);
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr, told, isOverdue };
}

interface Item { readonly index: number; readonly text: string }

/** The files hold what the host was told is accepted, once and in order, without damage. */
export async function expectKept({ told }: Ended, what: string): Promise<void> {
  const { paths = [], accepted = [], returned = [] } = told;
  expect(paths.length, `${what}: threads`).toBeGreaterThan(0);
  for (const [which, path] of paths.entries()) {
    const records = await recordsOf(path);
    const items = records.slice(1).map(({ payload }) => payload as Item);
    // Not the lists themselves: their difference would be pages long.
    expect(items.length + 1, `${what}: records of thread ${which}`).toBe(accepted[which]);
    expect(records.findIndex(({ ordinal }, place) => ordinal !== place), `${what}: first ordinal that is wrong`).toBe(-1);
    expect(items.findIndex(({ text: { length } }) => length !== 200), `${what}: first item that is wrong`).toBe(-1);
    expect(items.findIndex(({ index }, place) => index <= (items[place - 1]?.index ?? -1)), `${what}: first item out of order or twice`).toBe(-1);
    expect(wrongAnswers(items, returned[which] ?? []), `${what}: ordinals that were returned for other items`).toEqual([]);
  }
}

/** How many items the host was told are accepted and no file holds. Files without damage only. */
export async function lostOf({ told }: Ended): Promise<number> {
  const { paths = [], accepted = [] } = told;
  const records = await Promise.all(paths.map((path) => recordsOf(path)));
  return records.reduce((lost, list, which) => lost + (accepted[which] ?? 0) - list.length, 0);
}

function wrongAnswers(items: readonly Item[], returned: readonly number[]): number[] {
  const wrong: number[] = [];
  for (let place = 0; place < returned.length; place += 2) {
    const ordinal = returned[place + 1] ?? -1;
    if (items[ordinal - 1]?.index !== returned[place]) wrong.push(ordinal);
  }
  return wrong.slice(0, 5);
}
