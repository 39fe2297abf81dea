import type { RolloutItem } from 'lastword';

/** What a contender is: the library, a recorder of files, a store, a worker that is sent every item, or a limit that records nothing. */
export type Kind = 'ours' | 'files' | 'store' | 'worker' | 'limit';

/** One way to record items. All are driven by the same loop and give the same guarantee: write() has returned. */
export interface Contender {
  readonly name: string;
  readonly kind: Kind;
  /** Makes `threads` rollouts below `directory`, ready to take items; outside of the timed part. */
  open(directory: string, threads: number): Promise<Recording>;
}

/** This contender cannot take part here: the reason is reported, and the others go on. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** A module that a platform may do without. @throws Unavailable */
export async function installed<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new Unavailable(`no ${name} for Node ${process.version}, ${process.platform} ${process.arch}`, { cause });
  }
}

export interface Recording {
  /** By thread; none where lines() gives what was stored, or where nothing is. */
  readonly paths: readonly string[];
  /** Lines that stand in each file before the first item. */
  readonly headerLines: number;
  /** False asks the host to await drained() before it goes on. */
  append(thread: number, ordinal: number, item: RolloutItem): boolean;
  drained(): Promise<void>;
  /** Only where the work before it is not to be measured: the clock starts when it returns. */
  prepare?(): void;
  /** Resolves when write() has returned for every item so far; the clock stops here. More items may follow. */
  complete(): Promise<void>;
  /** A store's lines of a thread, from this ordinal on. */
  lines?(thread: number, ordinal: number): Promise<string[]>;
  /** Resolves when the data syncs of everything so far have returned. Without it, all files below the directory are synced side by side. */
  sync?(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The line a host writes. Its members are named, since a host knows its records; spreading the item costs about 5 %
 * more at 116 B.
 */
export function recordLine(ordinal: number, item: RolloutItem, timeMs = Date.now()): string {
  const record = { timestamp: new Date(timeMs).toISOString(), ordinal, type: item.type, payload: item.payload };
  return `${JSON.stringify(record)}\n`;
}

export function peerPaths(directory: string, threads: number): string[] {
  return Array.from({ length: threads }, (_none, thread) => `${directory}/rollout-${thread}.jsonl`);
}

export const nothing = (): Promise<void> => Promise.resolve();
