/** What is known of a thread: what was accepted, how much of it was acknowledged, and so what must be found after whatever happens. */
import type { WireError } from '../../src/errors.js';
import { RolloutScanner } from '../../src/rollout/scan.js';
import type { Damage, RolloutRecord } from '../../src/types.js';

/** In the place of the header among the items. */
export const HEADER = 0;

/** What a file says. */
export interface Found {
  readonly records: ReadonlyMap<number, number>;
  readonly damage: readonly Damage[];
  /** Records that are out of order, or none that anybody appended. */
  readonly complaints: readonly string[];
}

export type Level = 'written' | 'synced';

export class Truth {
  readonly threadId: string;
  readonly path: string;
  /** Items by ordinal; undefined for one that was lost. */
  records: (number | undefined)[] = [HEADER];
  /** By ordinal, every item that ever had it: a power cut may bring back what a dead process had written, and cut off again. */
  readonly #ever: Set<number>[] = [new Set([HEADER])];
  /** Ordinals below it are acknowledged. */
  written = 0;
  synced = 0;
  /** What a power cut may take though a later sync covered it: the disk had refused it, and the host was told. */
  readonly doubtful = new Set<number>();
  /** Ordinals were lost, or damage stands in the file. */
  isDamaged = false;

  constructor(threadId: string, path: string) {
    this.threadId = threadId;
    this.path = path;
  }

  accept(item: number): void {
    (this.#ever[this.records.length] ??= new Set()).add(item);
    this.records.push(item);
  }

  /** What could be held is written anew; what could not is named, and may be gone. */
  failed({ code, context }: WireError): void {
    if (code === 'LASTWORD_SYNC_FAILED') this.refused();
    for (const { from } of context.unwritten ?? []) this.written = Math.min(this.written, Math.max(from, this.synced));
  }

  /** The file was made anew without what could not be held, which stands in the old one, beside it. */
  keptBeside(): void {
    this.written = Math.min(this.written, this.synced);
  }

  /** Of those that are acknowledged, everything may be gone that no sync covered, and is not known to have gone. */
  refused = (): void => {
    for (let ordinal = this.synced; ordinal < this.records.length; ordinal += 1) this.doubtful.add(ordinal);
  };

  /**
   * Holds what is found against what must and may be there. From then on it is the truth. Returns what is wrong.
   */
  settle(file: Buffer | undefined, level: Level): string[] {
    const floor = this[level];
    const found = read(file ?? Buffer.alloc(0), this.threadId);
    const wrong = [...found.complaints];
    const isPower = level === 'synced';
    for (const [ordinal, item] of found.records) {
      const isKnown = this.records[ordinal] === item || (isPower && ordinal >= floor && this.#ever[ordinal]?.has(item) === true);
      if (!isKnown) wrong.push(`ordinal ${ordinal} is item ${item}, which is ${String(this.records[ordinal])}`);
    }
    for (let ordinal = 0; ordinal < floor; ordinal += 1) {
      const isExcused = this.records[ordinal] === undefined || (isPower && this.doubtful.has(ordinal));
      if (!isExcused && !found.records.has(ordinal)) wrong.push(`ordinal ${ordinal} is lost, ${floor} were ${level}`);
    }
    const next = Math.max(-1, ...found.records.keys()) + 1;
    const isWhole = found.records.size === next;
    const kinds = new Set(found.damage.map(({ kind }) => kind));
    if (!isPower && !this.isDamaged && (!isWhole || [...kinds].some((kind) => kind !== 'torn'))) {
      wrong.push(`damage without a power cut: ${[...kinds].join(', ')}; ${found.records.size} of ${next} records`);
    }
    if (kinds.has('duplicate')) wrong.push('an ordinal was used twice');
    this.records = Array.from({ length: next }, (_, ordinal) => found.records.get(ordinal));
    if (!isWhole || [...kinds].some((kind) => kind !== 'torn')) this.isDamaged = true;
    this.written = next;
    if (isPower) {
      this.synced = next;
      this.doubtful.clear();
    }
    return wrong.map((what) => `thread ${this.threadId.slice(-4)}: ${what}`);
  }
}

/** Everything that a reader finds. */
export function read(file: Buffer, threadId: string): Found {
  const records = new Map<number, number>();
  const damage: Damage[] = [];
  const complaints: string[] = [];
  const scanner = new RolloutScanner({ onDamage: (one) => { damage.push(one); } });
  let last = -1;
  const take = (record: RolloutRecord): void => {
    const item = itemOf(record, threadId);
    if (item === undefined) complaints.push(`ordinal ${record.ordinal} is of no item`);
    if (record.ordinal <= last) complaints.push(`ordinal ${record.ordinal} follows ${last}`);
    last = record.ordinal;
    records.set(record.ordinal, item ?? -1);
  };
  scanner.feed(file);
  for (let next = scanner.next(); next !== undefined; next = scanner.next()) take(next.record);
  const rest = scanner.end();
  if (rest !== undefined) take(rest.record);
  if (scanner.checked !== scanner.records) complaints.push('a record has no checksum');
  return { records, damage, complaints };
}

function itemOf({ type, payload }: RolloutRecord, threadId: string): number | undefined {
  const { id, item } = payload as { id?: unknown; item?: unknown };
  if (type === 'session_meta') return id === threadId ? HEADER : undefined;
  return typeof item === 'number' ? item : undefined;
}
