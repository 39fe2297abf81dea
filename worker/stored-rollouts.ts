/** What is done to rollouts that nobody has open: moved, deleted, referred to. Each under a lease. */
import { dirname } from 'node:path';
import { LastwordError } from '../src/errors.js';
import { otherPlaceOf } from '../src/rollout/rollout-path.js';
import type { StoredRollout } from '../src/control/protocol.js';
import type { Engine } from './engine.js';
import { isMarked, syncOrMark } from './rewrite.js';

type Parts = Pick<Engine, 'files' | 'fs' | 'leases'>;

/** The name of the lease under which a thread is referred to, or deleted. */
export function referenceOf(threadId: string): string {
  return `${threadId}.ref`;
}

/** The base of a fork is there, and on the disk, and stays until `make` is done. @throws LASTWORD_THREAD_NOT_FOUND */
export async function underReference<T>({ files, fs, leases }: Parts, { threadId, path }: StoredRollout, make: () => T): Promise<T> {
  files.whileOpening(() => { leases.hold(referenceOf(threadId)); });
  try {
    // It may have been archived or unarchived since it was looked up.
    const place = [path, otherPlaceOf(path)].find((one) => one !== undefined && fs.modifiedMs(one) !== undefined);
    if (place === undefined) throw notFound(threadId, path);
    if (isMarked(fs, place)) throw new LastwordError('LASTWORD_SYNC_FAILED', `a sync of thread ${threadId} has failed: resume it first`, { threadId, path: place });
    const descriptor = files.whileOpening(() => fs.openFile(place));
    try {
      await syncOrMark(fs, descriptor, place);
    } finally {
      fs.close(descriptor);
    }
    return make();
  } finally {
    leases.release(referenceOf(threadId));
  }
}

/** @throws LASTWORD_THREAD_NOT_FOUND, LASTWORD_THREAD_EXISTS, LASTWORD_THREAD_BUSY */
export function moveRollout(parts: Parts, { threadId, path, to }: StoredRollout & { readonly to: string }): Promise<undefined> {
  return underLease(parts, threadId, async ({ fs }) => {
    fs.makeDirectory(dirname(to));
    try {
      // Linked first: rename() would put it over another one.
      fs.link(path, to);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      // A writer that died may have moved it.
      if (code === 'ENOENT' && fs.modifiedMs(to) !== undefined) return undefined;
      if (code === 'ENOENT') throw notFound(threadId, path);
      // Both names of one file: somebody died halfway.
      if (code === 'EEXIST' && !fs.isSameFile(path, to)) throw new LastwordError('LASTWORD_THREAD_EXISTS', `thread ${threadId} is in both places`, { threadId, path: to }, { cause });
      if (code !== 'EEXIST') throw cause;
    }
    await fs.syncDirectory(dirname(to));
    fs.unlink(path);
    await fs.syncDirectory(dirname(path));
    return undefined;
  });
}

/** @throws LASTWORD_THREAD_NOT_FOUND, LASTWORD_THREAD_BUSY */
export function deleteRollout(parts: Parts, { threadId, path, isAgain }: StoredRollout & { readonly isAgain: boolean }): Promise<undefined> {
  return underLease(parts, threadId, async ({ fs }) => {
    const isThere = fs.modifiedMs(path) !== undefined;
    if (!isThere && !isAgain) throw notFound(threadId, path);
    const other = otherPlaceOf(path);
    // Both names of one file: an archiving was left halfway. First, so that what is left by a death in between is found again.
    if (other !== undefined && fs.isSameFile(path, other)) {
      fs.unlink(other);
      await fs.syncDirectory(dirname(other));
    }
    if (isThere) fs.unlink(path);
    await fs.syncDirectory(dirname(path));
    return undefined;
  });
}

async function underLease<T>(parts: Parts, threadId: string, act: (parts: Parts) => Promise<T>): Promise<T> {
  parts.files.whileOpening(() => { parts.leases.hold(threadId); });
  try {
    return await act(parts);
  } finally {
    parts.leases.release(threadId);
  }
}

function notFound(threadId: string, path: string): LastwordError {
  return new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${threadId} has no rollout`, { threadId, path });
}
