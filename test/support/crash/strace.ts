/** The small run of `steps.mjs` under strace: again and again, each time with a fault at another one of its system calls. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../sidecars.js';
import { complaintsAfterCrash, rolloutsBelow } from './check.js';
import { startProgram } from './run.js';

const STEPS = fileURLToPath(new URL('steps.mjs', import.meta.url));
/** Runs at a time: the machine has few cores. */
const LANES = 2;
/** Calls that change what is on disk, or make it safe: a kill at any other one leaves what one of these does. */
export const CHANGING = ['write', 'pwrite64', 'writev', 'pwritev', 'fdatasync', 'fsync', 'rename', 'link', 'unlink', 'ftruncate', 'mkdir'];
export const ALL_CALLS = [...CHANGING, 'openat', 'close'];

export const hasStrace = (): boolean => spawnSync('strace', ['-V']).status === 0;

/** One thread for the syncs, so that calls have one order. */
const ENV = { UV_THREADPOOL_SIZE: '1' };

interface Traced {
  /** Everything below the directory that a call named, from there on. */
  readonly paths: string[];
  /** How often each call was made about it, by the thread that made it most often: strace counts by thread. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What the program does to the directory, undisturbed. */
async function trace(directory: string, calls: readonly string[], program: readonly string[]): Promise<Traced> {
  const log = join(temporaryFolder(), 'strace');
  const { code } = await startProgram(['strace', '-f', '-y', '-s', '0', '-o', log, '-e', `trace=${calls.join(',')}`, ...program], ENV).ended;
  if (code !== 0) throw new Error(`the program ended with ${code} under strace`);
  const paths = new Set<string>();
  const byThread = new Map<string, number>();
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [, thread = '', call = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    const named = line.split(/["<>]/).filter((text) => text === directory || text.startsWith(`${directory}/`));
    for (const path of named) paths.add(path.slice(directory.length));
    if (named.length > 0) byThread.set(`${call} ${thread}`, (byThread.get(`${call} ${thread}`) ?? 0) + 1);
  }
  const counts: Record<string, number> = {};
  for (const [key, count] of byThread) {
    const [call = ''] = key.split(' ');
    counts[call] = Math.max(counts[call] ?? 0, count);
  }
  return { paths: [...paths], counts };
}

export interface Faulted {
  readonly call: string;
  readonly when: number;
  /** How the program ended. */
  readonly end: string;
  readonly complaints: string[];
}

/** `fault` as strace has it: `signal=SIGKILL`, `error=EIO`. */
export interface Faults { readonly calls: readonly string[]; readonly fault: string; readonly writerUrl?: string }

/** The run over a thread that a killed host left torn: once for each of its calls, with the fault at that one. */
export async function faultAtEveryCall({ calls, fault, writerUrl }: Faults): Promise<Faulted[]> {
  const folder = temporaryFolder();
  const template = join(folder, 'template');
  await startProgram([process.execPath, STEPS, template, '1']).ended;
  appendFileSync(rolloutsBelow(template)[0] ?? '', '{"timestamp":"2026-');
  const programIn = (directory: string): string[] => {
    rmSync(directory, { recursive: true, force: true });
    cpSync(template, directory, { recursive: true });
    return [process.execPath, STEPS, directory, '2', ...writerUrl === undefined ? [] : [writerUrl]];
  };
  const results: Faulted[] = [];
  const traced = join(folder, 'traced');
  const { paths, counts } = await trace(traced, calls, programIn(traced));
  const points = Object.entries(counts).flatMap(([call, count]) => Array.from({ length: count }, (_, index) => ({ call, when: index + 1 })));
  const lane = async (directory: string): Promise<void> => {
    const filter = paths.flatMap((path) => ['-P', `${directory}${path}`]);
    for (let point = points.shift(); point !== undefined; point = points.shift()) {
      const { call, when } = point;
      const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, ...filter, '-e', `inject=${call}:${fault}:when=${when}`];
      const { told, code, signal } = await startProgram([...strace, ...programIn(directory)], ENV).ended;
      results.push({ call, when, end: signal ?? String(code), complaints: await complaintsAfterCrash(directory, { told, level: 'written' }) });
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(join(folder, String(index)))));
  return results;
}
