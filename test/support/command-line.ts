/** The command `lastword` as a user runs it: in a pipe, or in a terminal of so many columns. */
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { mutantPackage, type Patch } from './mutants.js';
import { within } from './steps.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** Nothing of whoever runs the tests says how it looks. */
const ENVIRONMENT = { PATH: process.env['PATH'], HOME: process.env['HOME'], TERM: 'xterm-256color', TZ: 'Asia/Tokyo' };

export interface Ran { readonly status: number | null; readonly stdout: string; readonly stderr: string }

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  /** Of a mutant. */
  readonly main?: string;
}

/** In pipes. */
export function lastword(args: readonly string[], { env, main = MAIN, uid, ...options }: RunOptions = {}): Ran {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [main, ...args], {
    ...options, ...(uid === undefined ? {} : { uid, gid: uid }), encoding: 'utf8', env: { ...ENVIRONMENT, ...env }, maxBuffer: 1 << 28, timeout: 60_000,
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** What --json prints. */
export function lastwordJson<T>(args: readonly string[], options: RunOptions = {}): T[] {
  return lastword([...args, '--json'], options).stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line) as T);
}

/** Started, and ended with the test at the latest. */
export function startLastword(args: readonly string[], main = MAIN): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: ENVIRONMENT });
  onTestFinished(() => { child.kill('SIGKILL'); });
  return child;
}

/** Whether a pseudo-terminal can be had: `script` of util-linux, and `stty`. */
export function hasTerminal(): boolean {
  return process.platform === 'linux' && spawnSync('script', ['--version']).status === 0 && spawnSync('stty', ['--version']).status === 0;
}

/** In a terminal, where standard output and error are one. Line ends are those of a pipe. */
export function lastwordInTerminal(args: readonly string[], { columns, env }: { readonly columns: number; readonly env?: NodeJS.ProcessEnv }): { status: number | null; output: string } {
  const { status, stdout } = spawnSync('script', inTerminal(args, columns), {
    encoding: 'utf8', env: { ...ENVIRONMENT, ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000,
  });
  return { status, output: stdout.replaceAll('\r\n', '\n') };
}

/** In a terminal, at which Ctrl-C is pressed once `text` is there. */
export async function interruptedInTerminal(args: readonly string[], text: string, main = MAIN): Promise<{ status: unknown; output: string }> {
  const child = spawn('script', inTerminal(args, 80, main), { env: ENVIRONMENT, stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => { child.kill('SIGKILL'); });
  const ended = once(child, 'exit');
  let output = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    const before = output.includes(text);
    output += chunk as string;
    if (!before && output.includes(text)) child.stdin.write('\u0003');
  }
  const [status] = await within(ended, 'the end of the terminal') as unknown[];
  return { status, output };
}

function inTerminal(args: readonly string[], columns: number, main = MAIN): string[] {
  const quoted = [process.execPath, main, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return ['-qec', `stty cols ${columns} rows 40; exec ${quoted}`, '/dev/null'];
}

/** The command with a patch of the built text. */
export function mutantCommand(...patches: Patch[]): string {
  return fileURLToPath(new URL('cli/main.js', mutantPackage(...patches).lastwordUrl));
}
