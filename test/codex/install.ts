/** The codex binary: found in a cache folder that git does not see, or installed there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/source.js';

export const CODEX_VERSION = '0.169.0';

/** The binary, or what this machine lacks for running it. */
export type Codex = { readonly binary: string } | { readonly lacking: string };

/** npm fetches some 400 MB. */
const INSTALL_LIMIT_MS = 300_000;
const PROBE_LIMIT_MS = 10_000;

/** Namespaces without a network in which all processes end with the first one. */
export const ISOLATED = ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

/** By Node's name of the architecture: the package's, and that of its folder. */
const BUILDS: Partial<Record<string, { name: string; triple: string }>> = {
  x64: { name: 'codex-linux-x64', triple: 'x86_64-unknown-linux-musl' },
  arm64: { name: 'codex-linux-arm64', triple: 'aarch64-unknown-linux-musl' },
};

/** Installs the binary unless it is there. What cannot be had is an answer, not an error. */
export function findCodex(): Codex {
  const build = process.platform === 'linux' ? BUILDS[process.arch] : undefined;
  if (build === undefined) return { lacking: `no codex binary for ${process.platform} on ${process.arch} is known here` };
  const [unshare, ...flags] = ISOLATED;
  const probe = spawnSync(unshare, [...flags, 'ip', 'link', 'set', 'lo', 'up'], { encoding: 'utf8', timeout: PROBE_LIMIT_MS });
  if (probe.status !== 0) return { lacking: `no network namespace, which takes root, unshare and ip: ${why(probe)}` };

  const folder = join(ROOT, 'node_modules/.cache/lastword-codex', CODEX_VERSION);
  const binary = join(folder, 'node_modules/@openai', build.name, 'vendor', build.triple, 'bin/codex');
  // npm writes this file last: with it, the binary beside it is whole.
  const installed = join(folder, 'node_modules/.package-lock.json');
  if (existsSync(installed) && existsSync(binary)) return { binary };
  mkdirSync(folder, { recursive: true });
  const args = ['install', '--no-save', '--ignore-scripts', '--fetch-retries=1', '--prefix', folder, `@openai/codex@${CODEX_VERSION}`];
  const npm = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: INSTALL_LIMIT_MS });
  if (npm.status !== 0) return { lacking: `the binary cannot be installed: ${why(npm)}` };
  return existsSync(binary) ? { binary } : { lacking: 'the binary is not where its package had it' };
}

/** Why a process failed, in one line. */
function why({ error, stderr }: { error?: Error; stderr: string | null }): string {
  return error?.message ?? stderr?.split('\n').find((line) => line !== '' && !line.startsWith('npm warn')) ?? 'it was ended';
}
