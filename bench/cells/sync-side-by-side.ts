import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** As many as libuv has threads. */
const SIDE_BY_SIDE = 4;

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/**
 * fdatasync of every file below the directory, the least a bare program needs. A file that went away meanwhile was put into
 * others by its store: they are synced too.
 */
export async function syncSideBySide(directory: string): Promise<void> {
  const synced = new Set<string>();
  for (let isAgain = true; isAgain;) {
    isAgain = false;
    const left = filesBelow(directory).filter((path) => !synced.has(path));
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
      for (let path = left.pop(); path !== undefined; path = left.pop()) {
        synced.add(path);
        if (!await syncFile(path)) isAgain = true;
      }
    }));
  }
}

/** False: it is gone. */
async function syncFile(path: string): Promise<boolean> {
  let file;
  try {
    file = await open(path, 'r+');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return false;
    throw error;
  }
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
  return true;
}
