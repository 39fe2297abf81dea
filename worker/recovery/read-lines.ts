import type { FsOps } from '../seams.js';

const NEWLINE = 0x0a;
const CHUNK_BYTES = 64 << 10;

/** A line and where it begins. Its content has no line end, and is missing where the line is too long to be held. */
export interface LineBefore {
  readonly content: Buffer | undefined;
  readonly start: number;
  readonly isTerminated: boolean;
}

/** Exactly those bytes. @throws when the file ends before */
export function readAt(fs: FsOps, descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const taken = fs.read(descriptor, bytes, done, length - done, position + done);
    if (taken === 0) throw new Error(`the file ends at ${position + done}, before ${position + length}`);
    done += taken;
  }
  return bytes;
}

/** The line that ends at `end`, which is above 0. */
export function readLineBefore(fs: FsOps, descriptor: number, end: number, lineBytesMax: number): LineBefore {
  const isTerminated = readAt(fs, descriptor, end - 1, 1)[0] === NEWLINE;
  const contentEnd = isTerminated ? end - 1 : end;
  const start = findLineStart(fs, descriptor, contentEnd);
  if (contentEnd - start > lineBytesMax) return { content: undefined, start, isTerminated };
  const content = readAt(fs, descriptor, start, contentEnd - start);
  return { content: content.at(-1) === 0x0d ? content.subarray(0, -1) : content, start, isTerminated };
}

function findLineStart(fs: FsOps, descriptor: number, contentEnd: number): number {
  for (let end = contentEnd; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const newline = readAt(fs, descriptor, start, end - start).lastIndexOf(NEWLINE);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}
