import { execFileSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/** What a figure depends on; printed with every result. */
export interface Environment {
  readonly commit: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly fileSystem: string;
  /** Of the last minute, before the run: other work on the machine. */
  readonly load: number;
}

/** The kernel's magic numbers of the file systems a folder for temporary files is likely to be on. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: 'ext4', 0x58465342: 'xfs', 0x9123683e: 'btrfs', 0x01021994: 'tmpfs', 0x794c7630: 'overlayfs', 0x6969: 'nfs',
  0x2fc12fc1: 'zfs', 0x1a: 'apfs',
};

export function environment(): Environment {
  const { type } = statfsSync(tmpdir());
  return {
    commit: commit(),
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()}`,
    fileSystem: `${FILE_SYSTEMS[type] ?? `type 0x${type.toString(16)}`} at ${tmpdir()}`,
    load: loadavg()[0] ?? 0,
  };
}

/** Results are no change: this run may be writing them. */
function commit(): string {
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', ':/', ':(exclude,top)bench/results') === '' ? '' : ' with changes');
  } catch {
    return 'unknown (no git here)';
  }
}
