import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { releaseProxy, wrap, type Remote } from 'comlink';
import { fromWireError, LastwordError } from '../errors.js';
import { PendingCalls } from './pending-calls.js';
import type { Reply, WriterControl, WriterData, WriterEvent } from './protocol.js';

const START_TIMEOUT_MS = 30_000;
/** How long a writer that has said its last word may take to end by itself. */
const END_TIMEOUT_MS = 5_000;

export interface WriterListener {
  readonly onEvent: (event: WriterEvent) => void;
  /** The writer ended though nobody asked it to. */
  readonly onDeath: (error: LastwordError) => void;
}

/** The writer's worker, seen from main: starts it, talks to it, watches its exit. */
export class WriterHandle {
  readonly #worker: Worker;
  readonly #control: Remote<WriterControl>;
  readonly #calls = new PendingCalls();
  readonly #exited: Promise<number>;
  #holds = 0;
  #isEnding = false;
  /** Commands sent, for stats(). */
  commands = 0;

  private constructor(worker: Worker, port: MessagePort, listener: WriterListener) {
    this.#worker = worker;
    this.#control = wrap<WriterControl>(port);
    // Comlink's listener refs the port; an idle sidecar must not keep the process alive. hold() refs the worker.
    port.unref();
    worker.unref();
    let cause: unknown;
    worker.on('error', (error: unknown) => { cause = error; });
    worker.on('message', listener.onEvent);
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (exitCode) => {
        // First, so that whoever ends the writer hears of its exit before its calls fail.
        resolve(exitCode);
        const error = new LastwordError('LASTWORD_WRITER_EXITED', `the writer ended with code ${exitCode}`, { exitCode }, { cause });
        this.#calls.failAll(error);
        port.close();
        if (!this.#isEnding) listener.onDeath(error);
      });
    });
  }

  /** Starts the writer and waits until it says that it is ready. @throws LASTWORD_WRITER_EXITED, LASTWORD_TIMEOUT */
  static async start(url: URL, data: Omit<WriterData, 'control'>, listener: WriterListener): Promise<WriterHandle> {
    const { port1, port2 } = new MessageChannel();
    // Nothing of the host's flags or environment: a --require of its own must not run in the writer.
    const worker = new Worker(url, { workerData: { ...data, control: port2 }, transferList: [port2], execArgv: [], env: {}, name: 'lastword-writer' });
    let sayReady: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => { sayReady = resolve; });
    const handle = new WriterHandle(worker, port1, {
      ...listener,
      onEvent: (event) => {
        if (event.event === 'ready') sayReady();
        else listener.onEvent(event);
      },
    });
    const release = handle.hold();
    try {
      await handle.#calls.track(ready, START_TIMEOUT_MS, 'its start');
    } finally {
      release();
    }
    return handle;
  }

  /** Sends a command and waits for the answer, at most `deadlineMs`. Rejects with the error the writer answered. */
  async call<T>(what: string, deadlineMs: number, send: (control: Remote<WriterControl>) => Promise<Reply<T>>): Promise<T> {
    const release = this.hold();
    this.commands += 1;
    try {
      const reply = await this.#calls.track(send(this.#control), deadlineMs, what);
      if (reply.ok) return reply.value;
      throw fromWireError(reply.error);
    } finally {
      release();
    }
  }

  /** Keeps the process alive until the returned function is called. */
  hold(): () => void {
    this.#holds += 1;
    if (this.#holds === 1) this.#worker.ref();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds -= 1;
      if (this.#holds === 0) this.#worker.unref();
    };
  }

  /** Ends a writer that holds nothing yet, whatever it is in. */
  async terminate(): Promise<void> {
    this.#isEnding = true;
    await this.#worker.terminate();
  }

  /** Asks the writer to end, and waits until it has. Its exit is an answer too: it may come before the other one. */
  async end(deadlineMs: number): Promise<void> {
    const release = this.hold();
    this.#isEnding = true;
    try {
      await Promise.race([this.call('shutdown', deadlineMs, (control) => control.shutdown()), this.#exited]);
      this.#control[releaseProxy]();
      let timer: NodeJS.Timeout | undefined;
      const expired = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => { resolve(undefined); }, END_TIMEOUT_MS);
      });
      if ((await Promise.race([this.#exited, expired])) === undefined) await this.#worker.terminate();
      clearTimeout(timer);
    } finally {
      release();
    }
  }
}
