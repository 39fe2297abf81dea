import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { archivedPath, parseRolloutPath, rolloutPath } from '../rollout/rollout-path.js';
import { isVersion7, timeOf } from '../rollout/thread-id.js';
import type { ThreadId } from '../types.js';

/** Where a thread's rollout stands. */
export interface Located {
  readonly path: string;
  readonly isArchived: boolean;
}

const DAY_MS = 86_400_000;

/**
 * Finds a thread's rollout: at the path that its id gives; else by its name, since Codex writes local time into names and
 * folders, in the folders of the days around its id's time, then in all of them. Undefined when it is nowhere.
 */
export async function locateRollout(directory: string, id: ThreadId): Promise<Located | undefined> {
  return (await locateNearby(directory, id)) ?? locateAnywhere(directory, id);
}

/** The same without the last resort: for ids of version 7 nobody makes a rollout further away. */
export async function locateNearby(directory: string, id: ThreadId): Promise<Located | undefined> {
  if (!isVersion7(id)) return undefined;
  const [own, archived] = [rolloutPath(directory, id), archivedPath(directory, id)];
  if (await exists(own)) return { path: own, isArchived: false };
  if (await exists(archived)) return { path: archived, isArchived: true };
  const timeMs = timeOf(id) ?? 0;
  for (const days of [0, -1, 1]) {
    const [date = ''] = new Date(timeMs + days * DAY_MS).toISOString().split('T');
    const path = await findIn(join(directory, 'sessions', ...date.split('-')), id);
    if (path !== undefined) return { path, isArchived: false };
  }
  return undefined;
}

async function locateAnywhere(directory: string, id: ThreadId): Promise<Located | undefined> {
  const archived = await findIn(join(directory, 'archived_sessions'), id);
  if (archived !== undefined) return { path: archived, isArchived: true };
  const sessions = join(directory, 'sessions');
  for (const year of await namesIn(sessions)) {
    for (const month of await namesIn(join(sessions, year))) {
      for (const day of await namesIn(join(sessions, year, month))) {
        const path = await findIn(join(sessions, year, month, day), id);
        if (path !== undefined) return { path, isArchived: false };
      }
    }
  }
  return undefined;
}

async function findIn(folder: string, id: ThreadId): Promise<string | undefined> {
  const names = await namesIn(folder);
  const name = names.find((candidate) => {
    const parsed = parseRolloutPath(candidate);
    return parsed?.id === id && !parsed.isCompressed;
  });
  return name === undefined ? undefined : join(folder, name);
}

/** Newest first, as far as names tell. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort().reverse();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
