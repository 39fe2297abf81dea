/** Looking at folders and files at once, for a thread that has nothing else to do. */
import { lstatSync, openSync, closeSync, constants, fstatSync, opendirSync, readFileSync } from 'node:fs';
import { stateOf, type FileState } from './pieces.js';

export interface Listing {
  readonly files: string[];
  readonly folders: string[];
}

const NAMES_AT_ONCE = 4096;

/** The names in a folder that `isWanted`, and its folders. @throws system errors */
export function listFolder(path: string, isWanted: (name: string) => boolean): Listing {
  const files: string[] = [];
  const folders: string[] = [];
  const folder = opendirSync(path, { bufferSize: NAMES_AT_ONCE });
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      if (isWanted(entry.name)) files.push(entry.name);
      else if (entry.isDirectory()) folders.push(entry.name);
    }
  } finally {
    folder.closeSync();
  }
  return { files, folders };
}

/** Undefined where there is nothing. A link is not followed. */
export function look(path: string): FileState & { readonly isFile: boolean } | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : { ...stateOf(stats), isFile: stats.isFile() };
}

/** All of a file; undefined where there is none, no regular one, or a longer one. @throws system errors */
export function readWhole(path: string, bytesMax: number): Buffer | undefined {
  if (look(path)?.isFile !== true) return undefined;
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    return fstatSync(descriptor).size > bytesMax ? undefined : readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
