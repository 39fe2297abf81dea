/**
 * Salvage files: records that could not be written where they belong. Each is the line that it would have been there, under
 * the id of its thread; importSalvage() puts them back.
 */
import { dirname, join } from 'node:path';
import { LastwordError } from '../src/errors.js';
import { entryPrefix, ENTRY_SUFFIX } from '../src/rollout/salvage-entry.js';
import type { Clock, FsOps } from './seams.js';
import { writeAll } from './write-all.js';

const BUFFER_BYTES = 256 * 1024;
/** Files of one thread and millisecond. */
const NAMES_MAX = 100;

export interface SalvageParts {
  readonly fs: FsOps;
  readonly clock: Clock;
  /** Taken where the rollout's own folder refuses: os.tmpdir() of the host. */
  readonly temporaryFolder: string;
}

/** Whose records are salvaged, and where its rollout is. */
export interface SalvagedThread {
  readonly threadId: string;
  readonly path: string;
}

export interface SalvageEntry {
  readonly threadId: string;
  /** As in the rollout, without its newline. */
  readonly line: Uint8Array;
}

/** Puts finished lines into a new salvage file. Returns its path. @throws as writeSalvage() */
export function appendSalvage(parts: SalvageParts, thread: SalvagedThread, entries: Iterable<SalvageEntry>): string {
  return writeSalvage(parts, thread, (file) => {
    for (const { threadId, line } of entries) {
      file.begin(threadId);
      file.take(line, 0, line.byteLength);
      file.end();
    }
  });
}

/**
 * A new file with what `fill` puts in, in the rollout's folder or the temporary one: whole and synced, or not there. Returns
 * its path. @throws LASTWORD_WRITE_FAILED when no place takes it
 */
export function writeSalvage(parts: SalvageParts, { threadId, path }: SalvagedThread, fill: (file: SalvageFile) => void, name = 'salvage'): string {
  let cause: unknown;
  for (const folder of new Set([dirname(path), parts.temporaryFolder])) {
    try {
      return writeIn(parts, folder, { threadId, name }, fill);
    } catch (error) {
      cause = error;
    }
  }
  const { errno } = cause as Partial<NodeJS.ErrnoException>;
  const context = { threadId, path, ...(errno === undefined ? {} : { errno }) };
  throw new LastwordError('LASTWORD_WRITE_FAILED', `thread ${threadId}: no place takes a salvage file`, context, { cause });
}

function writeIn({ fs, clock }: SalvageParts, folder: string, named: { threadId: string; name: string }, fill: (file: SalvageFile) => void): string {
  const { path, descriptor } = create(fs, folder, named, clock.nowMs());
  let isKept = false;
  try {
    const file = new SalvageFile(fs, descriptor);
    fill(file);
    file.flush();
    fs.syncFileNow(descriptor);
    fs.syncDirectoryNow(folder);
    isKept = true;
    return path;
  } finally {
    try {
      fs.close(descriptor);
    } finally {
      if (!isKept) fs.unlink(path);
    }
  }
}

function create(fs: FsOps, folder: string, { threadId, name }: { threadId: string; name: string }, nowMs: number): { path: string; descriptor: number } {
  const time = new Date(nowMs).toISOString().slice(0, -1).replaceAll(/[:.]/g, '-');
  for (let number = 1; ; number += 1) {
    const path = join(folder, `${name}-${time}-${threadId}${number === 1 ? '' : `-${number}`}.jsonl`);
    try {
      return { path, descriptor: fs.createFile(path) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || number === NAMES_MAX) throw error;
    }
  }
}

/** A salvage file that is being written: entry by entry, each in pieces of any size. */
export class SalvageFile {
  readonly #fs: FsOps;
  readonly #descriptor: number;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  /** Bytes in the file. */
  #bytes = 0;
  #entryStart = 0;

  constructor(fs: FsOps, descriptor: number) {
    this.#fs = fs;
    this.#descriptor = descriptor;
  }

  begin(threadId: string): void {
    this.#entryStart = this.#bytes + this.#buffered;
    const prefix = entryPrefix(threadId);
    this.take(prefix, 0, prefix.byteLength);
  }

  /** A piece of the line, which ends without newline. */
  take(bytes: Uint8Array, offset: number, length: number): void {
    if (this.#buffered + length > BUFFER_BYTES) this.flush();
    if (length > BUFFER_BYTES) this.#bytes += writeAll(this.#fs, this.#descriptor, bytes, offset, length);
    else {
      this.#buffer.set(bytes.subarray(offset, offset + length), this.#buffered);
      this.#buffered += length;
    }
  }

  end(): void {
    this.take(ENTRY_SUFFIX, 0, ENTRY_SUFFIX.byteLength);
  }

  /** Takes back the entry that was begun. */
  cancel(): void {
    this.#buffered = Math.max(0, this.#entryStart - this.#bytes);
    if (this.#entryStart >= this.#bytes) return;
    this.#fs.truncate(this.#descriptor, this.#entryStart);
    this.#bytes = this.#entryStart;
  }

  flush(): void {
    this.#bytes += writeAll(this.#fs, this.#descriptor, this.#buffer, 0, this.#buffered);
    this.#buffered = 0;
  }
}
