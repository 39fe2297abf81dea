import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import { releaseProxy, wrap, type Remote } from 'comlink';
import { LastwordError } from '../errors.js';
import { PendingCalls } from './pending-calls.js';
import type { Reply, SalvageReport, WriterControl, WriterData, WriterEvent } from './protocol.js';

const START_TIMEOUT_MS = 30_000;
/** How long a writer that has said its last word may take to end by itself. */
const END_TIMEOUT_MS = 5_000;

export interface WriterListener {
  readonly onEvent: (event: WriterEvent) => void;
  /** The writer ended though nobody asked it to. */
  readonly onDeath: (error: LastwordError) => void;
}

/** One writer's worker, seen from main: starts it, talks to it, watches its exit. */
export class WriterHandle {
  readonly #worker: Worker;
  readonly #control: Remote<WriterControl>;
  readonly #calls = new PendingCalls();
  /** Nobody listens: it is read at the end of the process. */
  readonly #reports: MessagePort;
  /** Items that a dead writer had not written, once the writer is ready. Rejects where it does not get there. */
  readonly ready: Promise<number>;
  readonly exited: Promise<number>;
  #isEnding = false;

  /** Starts it: commands may be sent at once. It runs whether or not this thread's event loop does. @throws what `new Worker` throws */
  constructor(url: URL, data: Omit<WriterData, 'control' | 'reports'>, listener: WriterListener) {
    const { port1, port2 } = new MessageChannel();
    const { port1: ownReports, port2: reports } = new MessageChannel();
    this.#reports = ownReports;
    // Nothing of the host's flags or environment: a --require of its own must not run in the writer.
    const workerData = { ...data, control: port2, reports };
    this.#worker = new Worker(url, { workerData, transferList: [port2, reports], execArgv: [], env: {}, name: 'lastword-writer' });
    this.#control = wrap<WriterControl>(port1);
    // Comlink's listener refs the port; an idle sidecar must not keep the process alive.
    port1.unref();
    this.#worker.unref();
    let sayReady: (replayed: number) => void = () => undefined;
    const ready = new Promise<number>((resolve) => { sayReady = resolve; });
    this.#worker.on('message', (event: WriterEvent) => {
      if (event.event === 'ready') sayReady(event.replayed);
      else listener.onEvent(event);
    });
    this.exited = this.#watch(port1, listener);
    this.ready = this.#calls.track(ready, START_TIMEOUT_MS, 'its start');
    // Whoever starts it awaits it; a successor that dies is replaced.
    this.ready.catch(() => undefined);
  }

  #watch(port: MessagePort, { onDeath }: WriterListener): Promise<number> {
    let cause: unknown;
    this.#worker.on('error', (error: unknown) => { cause = error; });
    return new Promise((resolve) => {
      this.#worker.once('exit', (exitCode) => {
        // First, so that whoever ends the writer hears of its exit before its calls fail.
        resolve(exitCode);
        const error = new LastwordError('LASTWORD_WRITER_EXITED', `the writer ended with code ${exitCode}`, { exitCode }, { cause });
        if (!this.#isEnding) onDeath(error);
        this.#calls.failAll(error);
        port.close();
        this.#reports.close();
      });
    });
  }

  /** Sends a command and waits for the answer, at most `deadlineMs`. @throws LASTWORD_TIMEOUT, LASTWORD_WRITER_EXITED */
  call<T>(what: string, deadlineMs: number, send: (control: WriterControl) => Promise<Reply<T>>): Promise<Reply<T>> {
    return this.#calls.track(send(this.#control as unknown as WriterControl), deadlineMs, what);
  }

  /** What came since the last call. For a thread that blocks, and hears of no message. */
  takeReports(): SalvageReport[] {
    const reports: SalvageReport[] = [];
    for (;;) {
      const received = receiveMessageOnPort(this.#reports);
      if (received === undefined) return reports;
      reports.push(received.message as SalvageReport);
    }
  }

  /** Whether it keeps the process alive. */
  hold(isHeld: boolean): void {
    if (isHeld) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Ends a writer that holds nothing yet, whatever it is in. */
  async terminate(): Promise<void> {
    this.#isEnding = true;
    await this.#worker.terminate();
  }

  /** Asks the writer to end, and waits until it has. Its exit is an answer too: it may come before the other one. */
  async end(deadlineMs: number): Promise<void> {
    this.#isEnding = true;
    await Promise.race([this.call('shutdown', deadlineMs, (control) => control.shutdown()), this.exited]);
    this.#control[releaseProxy]();
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => { resolve(undefined); }, END_TIMEOUT_MS);
    });
    if ((await Promise.race([this.exited, expired])) === undefined) await this.#worker.terminate();
    clearTimeout(timer);
  }
}
