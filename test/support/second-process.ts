import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { within } from './steps.js';

const PROGRAM = fileURLToPath(new URL('second-process.mjs', import.meta.url));

export interface Answer { readonly value?: unknown; readonly code?: string; readonly owner?: number }

export interface SecondProcess {
  readonly pid: number;
  ask(act: 'read' | 'list' | 'resume' | 'append' | 'flush' | 'close' | 'delete', id: string): Promise<Answer>;
  /** By itself, without closing its sidecar. */
  end(): Promise<void>;
  kill(): Promise<void>;
}

/** Another process with a sidecar over the folder, until it is killed or the test is over. */
export function secondProcess(directory: string): SecondProcess {
  const child = spawn(process.execPath, [PROGRAM, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  return {
    pid: child.pid ?? 0,
    kill,
    end: async () => {
      child.stdin.end();
      await within(exited, 'the end of the second process');
    },
    ask: async (act, id) => {
      child.stdin.write(`${act} ${id}\n`);
      const { value, done } = await within(answers.next(), `the answer of the second process to ${act}`);
      if (done === true) throw new Error(`the second process ended at ${act}`);
      return JSON.parse(value) as Answer;
    },
  };
}
