/** Processes that race for a thread (racer.mjs), and the races. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from './sidecars.js';

const SCRIPT = fileURLToPath(new URL('racer.mjs', import.meta.url));
const ANSWER_LIMIT_MS = 60_000;
/** Time in which a command reaches its process. */
const LEAD_US = 2_000;

type Child = ChildProcessByStdio<Writable, Readable, null>;

export type Command =
  | { readonly command: 'create' | 'resume'; readonly id: string }
  | { readonly command: 'append'; readonly item: object }
  | { readonly command: 'close' };

export interface Answer {
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly context?: { readonly threadId?: string; readonly path?: string; readonly owner?: { readonly pid: number; readonly host: string; readonly since: string } };
}

/** A process with a sidecar over the directory. It ends with the test. */
export class Racer {
  readonly #child: Child;
  readonly #exited: Promise<unknown>;
  readonly #waiting: ((answer: Answer) => void)[] = [];

  private constructor(child: Child) {
    this.#child = child;
    this.#exited = once(child, 'exit');
    createInterface({ input: child.stdout }).on('line', (line) => { this.#waiting.shift()?.(JSON.parse(line) as Answer); });
  }

  /** `lastwordUrl`: of a package that is wrong on purpose. */
  static async start(directory: string, lastwordUrl = 'lastword'): Promise<Racer> {
    const racer = new Racer(spawn(process.execPath, [SCRIPT, lastwordUrl, directory], { stdio: ['pipe', 'pipe', 'inherit'] }));
    onTestFinished(() => racer.kill());
    await racer.#answer('start');
    return racer;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  do(command: Command, atUs?: number): Promise<Answer> {
    const answer = this.#answer(command.command);
    this.#child.stdin.write(`${JSON.stringify({ ...command, atUs })}\n`);
    return answer;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGSTOP');
    await until(() => /\) T /.test(readFileSync(`/proc/${this.pid}/stat`, 'latin1')), `the stop of process ${this.pid}`);
  }

  continue(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  async #answer(what: string): Promise<Answer> {
    let cancel: (() => void) | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error(`process ${this.pid} did not answer to ${what} in ${ANSWER_LIMIT_MS} ms`)); }, ANSWER_LIMIT_MS);
      cancel = () => { clearTimeout(timer); };
    });
    try {
      return await Promise.race([new Promise<Answer>((resolve) => { this.#waiting.push(resolve); }), late]);
    } finally {
      cancel?.();
    }
  }
}

/** Both begin it at one moment, the second so many µs later. */
export function race(racers: readonly Racer[], command: Command, offsetUs: number): Promise<Answer[]> {
  const atUs = (performance.timeOrigin + performance.now()) * 1000 + LEAD_US;
  return Promise.all(racers.map((racer, place) => racer.do(command, atUs + place * offsetUs)));
}
