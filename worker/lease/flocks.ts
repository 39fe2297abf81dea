/**
 * Locks that Codex takes and Node cannot: flock(), seen in /proc/locks, which names files by the device of their file system
 * and their inode, and shows the locks of this namespace of process numbers and of those below it.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Flock } from '../seams.js';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const HELD = /^\d+: FLOCK +\S+ +\S+ (\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /gm;
/** What open() says where there is nothing to be locked, or nothing to be known. */
const UNKNOWN = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'ENODEV', 'EACCES', 'EPERM'];

/** Where Codex, whose home the directory may be, has a file for each thread that it has open, under a flock(). */
export function codexLockPath(directory: string, threadId: string): string {
  return join(directory, 'thread-writer-locks', `${threadId}.lock`);
}

/** Who has a flock() on the file. Undefined where nobody has, and where it cannot be seen. */
export function findFlock(path: string): Flock | undefined {
  const descriptor = unless(UNKNOWN, () => openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (descriptor === undefined) return undefined;
  try {
    const { ino, mtimeMs } = fstatSync(descriptor, { bigint: true });
    const device = deviceOf(descriptor);
    // No /proc, or not the kernel's.
    const locks = unless(UNKNOWN, () => readFileSync('/proc/locks', 'latin1'));
    if (device === undefined || locks === undefined) return undefined;
    for (const [, pid = '', major = '', minor = '', inode] of locks.matchAll(HELD)) {
      if (inode === `${ino}` && `${parseInt(major, 16)}:${parseInt(minor, 16)}` === device) return { pid: Number(pid), sinceMs: Number(mtimeMs) };
    }
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** `major:minor` of the file system that the file is mounted from: stat() tells another one where a file system has volumes (btrfs). */
function deviceOf(descriptor: number): string | undefined {
  const mount = unless(UNKNOWN, () => /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'))?.[1]);
  return mount === undefined ? undefined : new RegExp(`^${mount} \\d+ (\\d+:\\d+) `, 'm').exec(readFileSync('/proc/self/mountinfo', 'latin1'))?.[1];
}

function unless<T>(codes: readonly string[], look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (codes.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
