/** What reading back takes and gives. */
/** Options of readThread(), and but for `view` of readRollout(). */
export interface ReadOptions {
  /** First ordinal; with reverse, the lowest one returned. Default 0. */
  from?: number | undefined;
  /** Records at most. */
  limit?: number | undefined;
  /**
   * Newest first, reading from the end of the file: the cost is that of what is read. Ends at the first ordinal below `from`.
   * Not with follow.
   */
  reverse?: boolean | undefined;
  /**
   * 'raw': every record of this file. 'effective': forks resolved, rolled-back records left out. 'resume': effective, from the
   * last `compacted` record with a `replacement_history` on, found from the end of the file. Default 'effective'.
   */
  view?: 'raw' | 'effective' | 'resume' | undefined;
  /** Goes on with records as they are written; ends (returns) on abort, or when nobody holds the thread's lease any more. */
  follow?: boolean | undefined;
  /** Aborted: reading throws its reason, or, with `follow`, returns. */
  signal?: AbortSignal | undefined;
  /** A line that is no valid record, or an order that is not. Default: skipped; readThread() says at debug how many. */
  onDamage?: ((damage: Damage) => void) | undefined;
}
/**
 * What is wrong at a place of a file.
 * - `torn`: nothing whole follows, up to the end of the file; `ordinal` is the first that may be lost there.
 * - `malformed`, `checksum`, `too-long`: a line that is no record, with whole ones behind it. `ordinal` is given where
 *   the records around it leave no doubt.
 * - `gap`: records are missing before `offset`; `bytes` is 0 and `ordinal` the first one missing. Damaged lines that
 *   may have been the missing records are reported as themselves and not as a gap too.
 * - `duplicate`: the whole record at `offset` has an ordinal that is not above all before it. It is a record all the
 *   same.
 */
export interface Damage {
  kind: 'torn' | 'malformed' | 'too-long' | 'checksum' | 'gap' | 'duplicate';
  /** Where it begins: bytes from the start of the file. */
  offset: number;
  /** How long it is, newline included. */
  bytes: number;
  /** The record that may be lost there, or is there twice; undefined where nothing says. */
  ordinal?: number | undefined;
}

/** What verification found in one rollout. */
export interface VerifyReport {
  /** The rollout; relative where what was verified was named so. */
  path: string;
  /** Whole records. */
  records: number;
  /** Size of the file. */
  bytes: number;
  /** Records whose checksum was there and right. */
  checked: number;
  /** `torn`: nothing whole follows the last damage; resuming cuts it off, and keeps it beside. */
  end: 'clean' | 'torn';
  /** In the order of the file. */
  damage: Damage[];
  /** Why the file could not be read: a code of ours or of the system. The rest says nothing then. */
  unread?: string | undefined;
}

/** What importSalvage() did. */
export interface ImportReport {
  /** Records that were put back. */
  records: number;
  /** Records that their rollouts had already. */
  alreadyThere: number;
}

/** Options of verifyRollouts(). */
export interface VerifyOptions {
  /** Files at the same time, each on a thread of its own: 1 to 64. Default: the cores there are. */
  concurrency?: number | undefined;
  /** Aborted: verifyRollouts() rejects with its reason. */
  signal?: AbortSignal | undefined;
  /** After each file. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}
