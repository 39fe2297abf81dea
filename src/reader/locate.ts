import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { archivedPath, dateFoldersOf, hasRolloutPath, jobLogPath, parseRolloutPath, rolloutPath } from '../rollout/rollout-path.js';
import { timeOf } from '../rollout/thread-id.js';
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
export function locateRollout(directory: string, id: ThreadId): Promise<Located | undefined> {
  return new Locator(directory).locate(id);
}

/** The same without the last resort: for ids of version 7 nobody makes a rollout further away. */
export function locateNearby(directory: string, id: ThreadId): Promise<Located | undefined> {
  return new Locator(directory).nearby(id);
}

interface Folder {
  /** Names of rollouts by id, the last of several. */
  readonly rollouts: ReadonlyMap<ThreadId, string>;
  /** Names of folders in it, newest first, as far as names tell. */
  readonly folders: readonly string[];
}

/** Finds the rollouts of many threads, and reads each folder once. What changes meanwhile it may not see. */
export class Locator {
  readonly #directory: string;
  readonly #folders = new Map<string, Promise<Folder>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async locate(id: ThreadId): Promise<Located | undefined> {
    return (await this.nearby(id)) ?? this.#anywhere(id);
  }

  /** Whether that is the rollout which whoever asks for the thread gets. */
  async isWhereItShouldBe(id: ThreadId, path: string): Promise<boolean> {
    // No file comes before that one.
    if (hasRolloutPath(id) && path === rolloutPath(this.#directory, id)) return true;
    return (await this.locate(id))?.path === path;
  }

  async nearby(id: ThreadId): Promise<Located | undefined> {
    if (!hasRolloutPath(id)) return undefined;
    const [own, archived] = [rolloutPath(this.#directory, id), archivedPath(this.#directory, id)];
    if (await exists(own)) return { path: own, isArchived: false };
    if (await exists(archived)) return { path: archived, isArchived: true };
    const job = jobLogPath(this.#directory, id);
    if (await exists(job)) return { path: job, isArchived: false };
    const timeMs = timeOf(id) ?? 0;
    for (const days of [0, -1, 1]) {
      const [date = ''] = new Date(timeMs + days * DAY_MS).toISOString().split('T');
      const folder = join(this.#directory, 'sessions', ...date.split('-'));
      const name = (await this.#folder(folder)).rollouts.get(id);
      if (name !== undefined) return { path: join(folder, name), isArchived: false };
    }
    return undefined;
  }

  async #anywhere(id: ThreadId): Promise<Located | undefined> {
    for (const root of ['archived_sessions', 'sessions']) {
      const path = await this.#below(join(this.#directory, root), id);
      if (path !== undefined) return { path, isArchived: root === 'archived_sessions' };
    }
    return undefined;
  }

  async #below(top: string, id: ThreadId): Promise<string | undefined> {
    const { rollouts, folders } = await this.#folder(top);
    const name = rollouts.get(id);
    if (name !== undefined) return join(top, name);
    for (const folder of folders) {
      const path = await this.#below(join(top, folder), id);
      if (path !== undefined) return path;
    }
    return undefined;
  }

  #folder(path: string): Promise<Folder> {
    const folder = this.#folders.get(path) ?? readFolder(path);
    this.#folders.set(path, folder);
    return folder;
  }
}

async function readFolder(path: string): Promise<Folder> {
  const rollouts = new Map<ThreadId, string>();
  const folders: string[] = [];
  if (!await isInPlace(path)) return { rollouts, folders };
  for (const entry of (await readdir(path, { withFileTypes: true }).catch(noneIfAbsent))) {
    const rollout = parseRolloutPath(entry.name);
    if (rollout !== undefined && !rollout.isCompressed) {
      if ((rollouts.get(rollout.id) ?? '') < entry.name) rollouts.set(rollout.id, entry.name);
    } else if (entry.isDirectory()) folders.push(entry.name);
  }
  return { rollouts, folders: folders.sort().reverse() };
}

async function exists(path: string): Promise<boolean> {
  return await kindOf(path) !== undefined && isInPlace(path);
}

/** No folder of the date is a link to elsewhere: lists do not look behind one either. */
async function isInPlace(path: string): Promise<boolean> {
  const kinds = await Promise.all(dateFoldersOf(path).map(kindOf));
  return !kinds.includes('link');
}

/** Undefined where there is nothing. */
async function kindOf(path: string): Promise<'link' | 'other' | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? 'link' : 'other';
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function noneIfAbsent(error: unknown): Dirent[] {
  if (isAbsent(error)) return [];
  throw error;
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
