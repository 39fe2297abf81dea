import type { LastwordError } from '../errors.js';
import { PendingCalls } from './pending-calls.js';
import type { Reply, WriterControl } from './protocol.js';
import type { Peer } from './writer-link.js';

/** Nothing is done when it ends: it only keeps the process alive. */
const HELD_MS = 2 ** 31 - 1;

/** This thread in the writer's place. */
export class StandbyPeer implements Peer {
  readonly #control: WriterControl;
  readonly #calls = new PendingCalls();
  #holding: NodeJS.Timeout | undefined;

  constructor(control: WriterControl) {
    this.#control = control;
  }

  call<T>(what: string, deadlineMs: number, send: (control: WriterControl) => Promise<Reply<T>>): Promise<Reply<T>> {
    return this.#calls.track(send(this.#control), deadlineMs, what);
  }

  hold(isHeld: boolean): void {
    clearInterval(this.#holding);
    this.#holding = isHeld ? setInterval(() => undefined, HELD_MS) : undefined;
  }

  async end(deadlineMs: number): Promise<void> {
    await this.call('shutdown', deadlineMs, (control) => control.shutdown());
  }

  /** It cannot write either. */
  fail(error: LastwordError): void {
    this.#calls.failAll(error);
  }
}
