/**
 * A rollout made anew: the part of the old file that is safe, then what is held, in a new file that is synced before it
 * takes the name. So no data of a file whose sync failed is relied on, and no reader sees a half of either.
 */
import { basename, dirname, join } from 'node:path';
import type { Leases } from './lease/leases.js';
import { removeFile } from './lease/owner-file.js';
import { readAt } from './recovery/read-lines.js';
import type { Clock, FsOps } from './seams.js';
import { writeAll } from './write-all.js';

const COPY_BYTES = 1 << 20;
/** Between two turns of the event loop. */
const COPIES_A_TURN = 8;

export interface RewriteParts {
  readonly fs: FsOps;
  readonly clock: Clock;
  readonly leases: Pick<Leases, 'instance'>;
}

export interface Rewrite {
  readonly path: string;
  /** The old file, open; undefined where nothing is taken over from it. */
  readonly source: number | undefined;
  /** How much of it is taken over. */
  readonly sourceBytes: number;
  readonly held: Iterable<Uint8Array>;
  /** Called before the new file takes the name, for what must not be lost by that. */
  readonly keep?: () => void;
}

/** Returns the descriptor of the new file, which is synced; its name is not. Throws system errors, and has then changed nothing. */
export async function rewrite({ fs, clock, leases }: RewriteParts, { path, source, sourceBytes, held, keep }: Rewrite, open: (create: () => number) => number): Promise<number> {
  const temporary = join(dirname(path), `.${basename(path)}.${leases.instance}.tmp`);
  // A writer that died may have left it.
  removeFile(fs, temporary);
  const descriptor = open(() => fs.createFile(temporary));
  try {
    for (let done = 0, copies = 1; source !== undefined && done < sourceBytes; copies += 1) {
      done += writeAll(fs, descriptor, readAt(fs, source, done, Math.min(COPY_BYTES, sourceBytes - done)));
      // The other threads go on meanwhile.
      if (copies % COPIES_A_TURN === 0) await new Promise<void>((resolve) => { clock.after(0, resolve); });
    }
    for (const bytes of held) writeAll(fs, descriptor, bytes);
    await fs.syncFile(descriptor);
    keep?.();
    fs.rename(temporary, path);
    return descriptor;
  } catch (error) {
    fs.close(descriptor);
    removeFile(fs, temporary);
    throw error;
  }
}

/**
 * Beside a rollout of which a sync has failed, until it was made anew: whoever opens it next must not believe a sync
 * that then succeeds. It is not synced: what power loss takes with it are also the pages that are not to be trusted.
 */
export function markOf(path: string): string {
  return `${path}.unsynced`;
}

export function isMarked(fs: FsOps, path: string): boolean {
  return fs.modifiedMs(markOf(path)) !== undefined;
}

export function mark(fs: FsOps, path: string): void {
  if (!isMarked(fs, path)) fs.close(fs.createFile(markOf(path)));
}

export function unmark(fs: FsOps, path: string): void {
  removeFile(fs, markOf(path));
}

/** A sync of a file that nobody writes to. */
export async function syncOrMark(fs: FsOps, descriptor: number, path: string): Promise<void> {
  try {
    await fs.syncFile(descriptor);
  } catch (error) {
    mark(fs, path);
    throw error;
  }
}
