import { fileOffset, type FileOffset } from '../units.js';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * A line of a file. Its content is valid until the next feed(), has no line end, and is missing where the line is too
 * long.
 */
export interface Line {
  readonly content: Buffer | undefined;
  readonly offset: FileOffset;
  /** With its line end. */
  readonly bytes: number;
  /** False for a last line without a newline. */
  readonly isTerminated: boolean;
}

/**
 * Splits a file, fed in chunks of any size, on byte 0x0A alone: other line separators are legal inside JSON strings. A
 * line that crosses chunks is put together once, when its end is there; one longer than `lineBytesMax` is never held.
 */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #chunk: Buffer = Buffer.alloc(0);
  #chunkOffset: number;
  /** Start of the next line in the chunk. */
  #next = 0;
  /** The line that earlier chunks began: its bytes so far, and copies of them unless it is already too long. */
  #carried: Buffer[] = [];
  #carriedBytes = 0;

  constructor(lineBytesMax: number, startOffset: FileOffset = fileOffset(0)) {
    this.#lineBytesMax = lineBytesMax;
    this.#chunkOffset = startOffset;
  }

  /** Call once next() has returned undefined. The chunk is the splitter's until it does so again. */
  feed(chunk: Buffer): void {
    this.#chunkOffset += this.#chunk.length;
    this.#chunk = chunk;
    this.#next = 0;
  }

  /** The next terminated line, or undefined when more bytes are needed. */
  next(): Line | undefined {
    const end = this.#chunk.indexOf(NEWLINE, this.#next);
    if (end === -1) {
      this.#carry();
      return undefined;
    }
    return this.#take(end, 1);
  }

  /** The unterminated line at the end of the file, if there is one. */
  last(): Line | undefined {
    return this.#carriedBytes === 0 ? undefined : this.#take(this.#next, 0);
  }

  /** Forgets the line that was begun; what is fed next begins at its start, which is returned. */
  rewind(): FileOffset {
    const start = fileOffset(this.#chunkOffset + this.#next - this.#carriedBytes);
    this.#chunk = Buffer.alloc(0);
    this.#chunkOffset = start;
    this.#next = 0;
    this.#carried = [];
    this.#carriedBytes = 0;
    return start;
  }

  #take(end: number, terminatorBytes: 0 | 1): Line {
    const own = this.#chunk.subarray(this.#next, end);
    const bytes = this.#carriedBytes + own.length;
    const offset = this.#chunkOffset + this.#next - this.#carriedBytes;
    const content = this.#contentOf(own, bytes);
    this.#carried = [];
    this.#carriedBytes = 0;
    this.#next = end + terminatorBytes;
    return {
      content,
      offset: fileOffset(offset),
      bytes: bytes + terminatorBytes,
      isTerminated: terminatorBytes === 1,
    };
  }

  #contentOf(own: Buffer, bytes: number): Buffer | undefined {
    if (bytes > this.#lineBytesMax) return undefined;
    const whole = this.#carriedBytes === 0 ? own : Buffer.concat([...this.#carried, own], bytes);
    return whole[bytes - 1] === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole;
  }

  #carry(): void {
    const rest = this.#chunk.subarray(this.#next);
    this.#next = this.#chunk.length;
    if (rest.length === 0) return;
    this.#carriedBytes += rest.length;
    if (this.#carriedBytes > this.#lineBytesMax) this.#carried = [];
    else this.#carried.push(Buffer.from(rest));
  }
}
