/** What the writer takes from outside: a disk, a clock, chance. A simulation gives its own. */

/** All the file system the writer may touch. Every call is synchronous but the syncs. */
export interface FsOps {
  /** A new file for appending (0600); fails when the path exists. */
  createFile(path: string): number;
  /** An existing file, for appending; a link is not followed. */
  openFile(path: string): number;
  /** Takes the bytes at the end of the file; may take fewer. */
  write(descriptor: number, bytes: Uint8Array, offset: number, length: number): number;
  truncate(descriptor: number, length: number): void;
  /** Throws when the file has no name any more. */
  size(descriptor: number): number;
  close(descriptor: number): void;
  /** Gives the file a further name; fails when the name exists. */
  link(existingPath: string, newPath: string): void;
  unlink(path: string): void;
  /** Makes the folder and those above it that are missing (0700). Returns the topmost that it made. */
  makeDirectory(path: string): string | undefined;
  /** Throws unless the path is a folder in which this process may make files. */
  checkDirectory(path: string): void;
  /** Data sync of one file; settles off the writer's thread. */
  syncFile(descriptor: number): Promise<void>;
  /** Sync of a folder's names. */
  syncDirectory(path: string): Promise<void>;
}

export interface Clock {
  /** Wall clock, ms: data only. */
  nowMs(): number;
  /** Monotonic, µs: for durations. */
  monotonicUs(): number;
  /** Calls back once, unless cancelled; keeps nothing alive. */
  after(ms: number, callback: () => void): () => void;
}

export interface Rng {
  uint32(): number;
}
