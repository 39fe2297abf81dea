import type { FsOps } from './seams.js';

/** Writes all of the bytes at the end of the file, however many write() takes at a time. Returns `length`. */
export function writeAll(fs: FsOps, descriptor: number, bytes: Uint8Array, offset = 0, length = bytes.byteLength): number {
  for (let done = 0; done < length;) {
    const taken = fs.write(descriptor, bytes, offset + done, length - done);
    if (taken <= 0) throw new Error('write() took no bytes');
    done += taken;
  }
  return length;
}
