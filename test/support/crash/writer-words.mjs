/** The words that a rigged writer shares with its test: what stands at which place. */

/** Of `faulty-writer.mjs`. */
export const FAULTY = {
  /** How often a call was made. */
  CALLS: 0,
  /** The number of the first call that fails, 0 for none; whether those after it fail too; the error's place in the list. */
  FAILS_AT: 1, IS_PERSISTENT: 2, ERROR: 3,
  /** How often a call failed; and how often a file was synced again whose sync had failed. */
  FAILED: 4, RESYNCED: 5,
  /** What each call was: from here on, by its number. */
  KINDS: 16,
};

/** Of `dying-writer.mjs`. */
export const DYING = {
  /** How often a call was made; the number of the one to die at, 0 for none; the way; whether only writes count. */
  CALLS: 0, DIES_AT: 1, WAY: 2, COUNTS_WRITES: 3,
};
