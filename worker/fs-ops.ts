/** The file system of the writer, on node:fs: the only place that changes a file. */
import fs from 'node:fs';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { CALLS, type Call } from '../src/control/protocol.js';
import { enterCall, leaveCall } from '../src/ring/figures.js';
import type { SidecarMemory } from '../src/ring/memory.js';
import { assertFile, assertInPlace, assertNotShared, FILE_MODE, makeFolders, setFileMode, setModeAgain } from './fs-guard.js';
import type { Clock, FsOps, Rng } from './seams.js';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;

const datasync = promisify(fs.fdatasync);
const sync = promisify(fs.fsync);

function unlessAbsent<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The descriptor, unless it is of something that is not to be written to. */
function guarded(descriptor: number, guard: (stats: fs.Stats) => void): number {
  try {
    guard(fs.fstatSync(descriptor));
    return descriptor;
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
}

export const nodeFsOps: FsOps = {
  createFile: (path) => {
    assertInPlace(path);
    const descriptor = fs.openSync(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE);
    return guarded(descriptor, (stats) => { setFileMode(descriptor, stats); });
  },
  openFile: (path) => {
    assertInPlace(path);
    // O_NONBLOCK: a FIFO in the file's place must not hang the writer.
    const descriptor = fs.openSync(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK);
    return guarded(descriptor, (stats) => {
      assertFile(stats);
      assertNotShared(path, stats);
      setFileMode(descriptor, stats);
    });
  },
  write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),
  truncate: (descriptor, length) => { fs.ftruncateSync(descriptor, length); },
  size: (descriptor) => {
    const stats = fs.fstatSync(descriptor);
    const { nlink, size } = stats;
    assertFile(stats);
    // Nobody would ever read what is written to it.
    if (nlink === 0) throw Object.assign(new Error('ENOENT: the file was deleted while it was open, fstat'), { code: 'ENOENT', syscall: 'fstat' });
    return size;
  },
  identify: (descriptor) => {
    const stats = fs.fstatSync(descriptor);
    assertFile(stats);
    const { dev, ino, nlink: links, size } = stats;
    return { dev, ino, links, size };
  },
  identifyPath: (path) => {
    const stats = fs.lstatSync(path, { throwIfNoEntry: false });
    return stats === undefined ? undefined : { dev: stats.dev, ino: stats.ino, links: stats.nlink, size: stats.size };
  },
  // Linux; what has no name any more gets one that does not exist.
  pathOf: (descriptor) => unlessAbsent(() => fs.readlinkSync(`/proc/self/fd/${descriptor}`)),
  close: (descriptor) => { fs.closeSync(descriptor); },
  link: (existingPath, newPath) => { fs.linkSync(existingPath, newPath); },
  rename: (path, newPath) => { fs.renameSync(path, newPath); },
  unlink: (path) => {
    assertInPlace(path);
    fs.unlinkSync(path);
  },
  read: (descriptor, bytes, offset, length, position) => fs.readSync(descriptor, bytes, offset, length, position),
  readText: (path, bytesMax) => unlessAbsent(() => {
    const descriptor = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      assertFile(fs.fstatSync(descriptor));
      const bytes = Buffer.alloc(bytesMax);
      return bytes.toString('utf8', 0, fs.readSync(descriptor, bytes, 0, bytesMax, 0));
    } finally {
      fs.closeSync(descriptor);
    }
  }),
  modifiedMs: (path) => unlessAbsent(() => fs.lstatSync(path).mtimeMs),
  isSameFile: (path, other) => {
    const [one, two] = [path, other].map((name) => fs.lstatSync(name, { throwIfNoEntry: false }));
    return one !== undefined && two !== undefined && one.ino === two.ino && one.dev === two.dev;
  },
  readFolder: (path) => fs.readdirSync(path),
  makeDirectory: makeFolders,
  checkDirectory: (path) => {
    if (!fs.statSync(path).isDirectory()) throw Object.assign(new Error(`ENOTDIR: not a directory, '${path}'`), { code: 'ENOTDIR' });
    fs.accessSync(path, fs.constants.W_OK | fs.constants.X_OK);
  },
  syncFile: (descriptor) => datasync(descriptor),
  syncFileNow: (descriptor) => { fs.fdatasyncSync(descriptor); },
  // Where the journal of ext4 could not be written, every sync that did not wait for just that transaction still succeeds. Only what
  // changes something meets the journal: the first call has the file system find out, the second is refused.
  confirmSyncs: (descriptor) => {
    const { mode } = fs.fstatSync(descriptor);
    return setModeAgain(descriptor, mode) && setModeAgain(descriptor, mode);
  },
  syncDirectory: async (path) => {
    // Not in a promise: the descriptor of a worker that dies before it hears of it is nobody's.
    const descriptor = fs.openSync(path, O_RDONLY | O_DIRECTORY);
    try {
      await sync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  },
  syncDirectoryNow: (path) => {
    const descriptor = fs.openSync(path, O_RDONLY | O_DIRECTORY);
    try {
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  },
};

/** The same, with the call the writer is in told through shared words, so that a hung disk can be seen from outside. */
export function watched(ops: FsOps, sidecar: SidecarMemory, clock: Clock): FsOps {
  const during = <Args extends unknown[], Result>(call: Call, act: (...args: Args) => Result) => (...args: Args): Result => {
    enterCall(sidecar, CALLS.indexOf(call), clock.nowMs());
    try {
      return act(...args);
    } finally {
      leaveCall(sidecar);
    }
  };
  return {
    createFile: during('open', ops.createFile),
    openFile: during('open', ops.openFile),
    write: during('write', ops.write),
    truncate: during('ftruncate', ops.truncate),
    size: during('fstat', ops.size),
    identify: during('fstat', ops.identify),
    identifyPath: during('stat', ops.identifyPath),
    pathOf: during('readlink', ops.pathOf),
    close: during('close', ops.close),
    link: during('link', ops.link),
    rename: during('rename', ops.rename),
    unlink: during('unlink', ops.unlink),
    read: during('read', ops.read),
    readText: during('read', ops.readText),
    modifiedMs: during('stat', ops.modifiedMs),
    isSameFile: during('stat', ops.isSameFile),
    readFolder: during('readdir', ops.readFolder),
    makeDirectory: during('mkdir', ops.makeDirectory),
    checkDirectory: during('stat', ops.checkDirectory),
    syncFile: ops.syncFile,
    syncFileNow: during('fdatasync', ops.syncFileNow),
    confirmSyncs: during('fchmod', ops.confirmSyncs),
    syncDirectory: ops.syncDirectory,
    syncDirectoryNow: during('fsync', ops.syncDirectoryNow),
  };
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicUs: () => performance.now() * 1000,
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => { clearTimeout(timer); };
  },
};

export const systemRng: Rng = { uint32: () => randomBytes(4).readUInt32LE() };
