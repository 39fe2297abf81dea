import { LastwordError } from '../errors.js';

/**
 * Every call to the writer, so that none waits for ever: Comlink never settles a call whose peer has died. The deadline
 * or the writer's exit settles it.
 */
export class PendingCalls {
  /** Who does not answer. */
  readonly #peer: string;
  readonly #fail = new Set<(error: LastwordError) => void>();
  #exited: LastwordError | undefined;

  constructor(peer = 'the writer') {
    this.#peer = peer;
  }

  get size(): number {
    return this.#fail.size;
  }

  /** The reply, or LASTWORD_TIMEOUT, or LASTWORD_WRITER_EXITED. `what` names the call. */
  track<T>(reply: Promise<T>, deadlineMs: number, what: string): Promise<T> {
    if (this.#exited !== undefined) return Promise.reject(this.#exited);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#fail.delete(fail);
        act();
      };
      const fail = (error: LastwordError): void => {
        settle(() => { reject(error); });
      };
      const timer = setTimeout(() => {
        fail(new LastwordError('LASTWORD_TIMEOUT', `${this.#peer} did not answer ${what} in ${deadlineMs} ms`, { call: what, timeoutMs: deadlineMs }));
      }, deadlineMs);
      this.#fail.add(fail);
      reply.then(
        (value) => { settle(() => { resolve(value); }); },
        (error: unknown) => { settle(() => { reject(error); }); },
      );
    });
  }

  /** Called once, when the writer has ended. */
  failAll(error: LastwordError): void {
    this.#exited ??= error;
    for (const fail of [...this.#fail]) fail(error);
  }
}
