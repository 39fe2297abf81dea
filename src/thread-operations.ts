import { channel as diagnosticsChannel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { kindOfThrown } from './thrown.js';
import type { Registry } from './lifecycle/registry.js';
import type { StoredThreads } from './lifecycle/stored-threads.js';
import type { Log } from './log.js';
import { assertThreadId, checkFork, checkResume, type ResolvedOptions } from './options.js';
import type { ThreadLists } from './reader/lists/thread-lists.js';
import { checkReadOptions, type CheckedReadOptions } from './reader/options.js';
import { openThread } from './reader/read-thread.js';
import { recordsOf, type RecordStream } from './reader/record-stream.js';
import type { OpenThread } from './open-thread.js';
import { jobLogPath } from './rollout/rollout-path.js';
import { RolloutThread } from './thread.js';
import type {
  CreateThreadOptions, ForkThreadOptions, ListOptions, LiveThread, ReadOptions, ResumeThreadOptions, RolloutItem, RolloutRecord, SidecarEvents, Thread, ThreadId,
  ThreadPage, ThreadSummary,
} from './types.js';

type EventMap = { [E in keyof SidecarEvents]: [SidecarEvents[E]] };

/** What a sidecar does with threads, one by one: the rest is its own opening and end. */
export abstract class ThreadOperations extends EventEmitter<EventMap> {
  abstract readonly options: ResolvedOptions;
  abstract readonly log: Log;
  protected abstract readonly registry: Registry;
  protected abstract readonly stored: StoredThreads;
  protected abstract readonly lists: ThreadLists;

  /** @throws LASTWORD_NOT_OPEN, and what ended the writer */
  abstract assertOpen(): void;
  /** Files can be read as long as it is not closed. @throws LASTWORD_NOT_OPEN */
  protected abstract assertReadable(): void;

  async createThread<I extends { type: string } = RolloutItem>(options: CreateThreadOptions = {}): Promise<Thread<I>> {
    this.assertOpen();
    return handleOf<I>(await this.registry.create(options));
  }

  /** The log of a job: a thread whose rollout stands among those of jobs. @throws as createThread() */
  async createJobLog(options: CreateThreadOptions): Promise<Thread> {
    this.assertOpen();
    return handleOf(await this.registry.create({ ...options, pathOf: jobLogPath }));
  }

  async resumeThread<I extends { type: string } = RolloutItem>(id: ThreadId, options: ResumeThreadOptions = {}): Promise<Thread<I>> {
    const { ifMissing, create, signal } = checkResume(options);
    this.assertOpen();
    if (ifMissing === 'error') return handleOf<I>(await this.registry.resume(id, signal));
    const { thread, missing } = await this.registry.resumeOrCreate(id, create, signal);
    if (missing !== undefined) this.resumeFailed({ requestedId: id, threadId: thread.id, error: missing });
    return handleOf<I>(thread);
  }

  protected resumeFailed(failed: SidecarEvents['resumeFailed']): void {
    const { requestedId, threadId, error: { code } } = failed;
    this.log.info({ threadId, requestedId, code }, 'resume failed: a fresh thread was made');
    this.tell('resumeFailed', failed);
  }

  async forkThread<I extends { type: string } = RolloutItem>(id: ThreadId, options: ForkThreadOptions = {}): Promise<Thread<I>> {
    this.assertOpen();
    return handleOf<I>(await this.stored.fork(id, checkFork(options)));
  }

  async getThread(id: ThreadId): Promise<ThreadSummary | undefined> {
    this.assertReadable();
    return this.lists.get(id);
  }

  async listThreads(options: ListOptions = {}): Promise<ThreadPage> {
    this.assertReadable();
    return this.lists.list(options);
  }

  async archiveThread(id: ThreadId): Promise<void> {
    await this.stored.archive(id);
  }

  async unarchiveThread(id: ThreadId): Promise<void> {
    await this.stored.unarchive(id);
  }

  async deleteThread(id: ThreadId): Promise<void> {
    await this.stored.delete(id);
  }

  async setThreadMeta(id: ThreadId, patch: Record<string, unknown>): Promise<void> {
    this.assertOpen();
    await using thread = await this.registry.changeMeta(id, patch);
    await thread.flush();
  }

  readThread<I extends { type: string } = RolloutItem>(id: ThreadId, options: ReadOptions = {}): AsyncGenerator<RolloutRecord<I>, void, undefined> {
    const open = async (checked: CheckedReadOptions): Promise<RecordStream> => {
      const live = this.registry.get(id);
      if (live !== undefined && live.state !== 'failed') await live.flush({ durability: 'written', signal: checked.signal });
      return checked.onDamage === undefined ? this.#openCounted(id, checked) : openThread(this.options.directory, id, checked);
    };
    const check = (): CheckedReadOptions => {
      assertThreadId(id);
      return checkReadOptions(options);
    };
    // What items a thread has is the host's knowledge.
    return recordsOf(check, open) as AsyncGenerator<RolloutRecord<I>, void, undefined>;
  }

  /** Damage that nobody asked for is said once, when the reading ends. */
  async #openCounted(id: ThreadId, options: CheckedReadOptions): Promise<RecordStream> {
    let damage = 0;
    const stream = await openThread(this.options.directory, id, { ...options, onDamage: () => { damage += 1; } });
    return {
      take: () => stream.take(),
      fill: () => stream.fill(),
      close: () => {
        if (damage > 0) this.log.debug({ threadId: id, damage }, 'damage was stepped over');
        return stream.close();
      },
    };
  }

  liveThread(id: ThreadId): Thread | undefined {
    const thread = this.registry.get(id);
    return thread instanceof RolloutThread ? thread : undefined;
  }

  liveThreads(): Iterable<LiveThread> {
    return this.registry.threads;
  }

  /** To listeners, and on the diagnostics channel `lastword:<event>`. A listener that throws stops neither the others nor what the event is about. */
  protected tell<E extends keyof SidecarEvents>(event: E, members: SidecarEvents[E]): void {
    const channel = diagnosticsChannel(`lastword:${event}`);
    if (channel.hasSubscribers) channel.publish(members);
    for (const listener of this.rawListeners(event)) {
      try {
        (listener as (this: unknown, members: SidecarEvents[E]) => void).call(this, members);
      } catch (error) {
        this.log.error({ event, error: kindOfThrown(error) }, 'a listener threw');
      }
    }
  }
}

/** The item's type is the caller's word for what it appends: the handle takes any, and delivers what was given. */
function handleOf<I extends { type: string }>(thread: OpenThread): Thread<I> {
  return thread as unknown as Thread<I>;
}
