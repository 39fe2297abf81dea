import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { LastwordError } from '../errors.js';

/** One read of the file; large enough that its cost vanishes beside parsing, small enough that memory stays flat. */
const CHUNK_BYTES = 256 << 10;
/** Errors of open() that say that nothing stands there. */
const ABSENT = ['ENOENT', 'ENOTDIR'];
/** And those that say that it is something other than a file. */
const NOT_A_FILE = ['EISDIR', 'ENXIO', 'ENODEV'];

/** The bytes of a file from its start, in two buffers: one is read into while the other is parsed. */
export class RolloutSource {
  readonly #file: FileHandle;
  #reading: Promise<Buffer<ArrayBuffer>>;
  #spare: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(CHUNK_BYTES);

  constructor(file: FileHandle) {
    this.#file = file;
    this.#reading = this.#read(Buffer.allocUnsafeSlow(CHUNK_BYTES));
  }

  /** The next bytes, or undefined at the end of the file. They are valid until the next call. */
  async next(): Promise<Buffer | undefined> {
    const chunk = await this.#reading;
    if (chunk.length === 0) return undefined;
    this.#reading = this.#read(this.#spare);
    this.#spare = Buffer.from(chunk.buffer);
    return chunk;
  }

  /** Waits for the read under way, as FileHandle.close() does. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  #read(into: Buffer<ArrayBuffer>): Promise<Buffer<ArrayBuffer>> {
    const reading = this.#file.read(into, 0, into.length, null).then(({ bytesRead }) => into.subarray(0, bytesRead));
    reading.catch(() => undefined); // next() rejects with it; a reader that leaves early never asks
    return reading;
  }
}

/**
 * Opens a rollout for reading; a FIFO without a writer is refused and not waited for, hence O_NONBLOCK.
 * @throws LASTWORD_THREAD_NOT_FOUND (no such file), LASTWORD_ROLLOUT_CORRUPT (no regular file), other system errors as
 * they are
 */
export async function openRollout(path: string): Promise<RolloutSource> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
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
    return new RolloutSource(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function notRegular(path: string, options?: ErrorOptions): LastwordError {
  return new LastwordError('LASTWORD_ROLLOUT_CORRUPT', 'what stands at the path is no regular file', { path }, options);
}
