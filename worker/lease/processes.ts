/** Who this process is, and whether another one still lives. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Processes } from '../seams.js';
import { findFlock } from './flocks.js';

/** Where they stand behind the process's name, which may hold anything, in /proc/<pid>/stat. */
const STATE_FIELD = 0;
const THREADS_FIELD = 17;
const START_FIELD = 19;
/** A zombie, and what is just being removed. */
const DEAD_STATES = ['Z', 'X', 'x'];

export interface ProcessStat {
  /** It can run no more, and write no more: a zombie may have threads that still do. */
  readonly isDead: boolean;
  readonly start: string;
}

export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const isDead = DEAD_STATES.includes(fields[STATE_FIELD] ?? '') && Number(fields[THREADS_FIELD]) <= 1;
  return { isDead, start: fields[START_FIELD] ?? '' };
}

/** Undefined where there is no such process, or no /proc. */
function readStat(pid: number | 'self'): ProcessStat | undefined {
  const text = unlessAbsent(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  return text === undefined ? undefined : parseStat(text);
}

function unlessAbsent(look: () => string): string | undefined {
  try {
    return look().trim();
  } catch {
    return undefined; // no such process, or no /proc: the caller goes by what it has
  }
}

function hasSignalled(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Descriptors that this process may have; Infinity where the system does not tell. */
export function descriptorsMax(): number {
  const text = unlessAbsent(() => readFileSync('/proc/self/limits', 'latin1'));
  return Number(/^Max open files +(\d+)/m.exec(text ?? '')?.[1] ?? Infinity);
}

export const systemProcesses: Processes = {
  self: () => ({
    pid: process.pid,
    start: readStat('self')?.start ?? '',
    boot: unlessAbsent(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')) ?? '',
    namespace: unlessAbsent(() => readlinkSync('/proc/self/ns/pid')) ?? '',
    host: hostname(),
  }),
  isAlive: ({ pid, start }) => {
    if (!hasSignalled(pid)) return false;
    const stat = readStat(pid);
    // Another start time is another process under the same number.
    return stat === undefined || (!stat.isDead && (start === '' || stat.start === start));
  },
  findFlock,
};
