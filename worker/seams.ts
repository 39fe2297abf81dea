/** What the writer takes from outside: a disk, a clock, chance, other processes. A simulation gives its own. */

/** Which file it is: of two names or descriptors, whether they are of one. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

export interface FileState extends FileIdentity {
  /** Names that it has. */
  readonly links: number;
  readonly size: number;
}

export function isSameFile(one: FileIdentity | undefined, other: FileIdentity | undefined): boolean {
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}

/** All the file system the writer may touch. Every call is synchronous but the syncs. */
export interface FsOps {
  /** A new file for appending (0600, whatever the umask); fails when the path exists. */
  createFile(path: string): number;
  /** An existing file, for appending: a regular one, no link, and not another file's further name; made 0600 where it is ours. */
  openFile(path: string): number;
  /** Takes the bytes at the end of the file; may take fewer. */
  write(descriptor: number, bytes: Uint8Array, offset: number, length: number): number;
  truncate(descriptor: number, length: number): void;
  /** Throws when the file has no name any more, or is no regular one. */
  size(descriptor: number): number;
  /** Throws when it is no regular file. */
  identify(descriptor: number): FileState;
  /** The name under which the file stands now; undefined where it has none, or the system does not tell. */
  pathOf(descriptor: number): string | undefined;
  /** What stands at the name, links not followed; undefined when nothing does. */
  identifyPath(path: string): FileState | undefined;
  close(descriptor: number): void;
  /** Gives the file a further name; fails when the name exists. */
  link(existingPath: string, newPath: string): void;
  /** Puts the file in the place of another. */
  rename(path: string, newPath: string): void;
  unlink(path: string): void;
  /** Takes bytes from a place of the file; may take fewer, none at its end. */
  read(descriptor: number, bytes: Uint8Array, offset: number, length: number, position: number): number;
  /** A small file, at most `bytesMax` of it; undefined when there is none. Throws for what is no regular file; a link is not followed. */
  readText(path: string, bytesMax: number): string | undefined;
  /** When the file was last changed, ms since the epoch; undefined when there is none. */
  modifiedMs(path: string): number | undefined;
  /** Whether both are names of one file; false when one is missing. */
  isSameFile(path: string, other: string): boolean;
  /** Names in a folder. */
  readFolder(path: string): string[];
  /** Makes the folder and those above it that are missing (0700). Returns the topmost that it made. */
  makeDirectory(path: string): string | undefined;
  /** Throws unless the path is a folder in which this process may make files. */
  checkDirectory(path: string): void;
  /** Data sync of one file; settles off the writer's thread. */
  syncFile(descriptor: number): Promise<void>;
  /** The same at once, for a process that ends. */
  syncFileNow(descriptor: number): void;
  /**
   * Behind syncs that succeeded, of any files of the file system: throws where it has given up writing, so that they prove nothing. False
   * where it cannot tell by this file. Changes no more of it than the time of its last change of state.
   */
  confirmSyncs(descriptor: number): boolean;
  /** Sync of a folder's names. */
  syncDirectory(path: string): Promise<void>;
  /** The same at once. */
  syncDirectoryNow(path: string): void;
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

/** A process, so that another one under the same number is told from it. Members are empty where the system has none. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, as the system counts. */
  readonly start: string;
  /** Of the machine. */
  readonly boot: string;
  /** In which the number counts: containers have their own. */
  readonly namespace: string;
  readonly host: string;
}

/** A lock that the kernel holds for a process. */
export interface Flock {
  readonly pid: number;
  /** When its file was last changed, which is mostly when the lock was taken; ms since the epoch. */
  readonly sinceMs: number;
}

export interface Processes {
  self(): ProcessIdentity;
  /** Of this machine since it was booted, and of the same namespace. A process that is stopped is alive. */
  isAlive(process: Pick<ProcessIdentity, 'pid' | 'start'>): boolean;
  /** Who has a flock() on the file; undefined where nobody has, or where the system does not tell. */
  findFlock(path: string): Flock | undefined;
}
