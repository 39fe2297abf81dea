/** The effective view: forks resolved, rolled-back records left out; forward, backward, and from the last compaction on. */
import type { ScannedRecord } from '../rollout/scan.js';
import type { Damage, RolloutRecord } from '../types.js';
import type { Ordinal } from '../units.js';
import { BackwardStream } from './backward-stream.js';
import { FollowStream } from './follow-stream.js';
import type { Segment } from './history.js';
import type { CheckedReadOptions } from './options.js';
import { ForwardStream, type RecordStream } from './record-stream.js';
import { markerOf, readRolledBack, RolledBack, sizeOf } from './rolled-back.js';
import { openStored } from './rollout-source.js';

type Options = Pick<CheckedReadOptions, 'from' | 'follow' | 'signal' | 'onDamage'>;

interface HistoryPart {
  readonly segments: readonly Segment[];
  /** Where to begin in the first of them, and the ordinal there. */
  readonly startOffset?: number;
  readonly base?: Ordinal;
  /** Where to end in the last one. */
  readonly endOffset: number;
  readonly rolledBack: RolledBack;
}

export async function openEffective(segments: readonly Segment[], options: Options): Promise<RecordStream> {
  return new HistoryStream({ segments, ...await readRolledBack(segments, options.signal) }, options);
}

/** From the last compaction that was not rolled back; from the beginning where there is none. The cost is that of what comes behind it. */
export async function openResume(segments: readonly Segment[], options: Options): Promise<RecordStream> {
  const stream = new BackwardHistoryStream(segments, { ...options, from: 0 as Ordinal, onDamage: undefined });
  try {
    const found = await findCompaction(stream, options.signal);
    const { endOffset, rolledBack } = stream;
    if (found === undefined) return new HistoryStream({ segments, endOffset, rolledBack }, options);
    const { offset, record: { ordinal } } = found;
    const part = { segments: segments.slice(stream.place), startOffset: offset, base: ordinal as Ordinal, endOffset, rolledBack };
    return new HistoryStream(part, { ...options, from: Math.max(options.from, ordinal) as Ordinal });
  } finally {
    await stream.close();
  }
}

async function findCompaction(stream: RecordStream, signal: AbortSignal | undefined): Promise<ScannedRecord | undefined> {
  while (await stream.fill()) {
    signal?.throwIfAborted();
    for (let taken = stream.take(); taken !== undefined; taken = stream.take()) if (isCompaction(taken.record)) return taken;
  }
  return undefined;
}

/** One that says what a model is to be given in place of all before it. */
export function isCompaction({ type, payload }: RolloutRecord): boolean {
  return type === 'compacted' && typeof payload === 'object' && payload !== null && Array.isArray((payload as { replacement_history?: unknown }).replacement_history);
}

/** One segment after the other. */
class HistoryStream implements RecordStream {
  readonly #part: HistoryPart;
  readonly #options: Options;
  #place = -1;
  #current: RecordStream | undefined;
  /** Records of a base from here on are none of the history. */
  #end = Infinity;
  #isPast = false;
  /** Seen since the last record, and no part of the history unless one follows. */
  #damage: Damage[] = [];

  constructor(part: HistoryPart, options: Options) {
    this.#part = part;
    this.#options = options;
  }

  take(): ScannedRecord | undefined {
    for (let taken = this.#isPast ? undefined : this.#current?.take(); taken !== undefined; taken = this.#current?.take()) {
      const { ordinal } = taken.record;
      this.#isPast = ordinal >= this.#end;
      if (this.#isPast) return undefined;
      this.#report();
      if (!this.#part.rolledBack.has(ordinal)) return taken;
    }
    return undefined;
  }

  async fill(): Promise<boolean> {
    while (this.#current === undefined || this.#isPast || !await this.#current.fill()) {
      if (!this.#isPast) this.#report();
      await this.close();
      if (!await this.#openNext()) return false;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.#current?.close();
    this.#current = undefined;
  }

  async #openNext(): Promise<boolean> {
    const { segments, startOffset, base, endOffset } = this.#part;
    const { from, follow, signal } = this.#options;
    for (let segment = segments[this.#place += 1]; segment !== undefined; segment = segments[this.#place += 1]) {
      if (segment.end <= from) continue;
      const start = this.#place === 0 ? { startOffset, base } : {};
      const onDamage = (damage: Damage): void => { this.#damage.push(damage); };
      const range = { ...start, from: Math.max(from, segment.start) as Ordinal, onDamage };
      const isLast = segment === segments.at(-1);
      const file = await openStored(segment.path);
      this.#current = follow && isLast ? new FollowStream(segment.path, file, { ...range, signal }) : new ForwardStream(file, { ...range, endOffset: isLast ? endOffset : undefined });
      this.#end = segment.end;
      this.#isPast = false;
      this.#damage = [];
      return true;
    }
    return false;
  }

  #report(): void {
    for (const damage of this.#damage.splice(0)) this.#options.onDamage?.(damage);
  }
}

/** The last segment first. What comes behind a record is known when it is met, and with it whether it was left out. */
export class BackwardHistoryStream implements RecordStream {
  readonly #segments: readonly Segment[];
  readonly #options: Options;
  /** Of the segment that is read. */
  #place: number;
  #current: BackwardStream | undefined;
  /** Taken, and not judged yet. */
  #pending: ScannedRecord | undefined;
  /** The first ordinal that the markers so far leave out. */
  #leftOut = Infinity;
  readonly #markers: { from: number; to: number }[] = [];
  /** Once a marker was met that counts turns: only reading from the start tells where they begin. */
  #counted: RolledBack | undefined;
  #endOffset = 0;
  /** Of a base, what comes behind its end was passed. */
  #isWithin = true;

  constructor(segments: readonly Segment[], options: Options) {
    this.#segments = segments;
    this.#options = options;
    this.#place = segments.length;
  }

  get place(): number {
    return this.#place;
  }

  /** Size of the last file when it was opened. */
  get endOffset(): number {
    return this.#endOffset;
  }

  /** By the markers that were met. */
  get rolledBack(): RolledBack {
    if (this.#counted !== undefined) return this.#counted;
    const rolledBack = new RolledBack();
    for (const marker of this.#markers.toReversed()) rolledBack.add(marker);
    return rolledBack;
  }

  take(): ScannedRecord | undefined {
    const end = this.#segments[this.#place]?.end ?? 0;
    for (let taken = this.#pending ?? this.#current?.take(); taken !== undefined; taken = this.#current?.take()) {
      this.#pending = undefined;
      const { record } = taken;
      if (record.ordinal >= end) continue;
      this.#isWithin = true;
      const marker = markerOf(record);
      if (marker !== undefined && marker.from === undefined && this.#counted === undefined) {
        this.#pending = taken;
        return undefined;
      }
      const isLeftOut = this.#counted?.has(record.ordinal) ?? record.ordinal >= this.#leftOut;
      if (marker?.from !== undefined && marker.from < record.ordinal) {
        this.#leftOut = Math.min(this.#leftOut, marker.from);
        this.#markers.push({ from: marker.from, to: record.ordinal });
      }
      if (!isLeftOut) return taken;
    }
    return undefined;
  }

  async fill(): Promise<boolean> {
    if (this.#pending !== undefined) {
      this.#counted ??= (await readRolledBack(this.#segments, this.#options.signal)).rolledBack;
      return true;
    }
    while (this.#current === undefined || !await this.#current.fill()) {
      await this.close();
      if (!await this.#openNext()) return false;
      if (this.#pending !== undefined) return true;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.#current?.close();
    this.#current = undefined;
  }

  async #openNext(): Promise<boolean> {
    const segment = this.#segments[this.#place -= 1];
    if (segment === undefined || segment.end <= this.#options.from) return false;
    const size = await sizeOf(segment.path);
    if (this.#place === this.#segments.length - 1) this.#endOffset = size;
    this.#isWithin = segment.end === Infinity;
    const isThere = segment.endOffset !== undefined && segment.endOffset <= size && await this.#openAt(segment, segment.endOffset);
    if (!isThere) this.#current = await this.#open(segment, size);
    return true;
  }

  /** Opens a base where a fork's header says that it ends; false where that is not so. */
  async #openAt(segment: Segment, endOffset: number): Promise<boolean> {
    const stream = await this.#open(segment, endOffset);
    const last = await stream.fill() ? stream.take() : undefined;
    const isThere = last !== undefined && last.offset + last.bytes === endOffset && last.record.ordinal === segment.end - 1;
    if (isThere) [this.#current, this.#pending] = [stream, last];
    else await stream.close();
    return isThere;
  }

  async #open({ path, start }: Segment, size: number): Promise<BackwardStream> {
    const onDamage = (damage: Damage): void => { if (this.#isWithin) this.#options.onDamage?.(damage); };
    return new BackwardStream(await openStored(path), size, { from: Math.max(this.#options.from, start) as Ordinal, onDamage });
  }
}
