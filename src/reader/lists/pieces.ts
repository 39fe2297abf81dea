/** Reading places of a file: for pages without blocking the host's thread, for the catalogue at once. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/** What a reading asks for: bytes from a place of the file. Fewer come back at its end. */
export interface Piece {
  readonly position: number;
  readonly length: number;
}

/** Says what it wants to see of a file, piece by piece, and then what came of it. A piece is its own until it asks for the next. */
export type Reading<T> = Generator<Piece, T, Buffer>;

/** What the file system says of a rollout. */
export interface FileState {
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly inode: number;
}

/** Why there is nothing to be read; `isGone`: there is no such file, or no longer. */
export interface Unreadable {
  readonly unreadable: string;
  readonly isGone: boolean;
}
export interface Read<T> {
  readonly state: FileState;
  readonly value: T;
}

export const NO_REGULAR_FILE = 'it is no regular file';
/** A FIFO without a writer is not waited for, a link not followed. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
/** What open() says of links and sockets. */
const NOT_A_FILE = ['ELOOP', 'ENXIO', 'ENODEV', 'EISDIR'];
const NEWLINE = 0x0a;
const FIRST_LINE_BYTES = 64 << 10;
/** Headers carry instructions and lists of tools, 20 to 40 KB of them; a longer first line than this is no header. */
const FIRST_LINE_BYTES_MAX = 16 << 20;

/** Never rejects for the file's sake: what the system refuses is the answer. */
export async function readPieces<T>(path: string, begin: (state: FileState) => Reading<T>): Promise<Read<T> | Unreadable> {
  try {
    const file = await open(path, FLAGS);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) return { unreadable: NO_REGULAR_FILE, isGone: false };
      const state = stateOf(stats);
      return { state, value: await readFrom(file, begin(state)) };
    } finally {
      await file.close();
    }
  } catch (error) {
    return unreadable(error);
  }
}

/** Gives the reading what it asks for. */
export async function readFrom<T>(file: FileHandle, reading: Reading<T>): Promise<T> {
  let step = reading.next();
  while (step.done !== true) {
    const { position, length } = step.value;
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
    step = reading.next(buffer.subarray(0, bytesRead));
  }
  return step.value;
}

let scratch = Buffer.alloc(0);

/** readPieces() at once, for a thread that has nothing else to do. */
export function readPiecesSync<T>(path: string, begin: (state: FileState) => Reading<T>): Read<T> | Unreadable {
  try {
    const descriptor = openSync(path, FLAGS);
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) return { unreadable: NO_REGULAR_FILE, isGone: false };
      const state = stateOf(stats);
      const reading = begin(state);
      let step = reading.next();
      while (step.done !== true) {
        const { position, length } = step.value;
        if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(length);
        step = reading.next(scratch.subarray(0, readSync(descriptor, scratch, 0, length, position)));
      }
      return { state, value: step.value };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return unreadable(error);
  }
}

/** The first line of a file, and with it what was read; undefined where it is too long. */
export function* readFirstLine(): Reading<{ content: Buffer; bytes: number; piece: Buffer } | undefined> {
  for (let length = FIRST_LINE_BYTES; length <= FIRST_LINE_BYTES_MAX; length *= 4) {
    const piece = yield { position: 0, length };
    const end = piece.indexOf(NEWLINE);
    if (end >= 0) return { content: piece.subarray(0, end), bytes: end + 1, piece };
    if (piece.length < length) return { content: piece, bytes: piece.length, piece };
  }
  return undefined;
}

export function stateOf({ size, mtimeMs, ino }: Stats): FileState {
  return { bytes: size, modifiedMs: mtimeMs, inode: ino };
}

/** @throws what is no error of the system */
function unreadable(error: unknown): Unreadable {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) throw error;
  if (NOT_A_FILE.includes(code)) return { unreadable: NO_REGULAR_FILE, isGone: false };
  return { unreadable: `it cannot be read: ${code}`, isGone: code === 'ENOENT' || code === 'ENOTDIR' };
}
