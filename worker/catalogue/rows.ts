import type { FileState } from '../../src/reader/lists/pieces.js';
import type { ThreadId } from '../../src/types.js';

/** What the catalogue knows of a rollout, as long as the file system says the same of it. */
export interface Row extends FileState {
  readonly name: string;
  readonly parentId: ThreadId | undefined;
  readonly cwd: string | undefined;
  /** It cannot be summarised; whoever lists it finds out why. */
  readonly isDamaged: boolean;
}

/** A folder of rollouts, from the sidecar's directory, as it was when it was read. */
export interface Folder {
  readonly path: string;
  /** Its own last change then: a file that was made or removed since shows in it. */
  readonly modifiedMs: number;
  /** When it was read. */
  readonly readMs: number;
  readonly folders: readonly string[];
  readonly rows: readonly Row[];
}
