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

/**
 * A disk whose syncs fail when its test says so. As in a kernel: what the failed one was to cover is gone, or still
 * readable but not on disk, and the next sync of the same file succeeds.
 */
export class FailingSyncs {
  readonly writerUrl: URL;
  /** As a package, for a host in a process of its own. */
  readonly patches: readonly Patch[];
  /** Holds how many syncs fail from now on. */
  readonly #sign = join(temporaryFolder(), 'fails');
  /** While there is such a file, syncs do not end. */
  readonly #gate = join(temporaryFolder(), 'gate');
  /** While there is such a file, no new file can be made beside a rollout. */
  readonly full = join(temporaryFolder(), 'full');

  /** `keeps`: what a failed sync was to cover can still be read. `refusal`: of new files, while they are refused. */
  constructor({ keeps = false, refusal = { code: 'ENOSPC', errno: -28 }, more = [] as Patch[] } = {}) {
    const [sign, gate, full] = [this.#sign, this.#gate, this.full].map((path) => JSON.stringify(path));
    this.patches = [{
      file: 'worker/fs-ops.js', find: 'syncFile: (descriptor) => datasync(descriptor),',
      replace: `syncFile: async (descriptor) => {
        const { ino, size } = fs.fstatSync(descriptor);
        const syncedBytes = (globalThis.syncedBytes ??= new Map());
        while (fs.existsSync(${gate})) await new Promise((resolve) => { setImmediate(resolve); });
        if (!fs.existsSync(${sign})) {
          await datasync(descriptor);
          syncedBytes.set(ino, size);
          return;
        }
        const left = Number(fs.readFileSync(${sign}, 'utf8')) - 1;
        if (left > 0) fs.writeFileSync(${sign}, String(left));
        else fs.rmSync(${sign});
        if (!${String(keeps)}) {
          const lost = fs.openSync('/proc/self/fd/' + descriptor, 'r+');
          const from = syncedBytes.get(ino) ?? 0;
          fs.writeSync(lost, Buffer.alloc(fs.fstatSync(descriptor).size - from), 0, undefined, from);
          fs.closeSync(lost);
        }
        throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', errno: -5, syscall: 'fdatasync' });
      },`,
    }, {
      file: 'worker/fs-ops.js', find: 'createFile: (path) => {',
      replace: `createFile: (path) => {
        const isRefused = path.endsWith('.tmp') && fs.existsSync(${full});
        if (isRefused) throw Object.assign(new Error('refused'), ${JSON.stringify(refusal)}, { syscall: 'open' });`,
    }, ...more];
    this.writerUrl = mutantWriter(...this.patches);
  }

  fail(syncs: number): void {
    writeFileSync(this.#sign, String(syncs));
  }

  heal(): void {
    rmSync(this.#sign, { force: true });
  }

  hold(): void {
    writeFileSync(this.#gate, '');
  }

  letGo(): void {
    rmSync(this.#gate);
  }

  fill(): void {
    writeFileSync(this.full, '');
  }

  empty(): void {
    rmSync(this.full);
  }
}
