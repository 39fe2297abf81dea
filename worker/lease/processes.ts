/** Who this process is, and whether another one still lives. */
import { readFileSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import type { Processes } from '../seams.js';

/** Where a process's state and start time stand behind its name, which may hold anything, in /proc/<pid>/stat. */
const STATE_FIELD = 0;
const START_FIELD = 19;

/** Undefined where there is no such process, or no /proc. */
function readStat(pid: number | 'self'): { state: string; start: string } | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? undefined : { state: fields[STATE_FIELD] ?? '', start: fields[START_FIELD] ?? '' };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
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

export const systemProcesses: Processes = {
  self: () => ({
    pid: process.pid, start: readStat('self')?.start ?? '', boot: readText('/proc/sys/kernel/random/boot_id') ?? '', host: hostname(),
  }),
  isAlive: ({ pid, start }) => {
    if (!hasSignalled(pid)) return false;
    const stat = readStat(pid);
    // A zombie holds nothing; another start time is another process under the same number.
    return stat === undefined || (stat.state !== 'Z' && (start === '' || stat.start === start));
  },
  bootedMs: () => Date.now() - uptime() * 1000,
};
