/** Which rollout is meant: by its path, by its id, or by the beginning of its id. */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { placeOf } from '../reader/lease-holder.js';
import { ROOTS } from '../reader/lists/place.js';
import { walk } from '../reader/lists/walk.js';
import { locateRollout } from '../reader/locate.js';
import { readRollout } from '../reader/read.js';
import { JOBS, parseRolloutPath } from '../rollout/rollout-path.js';
import { parseThreadId } from '../rollout/thread-id.js';
import type { ThreadId } from '../types.js';
import { CommandError, EXIT } from './failure.js';

export interface FoundThread {
  readonly path: string;
  /** Undefined where the file is no thread's of a directory: then it is read by itself. */
  readonly thread: { readonly directory: string; readonly id: ThreadId } | undefined;
}

/** Of an ambiguous prefix. */
const CANDIDATES_MAX = 10;
/** Names of one folder that are kept at a time. */
const NAMES_AT_ONCE = 10_000;

/**
 * What has a `/` in it, or ends in `.jsonl` or `.jsonl.zst`, is a path; everything else is an id, or the beginning of one, of a thread or a job
 * below `directory`. @throws CommandError
 */
export async function findThread(text: string, directory: string): Promise<FoundThread> {
  if (text.includes('/') || /\.jsonl(\.zst)?$/.test(text)) return atPath(resolve(text));
  if (!/^[0-9a-f-]+$/i.test(text)) {
    throw new CommandError('LASTWORD_INVALID_OPTION', `${text} is neither a path (with a / in it, or .jsonl at its end) nor the beginning of an id`, { exit: EXIT.usage, advice: 'see lastword --help' });
  }
  const root = await rootOf(directory);
  const id = parseThreadId(text) ?? await idOf(text.toLowerCase(), root);
  const located = await locateRollout(root, id);
  if (located === undefined) throw noThread(text, root);
  return { path: located.path, thread: { directory: root, id } };
}

/** The directory of a sidecar, or Codex's home. @throws CommandError, system errors */
export async function rootOf(directory: string): Promise<string> {
  const root = resolve(directory);
  const stats = await Promise.all([root, ...[...Object.values(ROOTS), JOBS].map((name) => join(root, name))].map(kindOf));
  if (stats[0] !== 'folder') {
    const what = stats[0] === undefined ? 'there is no directory' : 'it is no directory';
    throw new CommandError('LASTWORD_THREAD_NOT_FOUND', `${what}: ${root}`, { exit: EXIT.notFound, advice: 'check the path' });
  }
  if (!stats.includes('folder', 1)) {
    throw new CommandError('LASTWORD_THREAD_NOT_FOUND', `there are no rollouts in ${root}: neither sessions, archived_sessions nor jobs`, { exit: EXIT.notFound, advice: 'give the directory that the sidecar was opened with' });
  }
  return root;
}

/** @throws CommandError where there is no record in it */
export async function assertRollout(path: string): Promise<void> {
  const records = readRollout(path, { limit: 1 });
  const { done } = await records.next();
  await records.return();
  if (done !== true) return;
  throw new CommandError('LASTWORD_ROLLOUT_CORRUPT', `it is no rollout, there is no record in it: ${path}`, { exit: EXIT.noRollout, advice: 'check the path' });
}

export async function kindOf(path: string): Promise<'folder' | 'other' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

async function atPath(path: string): Promise<FoundThread> {
  if (parseRolloutPath(path)?.isCompressed === true) {
    throw new CommandError('LASTWORD_ROLLOUT_CORRUPT', `it is compressed: ${path}`, { exit: EXIT.noRollout, advice: 'decompress a copy of it with zstd -d' });
  }
  await assertRollout(path);
  const thread = placeOf(path);
  // Where several files have the id, the thread is only one of them.
  const isTheThread = thread !== undefined && (await locateRollout(thread.directory, thread.id))?.path === path;
  return { path, thread: isTheThread ? thread : undefined };
}

/** @throws CommandError where none or several begin so */
async function idOf(prefix: string, root: string): Promise<ThreadId> {
  const found = new Set<ThreadId>();
  const look = (name: string): void => {
    const { id, isCompressed = true } = parseRolloutPath(name) ?? {};
    if (id?.startsWith(prefix) === true && !isCompressed) found.add(id);
  };
  for (const isArchived of [false, true]) {
    for await (const { name } of walk(root, { isArchived, direction: 'desc', after: undefined, count: NAMES_AT_ONCE })) look(name);
  }
  if (await kindOf(join(root, JOBS)) === 'folder') for (const name of await readdir(join(root, JOBS))) look(name);
  const [id, ...others] = found;
  if (id === undefined) throw noThread(prefix, root);
  if (others.length === 0) return id;
  const shown = [id, ...others].slice(0, CANDIDATES_MAX).join(', ');
  const rest = found.size > CANDIDATES_MAX ? ` and ${found.size - CANDIDATES_MAX} others` : '';
  throw new CommandError('LASTWORD_INVALID_OPTION', `${found.size} threads have ids that begin with ${prefix}: ${shown}${rest}`, { exit: EXIT.usage, advice: 'give more of the id' });
}

function noThread(text: string, root: string): CommandError {
  return new CommandError('LASTWORD_THREAD_NOT_FOUND', `no thread in ${root} has an id that begins with ${text}`, { exit: EXIT.notFound, advice: `lastword ls ${root} lists them; --dir names another directory` });
}
