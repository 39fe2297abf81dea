import type { MessagePort } from 'node:worker_threads';
import { wrap, type Remote } from 'comlink';
import { fromWireError, LastwordError } from '../errors.js';
import { VERSION } from '../version.js';
import { PendingCalls } from './pending-calls.js';
import type { Answer, Hello, ProducerControl, ProducerEvent } from './producer-protocol.js';
import type { Reply } from './protocol.js';

const HANDSHAKE_TIMEOUT_MS = 30_000;

/**
 * Over the port that the host handed over, which is closed then. @throws LASTWORD_NOT_OPEN (the port is closed),
 * LASTWORD_TIMEOUT, what the sidecar refuses with
 */
export async function shakeHands(port: MessagePort, hello: Pick<Hello, 'hasRedact' | 'attached'>): Promise<Exclude<Answer, { refused: unknown }>> {
  const nonce = Math.random();
  const calls = new PendingCalls('the sidecar');
  const answered = new Promise<Answer>((resolve) => {
    port.on('message', (answer: Partial<Answer> | null) => {
      if (answer?.lastword !== 'answer') return;
      if (answer.nonce === nonce) resolve(answer as Answer);
      // Of a thread that has given the port away.
      else if ('welcome' in answer) answer.welcome?.control.close();
    });
  });
  port.once('close', () => { calls.failAll(portClosed()); });
  try {
    // It was closed before anybody listened: no event comes.
    if (!isOpen(port)) throw portClosed();
    port.postMessage({ lastword: 'hello', version: VERSION, nonce, ...hello } satisfies Hello);
    const answer = await calls.track(answered, HANDSHAKE_TIMEOUT_MS, 'a producer that attaches');
    if ('refused' in answer) throw fromWireError(answer.refused);
    return answer;
  } finally {
    port.close();
  }
}

function portClosed(): LastwordError {
  return new LastwordError('LASTWORD_NOT_OPEN', 'the port is closed: the sidecar is, or another thread has taken it');
}

/** One that is closed, or was given away, cannot be held. */
function isOpen(port: MessagePort): boolean {
  port.ref();
  // Its declarations lack it.
  return (port as MessagePort & { hasRef(): boolean }).hasRef();
}

/** The sidecar, seen from a producer in another JavaScript thread. */
export class ProducerLink {
  readonly #port: MessagePort;
  readonly #control: Remote<ProducerControl>;
  readonly #calls = new PendingCalls('the sidecar');
  #holds = 0;

  constructor(port: MessagePort, { onEvent, onClosed }: { onEvent: (event: ProducerEvent) => void; onClosed: () => void }) {
    this.#port = port;
    this.#control = wrap<ProducerControl>(port);
    // Comlink listens too: what has an id is an answer.
    port.on('message', (message: Partial<ProducerEvent>) => {
      if (message.event !== undefined) onEvent(message as ProducerEvent);
    });
    port.once('close', () => {
      this.#calls.failAll(new LastwordError('LASTWORD_NOT_OPEN', 'the sidecar is closed'));
      onClosed();
    });
    // An idle producer must not keep its thread alive.
    port.unref();
  }

  /** @throws what the sidecar answers with, LASTWORD_NOT_OPEN, LASTWORD_TIMEOUT */
  async call<T>(what: string, deadlineMs: number, send: (control: ProducerControl) => Promise<Reply<T>>): Promise<T> {
    const release = this.hold();
    try {
      const reply = await this.#calls.track(send(this.#control as unknown as ProducerControl), deadlineMs, what);
      if (reply.ok) return reply.value;
      throw fromWireError(reply.error);
    } finally {
      release();
    }
  }

  /** Waits for no answer. */
  tell(send: (control: ProducerControl) => void): void {
    send(this.#control);
  }

  /** Keeps the thread alive until the returned function is called. */
  hold(): () => void {
    this.#holds += 1;
    if (this.#holds === 1) this.#port.ref();
    return () => {
      this.#holds -= 1;
      if (this.#holds === 0) this.#port.unref();
    };
  }

  close(): void {
    this.#port.close();
  }
}
