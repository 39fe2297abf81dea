/** What the writer does not write to or through, and who may read what it makes. docs/security.md has the reasons. */
import fs from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { dateFoldersOf, isLikeRollout, otherPlaceOf } from '../src/rollout/rollout-path.js';

export const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const MODE_BITS = 0o7777;
/** What chmod() says where a file system has no modes. */
const NO_MODES = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** Thrown in the form of the system's own errors: whoever meets them goes by their code. */
function systemError(code: 'ELOOP' | 'EMLINK' | 'ENODEV', what: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: ${what}, ${syscall}`), { code, errno: -constants.errno[code], syscall });
}

/**
 * The folders of the date are folders, and no links to elsewhere. Looked at before a file is opened, made or removed, not
 * before each write. @throws ELOOP
 */
export function assertInPlace(path: string): void {
  for (const folder of dateFoldersOf(path)) {
    if (fs.lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() === true) throw systemError('ELOOP', 'a folder of the date is a link', 'lstat');
  }
}

/** @throws ENODEV */
export function assertFile(stats: fs.Stats): void {
  if (!stats.isFile()) throw systemError('ENODEV', 'no regular file', 'fstat');
}

/**
 * A rollout in a folder that somebody else may change is no further name of another file. Names that our own publishing and moving leave
 * behind when the process dies are its own. @throws EMLINK
 */
export function assertNotShared(path: string, { nlink, ino, dev }: fs.Stats): void {
  if (nlink === 1 || !isLikeRollout(basename(path))) return;
  const folder = dirname(path);
  if (fs.statSync(folder).uid === process.geteuid?.()) return;
  const leftBehind = fs.readdirSync(folder).filter((name) => name.startsWith(`.${basename(path)}.`) && name.endsWith('.tmp')).map((name) => join(folder, name));
  const own = [...leftBehind, otherPlaceOf(path)].filter((name) => {
    const stats = name === undefined ? undefined : fs.lstatSync(name, { throwIfNoEntry: false });
    return stats?.ino === ino && stats.dev === dev;
  });
  if (nlink > 1 + own.length) throw systemError('EMLINK', 'the file has names elsewhere, and its folder is another user\'s', 'fstat');
}

/** Nobody else reads a file of ours, whatever the umask was, or whoever made it under ours. */
export function setFileMode(descriptor: number, { mode, uid }: fs.Stats): void {
  if ((mode & MODE_BITS) === FILE_MODE || uid !== process.geteuid?.()) return;
  whereThereAreModes(() => { fs.fchmodSync(descriptor, FILE_MODE); });
}

/** Folder by folder: mkdir's own `recursive` never ends where a file system refuses names (on Node 20, below /proc). */
export function makeFolders(path: string): string | undefined {
  assertInPlace(path);
  const missing: string[] = [];
  for (let folder = path; !fs.existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    try {
      fs.mkdirSync(folder, FOLDER_MODE);
    } catch (error) {
      // Somebody else made it meanwhile.
      if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error;
      continue;
    }
    // A umask that takes from the owner too.
    if ((fs.lstatSync(folder).mode & FOLDER_MODE) !== FOLDER_MODE) whereThereAreModes(() => { fs.chmodSync(folder, FOLDER_MODE); });
  }
  return missing[0];
}

/** The mode that the file has: a change that changes nothing. False where it cannot be set. */
export function setModeAgain(descriptor: number, mode: number): boolean {
  return whereThereAreModes(() => { fs.fchmodSync(descriptor, mode & MODE_BITS); });
}

/** Whether there are. */
function whereThereAreModes(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (!NO_MODES.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return false;
  }
}
