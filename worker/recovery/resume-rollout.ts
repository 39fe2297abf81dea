import { dirname } from 'node:path';
import type { ResumedRollout, ResumeThreadCommand } from '../../src/control/protocol.js';
import { LastwordError } from '../../src/errors.js';
import { makeBeside } from '../beside.js';
import { HeldRecords, type HeldPool } from '../held.js';
import { isMarked, rewrite, syncOrMark, unmark, type RewriteParts } from '../rewrite.js';
import { RolloutFile } from '../rollout-file.js';
import type { FsOps } from '../seams.js';
import { writeAll } from '../write-all.js';
import { findEnd, type RolloutEnd } from './find-end.js';
import { readAt } from './read-lines.js';

const NEWLINE = Buffer.from('\n');
const COPY_BYTES = 1 << 20;
const ABSENT = ['ENOENT', 'ENOTDIR'];
/** What open() says of links, folders, sockets and devices, and of what has names elsewhere. */
const NOT_A_FILE = ['ELOOP', 'EISDIR', 'ENXIO', 'ENODEV', 'EMLINK'];

/** Opens a rollout at its end, which is whole afterwards. The lease is the caller's. */
export async function resumeRollout(
  parts: RewriteParts & { readonly held: HeldPool }, command: ResumeThreadCommand,
): Promise<{ file: RolloutFile; descriptor: number; resumed: ResumedRollout }> {
  const { fs, held } = parts;
  const { path, threadId } = command;
  let descriptor = openStored(fs, path, threadId);
  try {
    const end = findEnd(fs, descriptor, path);
    const keptAt = end.tornBytes > 0 ? await keepTorn(fs, descriptor, path, end) : undefined;
    const wholeBytes = makeWhole(fs, descriptor, end);
    if (isMarked(fs, path)) descriptor = await makeSafe(parts, path, descriptor, wholeBytes);
    else if (keptAt !== undefined) await syncOrMark(fs, descriptor, path);
    const file = new RolloutFile({ ...command, base: end.nextOrdinal }, { wholeBytes, isNumbered: end.isNumbered }, new HeldRecords(held, wholeBytes));
    return { file, descriptor, resumed: { base: end.nextOrdinal, tornBytes: end.tornBytes, keptAt, meta: metaOf(end) } };
  } catch (error) {
    fs.close(descriptor);
    throw error;
  }
}

/** A sync of it failed, so one that succeeds now would prove nothing: what is read of it goes to a new file. */
async function makeSafe(parts: RewriteParts, path: string, source: number, sourceBytes: number): Promise<number> {
  const descriptor = await rewrite(parts, { path, source, sourceBytes, held: [] }, (create) => create());
  try {
    await parts.fs.syncDirectory(dirname(path));
    unmark(parts.fs, path);
  } catch (error) {
    parts.fs.close(descriptor);
    throw error;
  }
  parts.fs.close(source);
  return descriptor;
}

function metaOf({ header }: RolloutEnd): Record<string, unknown> {
  const { id, timestamp, history_mode, ...meta } = header;
  return meta;
}

/** @throws LASTWORD_THREAD_NOT_FOUND, LASTWORD_ROLLOUT_CORRUPT (no regular file), other system errors as they are */
function openStored(fs: FsOps, path: string, threadId: string): number {
  try {
    return fs.openFile(path);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (ABSENT.includes(code)) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${threadId} has no rollout`, { threadId, path }, { cause });
    if (NOT_A_FILE.includes(code)) {
      throw new LastwordError('LASTWORD_ROLLOUT_CORRUPT', 'what stands in the place of the rollout is no regular file of its own', { threadId, path }, { cause });
    }
    throw cause;
  }
}

/** Cuts what is torn and ends the last record. Returns the bytes of the file. */
export function makeWhole(fs: FsOps, descriptor: number, { wholeBytes, lacksNewline, tornBytes }: RolloutEnd): number {
  if (tornBytes > 0) fs.truncate(descriptor, wholeBytes);
  if (!lacksNewline) return wholeBytes;
  return wholeBytes + writeAll(fs, descriptor, NEWLINE);
}

/** Copies the torn bytes to `<rollout>.torn-<n>`, safe before they are cut. Returns its path. */
async function keepTorn(fs: FsOps, from: number, path: string, { wholeBytes, tornBytes }: RolloutEnd): Promise<string> {
  const { made: descriptor, name: keptAt } = makeBeside(path, 'torn', (name) => fs.createFile(name));
  try {
    for (let done = 0; done < tornBytes;) {
      const bytes = readAt(fs, from, wholeBytes + done, Math.min(COPY_BYTES, tornBytes - done));
      done += writeAll(fs, descriptor, bytes);
    }
    await fs.syncFile(descriptor);
    await fs.syncDirectory(dirname(keptAt));
  } catch (error) {
    fs.unlink(keptAt);
    throw error;
  } finally {
    fs.close(descriptor);
  }
  return keptAt;
}
