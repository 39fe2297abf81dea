/** Threads that read files beside the writer: started at the first task, ended when idle. */
import type { Piscina } from 'piscina';
import type { Reply } from '../control/protocol.js';
import { fromWireError, LastwordError } from '../errors.js';
import { tasksFolder } from '../worker-files.js';
import type { FileTask, FileTasks } from './tasks.js';

const IDLE_MS = 10_000;
const THREADS_DEFAULT = 2;

export interface FilePoolOptions {
  /** Threads at most. */
  readonly threads?: number;
  /** The folder of the tasks' modules; asked for when there is a first task. */
  readonly tasks?: () => URL;
}

export class FilePool {
  readonly #threads: number;
  readonly #tasks: () => URL;
  #folder: URL | undefined;
  #pool: Promise<Piscina> | undefined;
  #isClosed = false;

  constructor({ threads = THREADS_DEFAULT, tasks = tasksFolder }: FilePoolOptions = {}) {
    this.#threads = threads;
    this.#tasks = tasks;
  }

  /**
   * Runs the task on one of the threads; pending, it keeps the process alive, as an idle pool does not. An abort ends the
   * thread that has it. @throws what the task throws, the signal's reason, LASTWORD_NOT_OPEN (closed before or meanwhile)
   */
  async run<T extends FileTask>(task: T, input: FileTasks[T]['input'], signal?: AbortSignal): Promise<FileTasks[T]['output']> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw poolClosed();
    try {
      const pool = await (this.#pool ??= this.#start());
      // Looked for once: that asks the file system.
      const { href } = new URL(`${task as string}.js`, this.#folder ??= this.#tasks());
      const reply = await pool.run(input, { filename: href, signal: signal ?? null }) as Reply<FileTasks[T]['output']>;
      if (reply.ok) return reply.value;
      throw fromWireError(reply.error);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#isClosed ? poolClosed() : error;
    }
  }

  /** Ends the threads, whatever they are at. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await (await this.#pool)?.destroy();
  }

  async #start(): Promise<Piscina> {
    // Loading it takes longer than most tasks: only for those who need it.
    const piscina = await import('piscina');
    const pool = new piscina.Piscina({
      minThreads: 0, maxThreads: this.#threads, idleTimeout: IDLE_MS,
      // Nothing of the host's flags or environment: a --require of its own must not run here.
      execArgv: [], env: {},
    });
    // A thread that cannot be started, or dies, fails its task too.
    pool.on('error', () => undefined);
    return pool;
  }
}

function poolClosed(): LastwordError {
  return new LastwordError('LASTWORD_NOT_OPEN', 'the sidecar is closed');
}
