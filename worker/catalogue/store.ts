/** The catalogue's file: read where it is of use, replaced as a whole, never depended on. */
import { join } from 'node:path';
import { readWhole } from '../../src/reader/lists/disk.js';
import type { FsOps, Rng } from '../seams.js';
import { writeAll } from '../write-all.js';
import { decodeCatalogue, encodeCatalogue } from './catalogue-file.js';
import type { Folder } from './rows.js';

export const CATALOGUE = 'catalogue.jsonl';
const TEMPORARY = /^\.catalogue\.jsonl\.[0-9a-f]+\.tmp$/;
/** Nobody writes one for so long: whoever began it has died. */
const LEFT_BEHIND_MS = 600_000;
const BYTES_MAX = 1 << 30;

/** Undefined where there is none that can be used. */
export function loadCatalogue(directory: string): { folders: Folder[]; isWhole: boolean } | undefined {
  try {
    const bytes = readWhole(join(directory, CATALOGUE), BYTES_MAX);
    return bytes === undefined ? undefined : decodeCatalogue(bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return undefined; // what cannot be read is made again
  }
}

/** Any process may do so at any time: each of them replaces it by a whole one. @throws system errors */
export function storeCatalogue({ fs, rng }: { readonly fs: FsOps; readonly rng: Rng }, directory: string, folders: Iterable<Folder>): void {
  const nowMs = Date.now();
  const temporary = join(directory, `.${CATALOGUE}.${rng.uint32().toString(16)}.tmp`);
  const descriptor = fs.createFile(temporary);
  try {
    try {
      writeAll(fs, descriptor, encodeCatalogue(folders, new Date(nowMs).toISOString()));
    } finally {
      fs.close(descriptor);
    }
    fs.rename(temporary, join(directory, CATALOGUE));
  } catch (error) {
    fs.unlink(temporary);
    throw error;
  }
  for (const name of fs.readFolder(directory)) {
    const modifiedMs = TEMPORARY.test(name) ? fs.modifiedMs(join(directory, name)) : undefined;
    if (modifiedMs !== undefined && nowMs - modifiedMs > LEFT_BEHIND_MS) fs.unlink(join(directory, name));
  }
}
