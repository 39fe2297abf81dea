/** A disk that refuses writes for as long as its test says, and then takes them again. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mutantWriter, type Patch } from './mutants.js';
import { temporaryFolder } from './sidecars.js';

/** Errors as Node has them; EDQUOT has no name there. */
export const PASSING = {
  ENOSPC: { errno: -28, code: 'ENOSPC' }, EDQUOT: { errno: -122, code: 'Unknown system error -122' }, EFBIG: { errno: -27, code: 'EFBIG' },
  EIO: { errno: -5, code: 'EIO' },
} as const;
export type Passing = keyof typeof PASSING;

export class RiggedDisk {
  readonly writerUrl: URL;
  /** While there is such a file, writes are refused. */
  readonly sign = join(temporaryFolder(), 'refuses');

  /** Refuses what holds the word, half-written, and takes salvage files or not; `more` patches of the writer come along. */
  constructor(error: Passing = 'ENOSPC', { word = '', takesSalvage = false, more = [] as Patch[] } = {}) {
    const { errno, code } = PASSING[error];
    this.writerUrl = mutantWriter({
      file: 'worker/fs-ops.js',
      find: 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),',
      replace: `write: (descriptor, bytes, offset, length) => {
        const text = Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);
        const isRefused = fs.existsSync(${JSON.stringify(this.sign)}) && text.includes(${JSON.stringify(word)}) && !(${takesSalvage} && text.includes('{"threadId":"'));
        if (!isRefused) return fs.writeSync(descriptor, bytes, offset, length);
        fs.writeSync(descriptor, bytes, offset, Math.floor(length / 2));
        throw Object.assign(new Error('refused'), { code: ${JSON.stringify(code)}, errno: ${errno}, syscall: 'write' });
      },`,
    }, ...more);
  }

  refuse(): void {
    writeFileSync(this.sign, '');
  }

  take(): void {
    rmSync(this.sign);
  }
}
