/** Workers of a host, and what they are told. */
import { Worker, type MessagePort } from 'node:worker_threads';
import type { attachProducer, Producer, ProducerPort, Sidecar, Thread } from 'lastword';
import { onTestFinished } from 'vitest';
import { deferred, within } from '../steps.js';

export interface State {
  readonly attachProducer: typeof attachProducer;
  producer: Producer;
  readonly threads: Thread[];
  [kept: string]: unknown;
}
type Order<Given, Value> = (state: State, given: Given) => Value | Promise<Value>;

/** What a worker answered with in place of a value. */
export interface Refusal { readonly code?: string; readonly message: string; readonly context?: { readonly [member: string]: unknown } }

export class HostWorker {
  readonly worker: Worker;
  readonly exited: Promise<number>;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #last = 0;

  private constructor(lastwordUrl: string | undefined) {
    this.worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: { lastwordUrl } });
    this.worker.on('error', () => undefined);
    this.exited = new Promise((resolve) => { this.worker.once('exit', resolve); });
    this.worker.on('message', ({ order, value, error }: { order: number; value?: unknown; error?: Refusal }) => {
      const pending = this.#pending.get(order);
      this.#pending.delete(order);
      if (error === undefined) pending?.resolve(value);
      else pending?.reject(Object.assign(new Error(error.message), error));
    });
  }

  /** `lastwordUrl`: another copy of the library. */
  static async start(lastwordUrl?: string): Promise<HostWorker> {
    const started = new HostWorker(lastwordUrl);
    const { promise, resolve } = deferred<unknown>();
    started.#pending.set(0, { resolve, reject: () => undefined });
    onTestFinished(async () => { await started.worker.terminate(); });
    await within(promise, 'the start of a worker');
    return started;
  }

  /** Attached to the sidecar. */
  static async attached(sidecar: Sidecar): Promise<HostWorker> {
    const started = await HostWorker.start();
    await started.attach(sidecar.createProducerPort());
    return started;
  }

  async attach(port: ProducerPort): Promise<void> {
    await this.tell(async (state, given) => { state.producer = await state.attachProducer(given); }, port, [port.port]);
  }

  /** Tells it to do something, and waits for the answer. The function must not use anything from outside. */
  tell<Value>(act: Order<undefined, Value>): Promise<Value>;
  tell<Given, Value>(act: Order<Given, Value>, given: Given, transfer?: readonly MessagePort[]): Promise<Value>;
  async tell<Given, Value>(act: Order<Given, Value>, given?: Given, transfer: readonly MessagePort[] = []): Promise<Value> {
    return within(this.told(act as Order<Given | undefined, Value>, given, transfer), 'the answer of a worker');
  }

  /** The same, for what may not be answered. */
  told<Given, Value>(act: Order<Given, Value>, given: Given, transfer: readonly MessagePort[] = []): Promise<Value> {
    this.#last += 1;
    const { promise, resolve } = deferred<unknown>();
    const rejected = deferred<Error>();
    this.#pending.set(this.#last, { resolve, reject: rejected.resolve });
    this.worker.postMessage({ order: this.#last, text: act.toString(), given }, [...transfer]);
    return Promise.race([promise as Promise<Value>, rejected.promise.then((error) => { throw error; })]);
  }
}
