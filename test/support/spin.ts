/** Runs SPIN on the models of `test/models`: all their states, with definitions, within a time. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MODELS = new URL('../models/', import.meta.url);
const MEMORY_MAX_MIB = 4_000;
const DEPTH_MAX = 1_000_000;

export interface Verdict {
  readonly states: number;
  /** What went wrong first; undefined when nothing did in any state. */
  readonly error: string | undefined;
  readonly seconds: number;
}

export const hasSpin = ['spin', 'gcc'].every((tool) => spawnSync(tool, ['--version']).error === undefined);

/** `isLong`: it has some millions of states. @throws when the model is none, or its states are not exhausted in time and memory */
export async function check(model: string, definitions: readonly string[], timeoutMs: number, isLong = false): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'lastword-spin-'));
  try {
    const run = promisify(execFile);
    const flags = definitions.map((definition) => `-D${definition}`);
    await run('spin', [...flags, '-a', fileURLToPath(new URL(`${model}.pml`, MODELS))], { cwd: folder });
    // Compiling well costs more than a short search.
    const search = [isLong ? '-O2' : '-O0', '-w', '-DSAFETY', '-DCOLLAPSE', '-DVECTORSZ=2048', `-DMEMLIM=${MEMORY_MAX_MIB}`];
    await run('gcc', [...search, '-o', 'pan', 'pan.c'], { cwd: folder });
    const beganMs = performance.now();
    const { stdout } = await run('./pan', [`-m${DEPTH_MAX}`, `-w${isLong ? 22 : 20}`], { cwd: folder, timeout: timeoutMs, killSignal: 'SIGKILL' });
    const seconds = (performance.now() - beganMs) / 1000;
    const states = Number(/(\d+) states, stored/.exec(stdout)?.[1]);
    const error = /^pan:1: (.*?)(?: \(at depth .*)?$/m.exec(stdout)?.[1];
    const isWhole = /errors: \d/.test(stdout) && !stdout.includes('max search depth too small') && !stdout.includes('Search not completed');
    if (error === undefined && !isWhole) throw new Error(`${model} ${flags.join(' ')}: not exhausted\n${stdout.slice(0, 2_000)}`);
    return { states, error, seconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
