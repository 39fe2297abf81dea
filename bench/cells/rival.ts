import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contender } from '../peers/contender.js';
import type { CellLoad, LoopFigures, Run } from './entrant.js';

export type Request =
  | { readonly what: 'open' } | { readonly what: 'run'; readonly items: number }
  | { readonly what: 'loop'; readonly ms: number } | { readonly what: 'latencies'; readonly samples: number } | { readonly what: 'close' };
export type Answer = { readonly value: unknown } | { readonly unavailable: string } | { readonly failed: string };

const CHILD = fileURLToPath(new URL('child.js', import.meta.url));
/** Nobody's part takes a tenth of it; a contender that does not come back is named. */
const ANSWER_MS_MAX = 120_000;

/** A contender in a process of its own, so that its memory, CPU time and event loop are its own. Idle unless it was asked for something. */
export class Rival {
  readonly contender: Contender;
  readonly #child: ChildProcess;
  readonly #directory: string;
  /** Why it does not take part. */
  unavailable: string | undefined;

  private constructor(contender: Contender, child: ChildProcess, directory: string) {
    this.contender = contender;
    this.#child = child;
    this.#directory = directory;
  }

  /** Opened, or with `unavailable` set. */
  static async open(contender: Contender, directory: string, load: CellLoad): Promise<Rival> {
    mkdirSync(directory);
    const child = fork(CHILD, [contender.name, directory, JSON.stringify(load)], {
      serialization: 'advanced', execArgv: ['--disable-warning=ExperimentalWarning'],   // node:sqlite's
    });
    const rival = new Rival(contender, child, directory);
    const answer = await rival.#ask({ what: 'open' }).catch((error: unknown) => {
      child.kill();
      throw error;
    });
    if ('unavailable' in answer) {
      rival.unavailable = answer.unavailable;
      await rival.#end();
    }
    return rival;
  }

  get name(): string {
    return this.contender.name;
  }

  run(items: number): Promise<Run> {
    return this.#valueOf({ what: 'run', items }) as Promise<Run>;
  }

  loop(ms: number): Promise<LoopFigures> {
    return this.#valueOf({ what: 'loop', ms }) as Promise<LoopFigures>;
  }

  latencies(samples: number): Promise<number[]> {
    return this.#valueOf({ what: 'latencies', samples }) as Promise<number[]>;
  }

  async close(): Promise<void> {
    if (this.unavailable !== undefined) return;
    this.#child.send({ what: 'close' });
    await this.#end();
  }

  async #end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      if (this.unavailable !== undefined) this.#child.kill();
      await exited;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #valueOf(request: Request): Promise<unknown> {
    const answer = await this.#ask(request);
    if ('value' in answer) return answer.value;
    throw new Error(`${this.name}: ${'unavailable' in answer ? answer.unavailable : answer.failed}`);
  }

  #ask(request: Request): Promise<Answer> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        child.off('message', answered).off('exit', exited);
        act();
      };
      const answered = (answer: Answer): void => {
        settle(() => ('failed' in answer ? reject(new Error(`${this.name}: ${answer.failed}`)) : resolve(answer)));
      };
      const exited = (code: number | null, signal: string | null): void => {
        settle(() => reject(new Error(`${this.name}: its process ended with ${signal ?? code}`)));
      };
      const timer = setTimeout(() => {
        settle(() => reject(new Error(`${this.name}: '${request.what}' did not end in ${ANSWER_MS_MAX} ms`)));
        child.kill('SIGKILL');
      }, ANSWER_MS_MAX);
      child.on('message', answered).on('exit', exited);
      child.send(request);
    });
  }
}

/** Opens all of them, at once; calls `body`; closes them. */
export async function withRivals<T>(contenders: readonly Contender[], directory: string, load: CellLoad, body: (rivals: Rival[]) => Promise<T>): Promise<T> {
  const opened = await Promise.allSettled(contenders.map((contender, index) => Rival.open(contender, join(directory, String(index)), load)));
  const rivals = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  try {
    for (const each of opened) if (each.status === 'rejected') throw each.reason;
    return await body(rivals);
  } finally {
    for (const rival of rivals) await rival.close();
  }
}
