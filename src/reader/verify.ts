import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isLastwordError } from '../errors.js';
import { FilePool } from '../pool/file-pool.js';
import { parseRolloutPath } from '../rollout/rollout-path.js';
import { RolloutScanner } from '../rollout/scan.js';
import type { Damage, VerifyOptions, VerifyReport } from '../types.js';
import type { Ordinal } from '../units.js';
import { checkPath, refuse } from './options.js';
import { openRollout, RolloutSource } from './rollout-source.js';

const FOLDERS = ['sessions', 'archived_sessions'];
const CONCURRENCY_MAX = 64;

/**
 * Reads a whole rollout and says what is in it: checksums, ordinals, envelopes and the end. Records whose checksum is
 * right are not decoded. @throws LASTWORD_THREAD_NOT_FOUND (no such file), LASTWORD_ROLLOUT_CORRUPT (no regular file),
 * LASTWORD_INVALID_OPTION, system errors as they are
 */
export async function verifyRollout(path: string): Promise<VerifyReport> {
  checkPath(path);
  const file = await openRollout(path);
  try {
    const damage: Damage[] = [];
    // Nothing is asked for, so nothing that is checked is decoded.
    const scanner = new RolloutScanner({ from: Number.MAX_SAFE_INTEGER as Ordinal, onDamage: (one) => { damage.push(one); } });
    const source = new RolloutSource(file);
    let bytes = 0;
    for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) {
      bytes += chunk.length;
      scanner.feed(chunk);
      while (scanner.next() !== undefined) continue;
    }
    scanner.end();
    const { records, checked } = scanner;
    return { path, records, bytes, checked, end: damage.some(({ kind }) => kind === 'torn') ? 'torn' : 'clean', damage };
  } finally {
    await file.close();
  }
}

/**
 * The same for all rollouts under a directory, archived ones too, side by side in threads of their own. Reports come in
 * the order of the paths; a file that cannot be read has one that says why. A file that is gone meanwhile has none, and
 * `.jsonl.zst` of Codex are left out. @throws LASTWORD_INVALID_OPTION, the signal's reason, system errors of the folders
 */
export async function verifyRollouts(directory: string, options: VerifyOptions = {}): Promise<VerifyReport[]> {
  const { concurrency, signal, onProgress } = checkOptions(directory, options);
  signal?.throwIfAborted();
  const paths = await rolloutsBelow(directory);
  const reports: (VerifyReport | undefined)[] = [];
  const pool = new FilePool({ threads: concurrency });
  let [next, done] = [0, 0];
  const verifyNext = async (): Promise<void> => {
    for (let place = next++; place < paths.length; place = next++) {
      reports[place] = await reportOf(pool, paths[place] ?? '', signal);
      done += 1;
      onProgress?.(done, paths.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, paths.length) }, verifyNext));
  } finally {
    next = paths.length;
    await pool.close();
  }
  return reports.filter((report) => report !== undefined);
}

async function reportOf(pool: FilePool, path: string, signal: AbortSignal | undefined): Promise<VerifyReport | undefined> {
  try {
    return await pool.run('verify', path, signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (!isLastwordError(error)) throw error;
    if (error.code === 'LASTWORD_THREAD_NOT_FOUND') return undefined;
    const { code } = (error.cause ?? error) as NodeJS.ErrnoException;
    return { path, records: 0, bytes: 0, checked: 0, end: 'torn', damage: [], unread: code ?? error.code };
  }
}

async function rolloutsBelow(directory: string): Promise<string[]> {
  const paths = await Promise.all(FOLDERS.map(async (folder) => {
    const names = await readdir(join(directory, folder), { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return names.map((name) => join(directory, folder, name));
  }));
  return paths.flat().filter((path) => parseRolloutPath(path)?.isCompressed === false).sort();
}

function checkOptions(directory: unknown, options: VerifyOptions): VerifyOptions & { concurrency: number } {
  if (typeof directory !== 'string' || directory === '') refuse('directory', directory, 'the path of a directory');
  if (typeof options !== 'object' || options === null) refuse('options', options, 'an object');
  const { concurrency = availableParallelism(), signal, onProgress } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > CONCURRENCY_MAX) refuse('concurrency', concurrency, `a whole number from 1 to ${CONCURRENCY_MAX}`);
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse('signal', signal, 'an AbortSignal');
  if (onProgress !== undefined && typeof onProgress !== 'function') refuse('onProgress', onProgress, 'a function');
  return { concurrency, signal, onProgress };
}
