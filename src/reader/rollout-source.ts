import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isLastwordError, LastwordError } from '../errors.js';
import { otherPlaceOf } from '../rollout/rollout-path.js';

/** One read of the file; large enough that its cost vanishes beside parsing, small enough that memory stays flat. */
const CHUNK_BYTES = 256 << 10;
/** Errors of open() that say that nothing stands there. */
const ABSENT = ['ENOENT', 'ENOTDIR'];
/** And those that say that it is something other than a file. */
const NOT_A_FILE = ['EISDIR', 'ENXIO', 'ENODEV', 'ELOOP'];
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** The bytes of a file from `start` to `end`, in two buffers: one is read into while the other is parsed. */
export class RolloutSource {
  readonly #file: FileHandle;
  readonly #buffers: (Buffer<ArrayBuffer> | undefined)[] = [];
  /** The buffer that is read into next. */
  #turn = 0;
  #position: number;
  #end: number;
  #reading: Promise<Buffer> | undefined;

  constructor(file: FileHandle, start = 0, end = Infinity) {
    this.#file = file;
    this.#position = start;
    this.#end = end;
    this.#reading = this.#read();
  }

  /** The next bytes, or undefined at the end; then it may be asked again, in case the file grows. They are valid until the next call. */
  async next(): Promise<Buffer | undefined> {
    const chunk = await (this.#reading ?? this.#read());
    this.#reading = undefined;
    if (chunk.length === 0) return undefined;
    this.#position += chunk.length;
    this.#turn = 1 - this.#turn;
    this.#reading = this.#read();
    return chunk;
  }

  /** What comes next begins at `start`, and is read after this call. */
  async seek(start: number, end = Infinity): Promise<void> {
    await this.#reading;
    this.#position = start;
    this.#end = end;
    this.#reading = this.#read();
  }

  #read(): Promise<Buffer> {
    const into = (this.#buffers[this.#turn] ??= Buffer.allocUnsafeSlow(CHUNK_BYTES));
    const length = Math.min(into.length, this.#end - this.#position);
    const reading = length <= 0
      ? Promise.resolve(into.subarray(0, 0))
      : this.#file.read(into, 0, length, this.#position).then(({ bytesRead }) => into.subarray(0, bytesRead));
    reading.catch(() => undefined); // next() rejects with it; a reader that leaves early never asks
    return reading;
  }
}

/**
 * Opens a rollout for reading; a FIFO without a writer is refused and not waited for, hence O_NONBLOCK. Closing waits
 * for the reads under way.
 * @throws LASTWORD_THREAD_NOT_FOUND (no such file), LASTWORD_ROLLOUT_CORRUPT (no regular file), other system errors as
 * they are
 */
export function openRollout(path: string): Promise<FileHandle> {
  return openAt(path, FLAGS);
}

async function openAt(path: string, flags: number): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, flags);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (ABSENT.includes(code)) {
      throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', 'there is no rollout at the path', { path }, { cause });
    }
    if (NOT_A_FILE.includes(code)) throw notRegular(path, { cause });
    throw cause;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw notRegular(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * The rollout of a stored thread, also when it has just been archived or unarchived. Nobody named the file: a link in its
 * place is not followed. @throws as openRollout()
 */
export async function openStored(path: string): Promise<FileHandle> {
  const flags = FLAGS | constants.O_NOFOLLOW;
  for (const place of [path, otherPlaceOf(path)]) {
    try {
      if (place !== undefined) return await openAt(place, flags);
    } catch (error) {
      if (!isLastwordError(error) || error.code !== 'LASTWORD_THREAD_NOT_FOUND') throw error;
    }
  }
  // Neither, or moved back meanwhile.
  return openAt(path, flags);
}

function notRegular(path: string, options?: ErrorOptions): LastwordError {
  return new LastwordError('LASTWORD_ROLLOUT_CORRUPT', 'what stands at the path is no regular file', { path }, options);
}
