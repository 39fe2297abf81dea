/** Hosts that are killed: what they are to do, and what they told before. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Durability, SidecarOptions } from 'lastword';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const CRASH_HOST = fileURLToPath(new URL('host.mjs', import.meta.url));
/** A host that has not ended by then is killed. */
const HOST_MS = 120_000;

/** What a host is to do (`host.mjs`). */
export interface Load {
  readonly directory: string;
  readonly seed: number;
  readonly threads: number;
  /** loop: appends and waits for a flush, again and again; paced: one item at a time; burst: all that fits, in one tick. */
  readonly shape: 'loop' | 'paced' | 'burst';
  /** An item's text has so many characters at least, and less than twice as many. */
  readonly itemBytes: number;
  readonly flushEach: number;
  readonly durability: Durability;
  /** Closes after so many, and ends. */
  readonly itemsMax: number;
  readonly options: Partial<Omit<SidecarOptions, 'writerUrl' | 'logger'>>;
  readonly tellPath?: string | undefined;
  readonly lastwordUrl?: string | undefined;
  readonly writerUrl?: string | undefined;
}

/** What a host told, the last of each; every entry by thread. */
export interface Told {
  paths: string[];
  ids: string[];
  synced: number[];
  written: number[];
  accepted: number[];
  isClosed: boolean;
}

export function nothingTold(): Told {
  return { paths: [], ids: [], synced: [], written: [], accepted: [], isClosed: false };
}

/** Adds a line that a host told. A line that the kill cut short says nothing. */
export function hear(told: Told, line: string): void {
  if (line.endsWith('}')) Object.assign(told, JSON.parse(line) as Partial<Told>);
}

export interface RunningHost {
  readonly child: ChildProcess;
  readonly told: Told;
  /** Resolves at the first line that it tells, or when it ends. */
  readonly ready: Promise<unknown>;
  readonly ended: Promise<{ told: Told; code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts a host, by itself or under another program. */
export function startHost(load: Load, under: readonly string[] = [], env: NodeJS.ProcessEnv = {}): RunningHost {
  return startProgram([...under, process.execPath, CRASH_HOST, JSON.stringify(load)], env);
}

/** Any program that tells as a host does, or in lines that `hearLine` understands. */
export function startProgram([command = '', ...args]: readonly string[], env: NodeJS.ProcessEnv = {}, hearLine?: (line: string) => void): RunningHost {
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  const told = nothingTold();
  const timer = setTimeout(() => { child.kill('SIGKILL'); }, HOST_MS);
  const lines = createInterface({ input: child.stdio[3] as Readable });
  lines.on('line', hearLine ?? ((line) => { hear(told, line); }));
  const closed = once(child, 'close').finally(() => { clearTimeout(timer); });
  return {
    child, told, ready: Promise.race([once(lines, 'line'), closed]),
    ended: closed.then(() => ({ told, code: child.exitCode, signal: child.signalCode })),
  };
}
