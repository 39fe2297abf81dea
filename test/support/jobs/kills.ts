/** Jobs whose host is killed at random moments, some of them again while they are resumed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, truncateSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readRollout } from 'lastword';
import { newThreadId } from '../../../src/rollout/thread-id.js';
import { randomFrom } from '../random.js';
import { temporaryFolder } from '../sidecars.js';
import { complaintsOf, jobLog, type LogRecord } from './logs.js';

const HOST = fileURLToPath(new URL('host.mjs', import.meta.url));
export const ITEMS = 500;
const CONCURRENCY = 8;
const HOST_MS = 60_000;

interface Run { readonly started: number[]; readonly hasEnded: boolean }

export interface KilledJob {
  readonly seed: number;
  readonly complaints: string[];
  /** Hosts that were killed, and those of them with a log that had begun. */
  readonly kills: number;
  readonly resumed: number;
  readonly torn: number;
}

/** Runs a host until it has ended, or until it has said so many lines; then it is killed. */
async function runHost(args: readonly string[], linesMax: number): Promise<Run> {
  const child = spawn(process.execPath, [HOST, ...args], { stdio: ['ignore', 'pipe', 'inherit'], timeout: HOST_MS, killSignal: 'SIGKILL' });
  const exited = once(child, 'exit');
  const started: number[] = [];
  let lines = 0;
  let hasEnded = false;
  if (linesMax <= 0) child.kill('SIGKILL');
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, n] = line.split(' ');
    if (word === 'start') started.push(Number(n));
    hasEnded ||= word === 'end';
    lines += 1;
    if (lines === linesMax) child.kill('SIGKILL');
  }
  await exited;
  return { started, hasEnded };
}

function logPath(directory: string): string | undefined {
  const folder = join(directory, 'jobs');
  const [name] = existsSync(folder) ? readdirSync(folder).filter((one) => one.startsWith('rollout-') && one.endsWith('.jsonl')) : [];
  return name === undefined ? undefined : join(folder, name);
}

/** What is whole of a log. */
async function recordsAt(path: string | undefined): Promise<LogRecord[]> {
  const records: unknown[] = [];
  if (path !== undefined) for await (const record of readRollout(path)) records.push(record);
  return records as LogRecord[];
}

/** One job: its hosts are killed once or twice, and what they left may lose the end of its last line; then it runs to its end. */
export async function killJob(seed: number, lastwordUrl = 'lastword'): Promise<KilledJob> {
  const next = randomFrom(seed);
  const directory = temporaryFolder();
  const args = (): string[] => [lastwordUrl, directory, id, String(ITEMS), String(next(2 ** 30))];
  const id = newThreadId();
  const complaints: string[] = [];
  let [kills, resumed, torn] = [0, 0, 0];
  let mayRun = new Set(Array.from({ length: ITEMS }, (_, n) => n));
  const look = ({ started }: Run): void => {
    const again = started.filter((n) => !mayRun.has(n));
    if (again.length > 0) complaints.push(`items ran that had ended: ${again.slice(0, 5).join(', ')}`);
    if (new Set(started).size !== started.length) complaints.push('an item ran twice in one host');
  };
  let isOver = false;
  for (let killing = next(4) === 0 ? 2 : 1; killing > 0 && !isOver; killing -= 1) {
    const run = await runHost(args(), next(8) === 0 ? 0 : 1 + next(ITEMS / 2));
    look(run);
    isOver = run.hasEnded;
    if (isOver) break;
    kills += 1;
    const path = logPath(directory);
    if (path !== undefined && next(2) === 0 && statSync(path).size > 2_000) {
      truncateSync(path, statSync(path).size - 1 - next(40));
      torn += 1;
    }
    const records = await recordsAt(path);
    const hasBegun = records.some(({ type }) => type === 'job_ready');
    resumed += hasBegun ? 1 : 0;
    const ended = new Set(records.filter(({ type }) => type === 'item_reported').map(({ payload }) => payload.index));
    const running = new Set(records.filter(({ type, payload }) => type === 'item_started' && !ended.has(payload.index)).map(({ payload }) => payload.index));
    const unclaimed = hasBegun ? run.started.filter((n) => !running.has(n) && !ended.has(n)) : [];
    // Of the lines that were cut off, one may have been a claim.
    if (unclaimed.length > (torn > 0 ? 1 : 0)) complaints.push(`items ran that the log does not know: ${unclaimed.join(', ')}`);
    if (running.size > CONCURRENCY) complaints.push(`${running.size} items were running`);
    mayRun = new Set([...mayRun].filter((n) => !ended.has(n)));
  }
  if (!isOver) {
    const run = await runHost(args(), Infinity);
    look(run);
    if (!run.hasEnded) complaints.push('the last host did not end');
  }
  complaints.push(...complaintsOf(lastJobOf(await jobLog(directory, id)), ITEMS));
  return { seed, complaints, kills, resumed, torn };
}

/** A job that was begun anew, because its rows were not there, has what came before in its log too. */
function lastJobOf(records: LogRecord[]): LogRecord[] {
  return records.slice(records.findLastIndex(({ type }) => type === 'job_created'));
}
