import { resolve } from 'node:path';
import { FilePool } from './pool/file-pool.js';
import { checkPath, refuse } from './reader/options.js';
import type { ImportReport } from './types.js';

/**
 * Puts the records of a salvage file back into their threads below `directory`, in order, each once, and syncs them. Those that
 * are there already are counted and left alone, so it may be called again, also after it was interrupted. Needs no sidecar;
 * takes the lease of each thread meanwhile. The salvage file stays.
 * @throws LASTWORD_THREAD_BUSY (a thread is open somewhere); LASTWORD_THREAD_NOT_FOUND (the salvage file, or a thread's rollout);
 * LASTWORD_INVALID_OPTION (a thread went on with other records under the same ordinals: context.threadId, context.ordinal): nothing was
 * put back; LASTWORD_ROLLOUT_CORRUPT (a damaged salvage file: context.offset; what stands before is put back); LASTWORD_WRITE_FAILED
 */
export async function importSalvage(path: string, directory: string): Promise<ImportReport> {
  checkPath(path);
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) refuse('directory', directory, 'the path of a directory');
  const pool = new FilePool({ threads: 1 });
  try {
    return await pool.run('import-salvage', { path: resolve(path), directory: resolve(directory) });
  } finally {
    await pool.close();
  }
}
