import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** As many as libuv has threads. */
const SIDE_BY_SIDE = 4;

export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** fdatasync of every file, the least a bare program needs. */
export async function syncSideBySide(paths: readonly string[]): Promise<void> {
  const left = [...paths];
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      const file = await open(path, 'r+');
      await file.datasync();
      await file.close();
    }
  }));
}
