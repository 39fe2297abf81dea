import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { HEARTBEAT_AGE_MAX_MS } from '../../worker/lease/owner-file.js';
import { codexLockPath, findFlock } from '../../worker/lease/flocks.js';
import { decodeOwner, OWNER_BYTES_MAX, type LeaseOwner } from '../../worker/lease/owner.js';
import { systemProcesses } from '../../worker/lease/processes.js';
import { JOBS, parseRolloutPath } from '../rollout/rollout-path.js';
import type { ThreadId } from '../types.js';

/** Levels of `sessions/YYYY/MM/DD`, `archived_sessions` and `jobs` below the root. */
const DEPTHS = { sessions: 4, archived_sessions: 1, [JOBS]: 1 } as const;

/** The directory and the thread of a rollout, or of a job's log; undefined for a file that lies in no directory of rollouts. */
export function placeOf(path: string): { directory: string; id: ThreadId } | undefined {
  const id = parseRolloutPath(path)?.id;
  for (const [name, depth] of Object.entries(DEPTHS)) {
    let folder = path;
    for (let level = 0; level < depth; level += 1) folder = dirname(folder);
    if (id !== undefined && basename(folder) === name) return { directory: dirname(folder), id };
  }
  return undefined;
}

/** Where the lease of a thread stands. */
export function leasePath(directory: string, id: ThreadId): string {
  return join(directory, 'locks', `${id}.lock`);
}

/** Whose lease it is. */
export interface LeaseHolder {
  /** Undefined where the lease does not say. */
  readonly owner: LeaseOwner | undefined;
}

/** Who may append now, as a writer that wants the lease would see it. Undefined where nobody does. */
export async function leaseHolder(leasePath: string): Promise<LeaseHolder | undefined> {
  const found = await readLease(leasePath);
  if (found === undefined) return undefined;
  const { text, ageMs } = found;
  const owner = decodeOwner(text);
  const self = systemProcesses.self();
  const isHere = owner?.host === self.host;
  if (isHere && owner.boot !== self.boot) return undefined;
  // Only the processes of this machine can be asked after; of all others the heartbeat tells.
  const isAlive = isHere && owner.namespace === self.namespace ? systemProcesses.isAlive(owner) : ageMs <= HEARTBEAT_AGE_MAX_MS;
  return isAlive ? { owner } : undefined;
}

/** Who has the thread open as Codex does, under a flock(). Of Codex only the process is known. */
export function codexHolder(directory: string, id: ThreadId): Pick<LeaseOwner, 'pid' | 'host'> | undefined {
  const pid = findFlock(codexLockPath(directory, id))?.pid;
  return pid === undefined ? undefined : { pid, host: hostname() };
}

/** Nobody holds a file that lies in no directory of rollouts. */
export async function isHeld(path: string): Promise<boolean> {
  const place = placeOf(path);
  if (place === undefined) return false;
  const { directory, id } = place;
  return (await leaseHolder(leasePath(directory, id))) !== undefined || codexHolder(directory, id) !== undefined;
}

/** Undefined where nothing stands there, or no file: nobody can hold that. */
async function readLease(path: string): Promise<{ text: string; ageMs: number } | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(OWNER_BYTES_MAX), 0, OWNER_BYTES_MAX, 0);
    return { text: buffer.toString('utf8', 0, bytesRead), ageMs: Date.now() - stats.mtimeMs };
  } finally {
    await file.close();
  }
}
