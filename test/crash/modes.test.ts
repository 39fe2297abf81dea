/** Modes of everything that a host leaves, with each umask. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CRASH_HOST, startProgram, type Load } from '../support/crash/run.js';
import { temporaryFolder } from '../support/sidecars.js';

test.each(['000', '077'])('P17: with umask %s, files are for their owner alone, and folders too', async (umask) => {
  const directory = join(temporaryFolder(), 'root');
  const load: Load = {
    directory, seed: 1, threads: 2, shape: 'loop', itemBytes: 100, flushEach: 4, durability: 'synced', itemsMax: 20, options: { syncIntervalMs: 5 },
  };
  const { code } = await startProgram(['sh', '-c', `umask ${umask}; exec "$@"`, 'sh', process.execPath, CRASH_HOST, JSON.stringify(load)]).ended;
  expect(code).toBe(0);
  const modes = readdirSync(directory, { recursive: true, withFileTypes: true }).map((entry) => {
    const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777;
    return `${entry.isDirectory() ? 'folder' : 'file'} ${mode.toString(8)}`;
  });
  expect([...new Set(modes)].sort()).toEqual(['file 600', 'folder 700']);
});
