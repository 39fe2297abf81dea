import type { Standby } from '../../worker/standby.js';
import { fromWireError, isLastwordError, LastwordError } from '../errors.js';
import { hasWriterExited, markWriterExited, wakeProducer } from '../ring/doorbell.js';
import { resetWriter } from '../ring/figures.js';
import type { ProducerMemory, SidecarMemory } from '../ring/memory.js';
import type { Opening, Reply, SalvageReport, WriterControl, WriterData, WriterEvent } from './protocol.js';
import { StandbyPeer } from './standby-peer.js';
import { WriterHandle } from './writer-handle.js';

/** So many deaths in so long: another writer would die too. */
const DEATHS_MAX = 3;
const DEATHS_WITHIN_MS = 10_000;

/** Who carries out commands. Each may be sent again, to a successor. */
export interface Peer {
  /** @throws LASTWORD_TIMEOUT, LASTWORD_WRITER_EXITED */
  call<T>(what: string, deadlineMs: number, send: (control: WriterControl) => Promise<Reply<T>>): Promise<Reply<T>>;
  /** Whether it keeps the process alive. */
  hold(isHeld: boolean): void;
  end(deadlineMs: number): Promise<void>;
}

export interface LinkParts {
  readonly url: URL;
  readonly data: Omit<WriterData, 'control' | 'reports' | 'predecessor'>;
  readonly directory: string;
  readonly memory: SidecarMemory;
  readonly ring: ProducerMemory;
  readonly standby: Standby;
  /** What the next writer takes over. */
  readonly openings: () => readonly Opening[];
}

export interface LinkListener {
  onEvent(event: WriterEvent): void;
  onRestart(restart: { exitCode: number; replayed: number }): void;
  /** No writer can be had: this thread writes by itself. */
  onStandby(error: LastwordError): void;
  /** And cannot do that either. */
  onLost(error: LastwordError): void;
}

/**
 * The writer as the sidecar knows it, whoever it is just now: a worker, its successor over the same memory, or, after
 * three deaths in ten seconds, this thread. Never two at once: only one that is gone has a successor.
 */
export class WriterLink {
  readonly #parts: LinkParts;
  readonly #listener: LinkListener;
  #state: 'starting' | 'running' | 'standby' | 'ending' | 'lost' = 'starting';
  #worker: WriterHandle;
  #peer: Peer;
  #holds = 0;
  /** Moments of the last deaths. */
  #deaths: number[] = [];
  #lost: LastwordError | undefined;
  /** For stats(). */
  commands = 0;
  restarts = 0;

  private constructor(parts: LinkParts, listener: LinkListener) {
    this.#parts = parts;
    this.#listener = listener;
    this.#worker = this.#newWorker(undefined);
    this.#peer = this.#worker;
  }

  /** Starts the first writer and waits until it is ready. @throws LASTWORD_WRITER_EXITED, LASTWORD_TIMEOUT */
  static async start(parts: LinkParts, listener: LinkListener): Promise<WriterLink> {
    const link = WriterLink.#begin(parts, listener);
    const release = link.hold();
    try {
      await link.#worker.ready;
      link.#state = 'running';
      return link;
    } finally {
      release();
    }
  }

  static #begin(parts: LinkParts, listener: LinkListener): WriterLink {
    try {
      return new WriterLink(parts, listener);
    } catch (cause) {
      // No thread is left, or no memory for one.
      throw new LastwordError('LASTWORD_WRITER_EXITED', 'the writer could not be started', {}, { cause });
    }
  }

  /** Sends a command, to the writer's successor again if it dies, and waits for the answer, at most `deadlineMs`. Rejects with the error that was answered. */
  async call<T>(what: string, deadlineMs: number, send: (control: WriterControl, isAgain: boolean) => Promise<Reply<T>>): Promise<T> {
    const release = this.hold();
    const deadline = performance.now() + deadlineMs;
    this.commands += 1;
    try {
      for (let isAgain = false; ; isAgain = true) {
        if (this.#lost !== undefined) throw this.#lost;
        const peer = this.#peer;
        const reply = await peer.call(what, Math.max(1, deadline - performance.now()), (control) => send(control, isAgain)).catch((error: unknown) => {
          if (!isExit(error) || peer === this.#peer) throw error;
          return undefined;
        });
        if (reply?.ok === true) return reply.value;
        if (reply !== undefined) throw fromWireError(reply.error);
      }
    } finally {
      release();
    }
  }

  /** Keeps the process alive until the returned function is called. */
  hold(): () => void {
    this.#holds += 1;
    if (this.#holds === 1) this.#peer.hold(true);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds -= 1;
      if (this.#holds === 0) this.#peer.hold(false);
    };
  }

  /** Ends a writer that holds nothing yet, whatever it is in. */
  async terminate(): Promise<void> {
    this.#state = 'ending';
    await this.#worker.terminate();
  }

  /** Asks the writer to end, and waits until it has. */
  async end(deadlineMs: number): Promise<void> {
    const release = this.hold();
    this.#state = 'ending';
    this.commands += 1;
    try {
      await this.#peer.end(deadlineMs);
    } finally {
      release();
    }
  }

  /** For a thread that is blocked, and hears of no exit: a writer that has said its last word is replaced now. True when there is none any more. */
  revive(): boolean {
    if (this.#state === 'running' && hasWriterExited(this.#parts.memory)) {
      this.#replace(new LastwordError('LASTWORD_WRITER_EXITED', 'the writer ended'));
    }
    this.pass();
    return this.#state !== 'running';
  }

  /** No writer can be had, and this thread cannot write either. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  /** What the writer told a thread that blocks. */
  takeReports(): SalvageReport[] {
    return this.#worker.takeReports();
  }

  /** Where this thread is the writer: writes what is published. */
  pass(): void {
    if (this.#state !== 'standby') return;
    try {
      this.#parts.standby.pass();
    } catch (error) {
      this.#lose(error);
    }
  }

  /** @throws what `new Worker` throws */
  #newWorker(openings: readonly Opening[] | undefined): WriterHandle {
    const { url, data, directory } = this.#parts;
    const predecessor = openings === undefined ? undefined : { directory, openings };
    const worker: WriterHandle = new WriterHandle(url, { ...data, predecessor }, {
      onEvent: (event) => { this.#listener.onEvent(event); },
      onDeath: (error) => {
        // One whose last word was seen has its successor already.
        if (this.#state === 'running' && worker === this.#worker) this.#replace(error);
      },
    });
    return worker;
  }

  #replace(error: LastwordError): void {
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < DEATHS_WITHIN_MS), now];
    if (this.#deaths.length >= DEATHS_MAX || !this.#restart()) this.#standIn(error);
  }

  /** False when there can be no further worker. */
  #restart(): boolean {
    const { memory, openings } = this.#parts;
    const { exited } = this.#worker;
    resetWriter(memory);
    try {
      this.#worker = this.#newWorker(openings());
    } catch {
      // Of the attempts to have a writer this was the last: the error told is why there was none.
      return false;
    }
    this.#peer = this.#worker;
    this.#peer.hold(this.#holds > 0);
    this.restarts += 1;
    Promise.all([exited, this.#worker.ready]).then(([exitCode, replayed]) => {
      this.#listener.onRestart({ exitCode, replayed });
    }, () => undefined); // it died before it was ready: its successor tells
    return true;
  }

  #standIn(cause: LastwordError): void {
    const { memory, openings, ring, standby } = this.#parts;
    resetWriter(memory);
    markWriterExited(memory);
    try {
      this.#peer = new StandbyPeer(standby.serve(openings(), (error) => { this.#lose(error); }));
      this.#peer.hold(this.#holds > 0);
      this.#state = 'standby';
      this.#listener.onStandby(cause);
    } catch (error) {
      this.#lose(error);
    }
    this.pass();
    wakeProducer(ring);
  }

  #lose(cause: unknown): void {
    if (this.#state === 'lost') return;
    this.#state = 'lost';
    this.#lost = isExit(cause) ? cause : new LastwordError('LASTWORD_WRITER_EXITED', 'no writer can be had, and this thread cannot write', {}, { cause });
    if (this.#peer instanceof StandbyPeer) this.#peer.fail(this.#lost);
    this.#listener.onLost(this.#lost);
  }
}

function isExit(error: unknown): error is LastwordError {
  return isLastwordError(error) && error.code === 'LASTWORD_WRITER_EXITED';
}
