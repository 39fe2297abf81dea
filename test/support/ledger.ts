/** What a host did to its threads, kept apart from the library, and what must be true of them afterwards. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  LATE, openSidecar, type CreateThreadOptions, type PublishOptions, type ResumeThreadOptions, type RolloutItem, type Sidecar, type SidecarOptions,
  type Thread, type ThreadCloseReceipt,
} from 'lastword';
import { onTestFinished } from 'vitest';
import { compared, leftOf, nameOf } from './closing-load.js';
import { recordsOf, temporaryFolder, upTo } from './sidecars.js';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly members: Record<string, unknown>;
  readonly message: string;
}

/** A logger that keeps what it is told. */
export function recordingLogger(): { logger: NonNullable<SidecarOptions['logger']>; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: LogLine['level']) => (members: object, message?: string): void => {
    lines.push({ level, members: { ...members }, message: message ?? '' });
  };
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines };
}

/** One handle. */
interface Opening {
  readonly thread: Thread;
  /** In order; undefined where the library made the record itself. */
  readonly taken: (object | undefined)[];
  late: number;
}
interface Closed { readonly receipt: ThreadCloseReceipt; readonly opening: Opening | undefined; readonly lateThen: number }

/** A sidecar and what went into it: everything that may append goes through here. */
export class Ledger {
  readonly sidecar: Sidecar;
  readonly lines: readonly LogLine[];
  readonly #openings: Opening[] = [];
  readonly #closed: Closed[] = [];
  readonly #deleted = new Set<string>();
  readonly #notes: string[] = [];
  #lateTold = 0;

  constructor(sidecar: Sidecar, lines: readonly LogLine[]) {
    this.sidecar = sidecar;
    this.lines = lines;
    sidecar.on('late', ({ count }) => { this.#lateTold += count; });
    sidecar.on('threadClosed', (receipt) => {
      const earlier = this.#closed.filter(({ receipt: { threadId } }) => threadId === receipt.threadId).length;
      const opening = this.#openings.filter(({ thread }) => thread.id === receipt.threadId)[earlier];
      this.#closed.push({ receipt, opening, lateThen: opening?.late ?? 0 });
    });
  }

  async create(options?: CreateThreadOptions): Promise<Thread> {
    return this.adopt(await this.sidecar.createThread(options));
  }

  async resume(id: string, options?: ResumeThreadOptions): Promise<Thread> {
    return this.adopt(await this.sidecar.resumeThread(id, options));
  }

  /** Each handle once, and in the order of opening. */
  adopt(thread: Thread): Thread {
    if (!this.#openings.some((opening) => opening.thread === thread)) this.#openings.push({ thread, taken: [], late: 0 });
    return thread;
  }

  append(thread: Thread, item: RolloutItem): number {
    return this.#took(thread, [item], thread.append(item));
  }

  appendAll(thread: Thread, items: readonly RolloutItem[]): number {
    return this.#took(thread, items, thread.appendAll(items));
  }

  async publish(thread: Thread, item: RolloutItem, options?: PublishOptions): Promise<number> {
    return this.#took(thread, [item], await thread.publish(item, options));
  }

  rollback(thread: Thread, from: number): number {
    return this.#took(thread, [undefined], thread.rollback(from));
  }

  setMeta(thread: Thread, patch: Record<string, unknown>): number {
    return this.#took(thread, [undefined], thread.setMeta(patch));
  }

  /** Its rollout is gone, and that is as it should be. */
  deleted(id: string): void {
    this.#deleted.add(id);
  }

  /** What a race expects beside what is true of all. */
  note(what: string, found: unknown, expected: unknown): void {
    this.#notes.push(...compared(what, found, expected));
  }

  get late(): number {
    return this.#openings.reduce((sum, { late }) => sum + late, 0);
  }

  /** Closes the sidecar if that is not done, and says what is not as it must be. */
  async complaints(): Promise<string[]> {
    const isFirst = this.sidecar.state === 'open';
    const taken = this.#openings.reduce((sum, opening) => sum + opening.taken.length, 0);
    const { late } = this;
    return [
      ...this.#notes,
      ...(await Promise.all([...new Set(this.#openings.map(({ thread }) => thread.id))].map((id) => this.#diskComplaints(id)))).flat(),
      ...compared('stats().items', this.sidecar.stats().items, { accepted: taken, written: taken, late }),
      ...compared('what is left of the threads', leftOf(this.sidecar), { live: [], open: 0, descriptors: [], leases: [] }),
      ...isFirst ? await this.#closeComplaints(taken, late) : [],
      ...this.#closed.flatMap((closed) => receiptComplaints(closed)),
      ...compared('threads that told of their close', this.#closed.length, this.#openings.length),
      ...isFirst ? compared('items that events told are late', this.#lateTold, late) : [],
      ...compared('what is left of the sidecar', leftOf(this.sidecar), { live: [], open: 0, descriptors: [], leases: [] }),
      ...this.#logComplaints(),
    ];
  }

  #took(thread: Thread, items: readonly (object | undefined)[], answer: number): number {
    const opening = this.#openings.find((one) => one.thread === thread);
    if (opening === undefined) throw new Error('the ledger does not know the handle');
    if (answer === LATE) opening.late += items.length;
    else {
      opening.taken.push(...items);
      this.note(`thread ${thread.id}: the ordinal of an item`, answer, thread.accepted - items.length);
    }
    return answer;
  }

  async #diskComplaints(id: string): Promise<string[]> {
    const openings = this.#openings.filter(({ thread }) => thread.id === id);
    const path = openings[0]?.thread.path ?? '';
    const archived = join(this.sidecar.directory, 'archived_sessions', basename(path));
    const place = existsSync(path) ? path : archived;
    if (this.#deleted.has(id)) return compared(`thread ${id}: its rollout is there`, existsSync(place), false);
    const expected = openings.flatMap(({ taken }) => taken);
    try {
      const records = (await recordsOf(place)).slice(1);
      const items = records.map(({ timestamp, ordinal, ...item }, index) => (expected[index] === undefined && index < expected.length ? null : item));
      return [
        ...compared(`thread ${id}: its ordinals on disk`, records.map(({ ordinal }) => ordinal), upTo(expected.length).map((index) => index + 1)),
        ...compared(`thread ${id}: its records on disk`, items, expected.map((item) => item ?? null)).map((text) => text.slice(0, 2_000)),
      ];
    } catch (error) {
      return [`thread ${id}: its rollout cannot be read: ${String(error)}`];
    }
  }

  async #closeComplaints(taken: number, late: number): Promise<string[]> {
    try {
      const { threads, items, late: told } = await this.sidecar.close();
      return compared('the receipt of the sidecar', { threads, items, late: told }, { threads: this.#openings.length, items: taken, late });
    } catch (error) {
      return [`the close of the sidecar rejected with ${nameOf(error)}`];
    }
  }

  #logComplaints(): string[] {
    return this.lines.filter(({ level }) => level === 'warn' || level === 'error')
      .map(({ level, members, message }) => `logged at ${level}: ${message} ${JSON.stringify(members)}`);
  }
}

function receiptComplaints({ receipt, opening, lateThen }: Closed): string[] {
  const { threadId, items, late, forced, nextOrdinal } = receipt;
  const what = `thread ${threadId}: its receipt`;
  if (opening === undefined) return [`${what}: nobody had that handle`];
  return compared(what, { items, late, forced, nextOrdinal }, {
    items: opening.taken.length, late: lateThen, forced: false, nextOrdinal: opening.thread.accepted,
  });
}

/** A fresh sidecar and what it logs; one of a mutant of the package where its address is given. */
export async function openRecorded(options: Partial<SidecarOptions> = {}, lastwordUrl?: string): Promise<{ sidecar: Sidecar; lines: readonly LogLine[] }> {
  const { logger, lines } = recordingLogger();
  const open = lastwordUrl === undefined ? openSidecar : ((await import(/* @vite-ignore */ lastwordUrl)) as { openSidecar: typeof openSidecar }).openSidecar;
  const sidecar = await open({ directory: temporaryFolder(), syncIntervalMs: 0, logger, ...options });
  onTestFinished(async () => {
    // A mutant may be unable to.
    await sidecar.close({ timeoutMs: 2_000 }).catch(() => undefined);
  });
  return { sidecar, lines };
}

export async function openLedger(options: Partial<SidecarOptions> = {}, lastwordUrl?: string): Promise<Ledger> {
  const { sidecar, lines } = await openRecorded(options, lastwordUrl);
  return new Ledger(sidecar, lines);
}

/** What is wrong after the race; a race that threw is that. */
export async function complaintsOf(race: (ledger: Ledger) => Promise<void>, options?: Partial<SidecarOptions>, lastwordUrl?: string): Promise<string[]> {
  const ledger = await openLedger(options, lastwordUrl);
  try {
    await race(ledger);
  } catch (error) {
    return [`the race threw ${String(error)}`, ...await ledger.complaints()];
  }
  return ledger.complaints();
}
