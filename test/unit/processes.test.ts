/** Whether a process lives, asked of the real ones. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseStat, systemProcesses } from '../../worker/lease/processes.js';
import { mutantWriter } from '../support/mutants.js';
import { until } from '../support/sidecars.js';

const stateOf = (pid: number): string | undefined => /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
const startOf = (pid: number): string => parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1')).start;

/** A process that ends with the test. */
function child(command: string, ...args: string[]): ChildProcess & { pid: number } {
  const started = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] });
  const ended = once(started, 'exit');
  onTestFinished(async () => {
    started.kill('SIGKILL');
    await ended;
  });
  return started as typeof started & { pid: number };
}

describe('a process', () => {
  test('is alive while it runs and while it is stopped, and dead once it has ended', async () => {
    const cat = child('cat');
    const identity = { pid: cat.pid, start: startOf(cat.pid) };
    expect(systemProcesses.isAlive(identity)).toBe(true);
    cat.kill('SIGSTOP');
    await until(() => stateOf(cat.pid) === 'T', 'the stop');
    expect(systemProcesses.isAlive(identity)).toBe(true);
    cat.kill('SIGKILL');
    await once(cat, 'exit');
    expect(systemProcesses.isAlive(identity)).toBe(false);
  });

  test('that has another start time is another one under the same number', () => {
    const { pid, start } = systemProcesses.self();
    expect(start).toMatch(/^\d+$/);
    expect(systemProcesses.isAlive({ pid, start })).toBe(true);
    expect(systemProcesses.isAlive({ pid, start: `${Number(start) - 1}` })).toBe(false);
  });

  test('that has ended, and that its parent has not asked after, is dead', async () => {
    const parent = child('sh', '-c', 'cat <&3 & echo $!; exec 3<&-; exec cat');
    const said = async (): Promise<string> => ((await once(parent.stdout as NodeJS.ReadableStream, 'data')) as [Buffer])[0].toString();
    const pid = Number(await said());
    const start = startOf(pid);
    // What answers is no shell any more, which would ask after its children.
    const answer = said();
    parent.stdin?.write('?');
    expect(await answer).toBe('?');
    (parent.stdio[3] as NodeJS.WritableStream).end();
    await until(() => stateOf(pid) === 'Z', 'the end of the child');
    expect(systemProcesses.isAlive({ pid, start })).toBe(false);
  });

  test.each([
    ['S', 11, false], ['T', 1, false], ['D', 1, false], ['Z', 1, true], ['X', 1, true], ['Z', 2, false],
  ])('in state %s with %d threads: that it is dead is %s, for a zombie\'s threads may still write', (state, threads, isDead) => {
    const fields = [state, ...Array.from({ length: 16 }, () => '0'), String(threads), '0', '12345', '0'];
    expect(parseStat(`77 (a ) Z 1 (name) ${fields.join(' ')}\n`)).toEqual({ isDead, start: '12345' });
  });

  test('the control: without the start time a number that is used again keeps the lease of a dead process', async () => {
    const writer = mutantWriter({ file: 'worker/lease/processes.js', find: "(start === '' || stat.start === start)", replace: 'true' });
    const { systemProcesses: mutant } = await import(new URL('lease/processes.js', writer).href) as { systemProcesses: typeof systemProcesses };
    expect(mutant.isAlive({ pid: process.pid, start: '1' })).toBe(true);
  });
});
