import type { LinkListener } from '../control/writer-link.js';
import type { WriterEvent } from '../control/protocol.js';
import { fromWireError, LastwordError } from '../errors.js';
import type { Log } from '../log.js';
import type { Waiters } from '../producer/waiters.js';
import type { SidecarMemory } from '../ring/memory.js';
import { moveState, seal } from '../ring/slots.js';
import type { SidecarEvents } from '../types.js';
import type { Registry } from './registry.js';

export interface WriterEventsHost {
  readonly memory: SidecarMemory;
  readonly registry: Registry;
  readonly waiters: Waiters;
  readonly log: Log;
  /** This thread writes by itself from now on. */
  standIn(): void;
  /** Nobody can write any more. */
  lose(error: LastwordError): void;
  tell<E extends keyof SidecarEvents>(event: E, members: SidecarEvents[E]): void;
}

/** What comes from the writer without being asked, and what becomes of it: state of threads, log, events. */
export class WriterEvents implements LinkListener {
  readonly #host: WriterEventsHost;

  constructor(host: WriterEventsHost) {
    this.#host = host;
  }

  onEvent(event: WriterEvent): void {
    if (event.event === 'ready') return;
    const { log, registry, tell, waiters } = this.#host;
    const thread = registry.ofSlot(event.slot, event.incarnation);
    if (event.event === 'threadRecovered') {
      if (thread !== undefined) thread.trouble = undefined;
      log.info({ threadId: event.threadId }, 'writing works again: what was queued is written');
      tell('recovered', { threadId: event.threadId });
      return;
    }
    if (event.event === 'recordSetAside') {
      const { ordinal, reason, path } = event;
      log.error({ threadId: thread?.id, ordinal, reason, path }, 'a record cannot be written: it was set aside, and a record keeps its ordinal');
      return;
    }
    if (event.event === 'threadMoved') {
      const { threadId, from, path } = event;
      thread?.moved(path);
      log.warn({ threadId, from, path }, 'somebody else has moved the rollout: writing goes on where it is');
      return;
    }
    const error = fromWireError(event.error);
    const { threadId, errno } = error.context;
    if (event.event === 'threadDegraded') {
      if (thread !== undefined) thread.trouble = error;
      log.warn({ threadId, errno, code: error.code, ...(error.context['change'] === undefined ? {} : { change: error.context['change'], path: error.context.path }), unwritten: thread?.unwritten }, 'writing fails: items queue, and it is tried again');
      tell('degraded', { threadId, error });
    } else {
      log.error({ threadId, errno, code: error.code, unwritten: error.context.unwritten ?? thread?.unwritten }, 'thread failed: nothing more of it is written');
      thread?.fail(error);
    }
    waiters.recheck();
  }

  onRestart({ exitCode, replayed }: { exitCode: number; replayed: number }): void {
    const { log, tell } = this.#host;
    log.warn({ exitCode, replayed }, 'the writer ended and was started again: nothing is lost');
    tell('writerRestarted', { exitCode, replayed });
  }

  onStandby(cause: LastwordError): void {
    const { log, standIn, tell } = this.#host;
    const error = new LastwordError('LASTWORD_WRITER_EXITED', 'the writer ends again and again: the host thread writes by itself, and waits for the disk', cause.context, { cause });
    standIn();
    log.error({ code: error.code, exitCode: cause.context['exitCode'] }, error.message);
    tell('degraded', { threadId: undefined, error });
  }

  onLost(error: LastwordError): void {
    const { log, lose, memory, registry, waiters } = this.#host;
    const unwritten = registry.threads.flatMap((thread) => thread.unwritten ?? []);
    log.error({ code: error.code, unwritten }, 'no writer can be had, and this thread cannot write: nothing more is written');
    for (const thread of registry.threads) {
      seal(memory, thread.slot);
      moveState(memory, thread.slot, 'failed');
      thread.fail(error);
    }
    lose(error);
    waiters.recheck();
  }
}
