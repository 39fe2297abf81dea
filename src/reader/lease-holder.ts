import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemProcesses } from '../../worker/lease/processes.js';
import { decodeOwner } from '../../worker/lease/owner.js';
import { parseRolloutPath } from '../rollout/rollout-path.js';

/** Levels of `sessions/YYYY/MM/DD` and `archived_sessions` below the root. */
const DEPTHS = { sessions: 4, archived_sessions: 1 } as const;

/** Where the lease of a rollout stands; undefined for a file that lies in no directory of rollouts. */
export function leasePathOf(path: string): string | undefined {
  const id = parseRolloutPath(path)?.id;
  for (const [name, depth] of Object.entries(DEPTHS)) {
    let folder = path;
    for (let level = 0; level < depth; level += 1) folder = dirname(folder);
    if (id !== undefined && basename(folder) === name) return join(dirname(folder), 'locks', `${id}.lock`);
  }
  return undefined;
}


/** Whether somebody may append to the rollout now. Nobody holds a file that lies in no directory of rollouts. */
export async function isHeld(path: string): Promise<boolean> {
  const leasePath = leasePathOf(path);
  const text = leasePath === undefined ? undefined : await readFile(leasePath, 'utf8').catch(() => undefined);
  const owner = text === undefined ? undefined : decodeOwner(text);
  if (owner === undefined) return false;
  const self = systemProcesses.self();
  return owner.host !== self.host || (owner.boot === self.boot && systemProcesses.isAlive(owner));
}
