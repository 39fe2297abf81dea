/** What somebody else does to a file while it is open: noticed before a batch, after a sync, and within a second. */
import { dirname } from 'node:path';
import type { WriterEvent } from '../src/control/protocol.js';
import { LastwordError } from '../src/errors.js';
import type { FileTable } from './file-table.js';
import type { FolderSyncs } from './folder-syncs.js';
import { findEnd } from './recovery/find-end.js';
import type { RolloutFile } from './rollout-file.js';
import { isSameFile, type Clock, type FsOps } from './seams.js';

const LOOKS_A_SECOND = 4;
/** Of one look, so that it holds up no write. Of more than 1,000 idle threads each is looked at less often. */
const FILES_A_LOOK = 250;

/** `moved`: it has another name. `deleted`: it has none. `replaced`: another one has its name. */
type Change = 'none' | 'moved' | 'deleted' | 'replaced' | 'cut' | 'grown';

interface Parts {
  readonly fs: FsOps;
  readonly clock: Clock;
  readonly files: FileTable;
  readonly tell: (event: WriterEvent) => void;
  /** Only a new file can be written to. */
  readonly poison: (file: RolloutFile, error: LastwordError) => void;
  readonly fail: (file: RolloutFile, error: LastwordError) => void;
}

/** What has become of the file, and the path that it has now. Only its name is looked at where it is not open. */
export function changeOf({ fs, files }: Pick<Parts, 'fs' | 'files'>, file: RolloutFile): { change: Change; path: string } {
  const { identity, path } = file;
  if (identity === undefined || !file.isEndKnown) return { change: 'none', path };
  const descriptor = files.openDescriptorOf(file);
  const named = fs.identifyPath(path);
  if (named !== undefined && isSameFile(named, identity)) {
    const size = descriptor === undefined ? file.wholeBytes : named.size;
    return { change: size === file.wholeBytes || file.isUncut(size) ? 'none' : size < file.wholeBytes ? 'cut' : 'grown', path };
  }
  const moved = descriptor === undefined ? undefined : fs.pathOf(descriptor);
  if (moved !== undefined && isSameFile(fs.identifyPath(moved), identity)) return { change: 'moved', path: moved };
  return { change: named === undefined ? 'deleted' : 'replaced', path };
}

export class Interference {
  readonly #parts: Parts;
  readonly #folders: FolderSyncs;
  readonly #open: Iterable<RolloutFile>;
  #cancelTimer: (() => void) | undefined;
  /** Files that this round has not come to yet. */
  #round: RolloutFile[] = [];
  #filesALook = 1;

  constructor(parts: Parts, folders: FolderSyncs, open: Iterable<RolloutFile>) {
    this.#parts = parts;
    this.#folders = folders;
    this.#open = open;
  }

  /** Looks at every open rollout from now on, for as long as there are any. */
  watch(): void {
    if (this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#parts.clock.after(1000 / LOOKS_A_SECOND, () => {
      this.#cancelTimer = undefined;
      this.#look();
    });
  }

  stop(): void {
    this.#cancelTimer?.();
  }

  /** False when the file cannot be written as it is: then it is being made anew, or has failed. */
  isInPlace(file: RolloutFile): boolean {
    if (file.isPoisoned || file.failure !== undefined) return false;
    const { change, path } = changeOf(this.#parts, file);
    if (change === 'none') return true;
    if (change === 'moved') {
      this.follow(file, path);
      return true;
    }
    const { fail, poison } = this.#parts;
    (change === 'grown' ? fail : poison)(file, changed(file, change));
    return false;
  }

  /** Who has moved it knows why: it is written on where it is. */
  follow(file: RolloutFile, path: string): void {
    const { slot, incarnation, threadId, path: from } = file;
    file.path = path;
    this.#folders.changed(dirname(path));
    this.#parts.tell({ event: 'threadMoved', slot, incarnation, threadId, from, path });
  }

  #tryToLook(file: RolloutFile): void {
    try {
      this.isInPlace(file);
    } catch {
      return; // what refuses a look refuses the next write or sync too, which says so
    }
  }

  #look(): void {
    if (this.#round.length === 0) {
      this.#round = [...this.#open];
      this.#filesALook = Math.min(FILES_A_LOOK, Math.ceil(this.#round.length / LOOKS_A_SECOND));
    }
    for (const file of this.#round.splice(0, this.#filesALook)) {
      if (file.isEndKnown && !file.isSyncing && !file.isReleased && file.takesRecords) this.#tryToLook(file);
    }
    if (this.#open[Symbol.iterator]().next().done !== true) this.watch();
  }
}

const SAID = {
  deleted: 'the file was deleted',
  replaced: 'another file was put in the place of the file',
  cut: 'the file was cut',
  grown: 'somebody else has written to the file',
} as const;

function changed({ path, threadId, wholeBytes }: RolloutFile, change: keyof typeof SAID): LastwordError {
  return new LastwordError('LASTWORD_WRITE_FAILED', `thread ${threadId}: ${SAID[change]} while it was open, ${wholeBytes} bytes long`, { threadId, path, change });
}

/** Ordinal of the first record that is not in the file any more. */
export function firstLostOf(fs: FsOps, descriptor: number | undefined, path: string): number {
  if (descriptor === undefined) return 0;
  try {
    return findEnd(fs, descriptor, path).nextOrdinal;
  } catch {
    return 0; // not even its header is whole
  }
}
