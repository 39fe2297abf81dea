/** What markers leave out of the effective view. */
import type { RolloutRecord } from '../types.js';
import type { Segment } from './history.js';
import { ForwardStream } from './record-stream.js';
import { openStored, RolloutSource } from './rollout-source.js';

/** Ordinals from `from` to below `to` were left out by the marker `to`. */
interface LeftOut { readonly from: number; readonly to: number }
interface TurnStart { readonly ordinal: number; readonly isTurn: boolean }

const MARKER = 'thread_rolled_back';

/** A marker: the first ordinal that it leaves out, as ours say, or how many turns, as Codex's do. */
export interface Marker { readonly ordinal: number; readonly from: number | undefined; readonly turns: number }

/** Undefined where the record is none, or leaves nothing out. */
export function markerOf(record: RolloutRecord): Marker | undefined {
  if (kindOf(record) !== MARKER) return undefined;
  const { to_ordinal: from, num_turns: turns } = record.payload as { to_ordinal?: unknown; num_turns?: unknown };
  if (Number.isSafeInteger(from)) return { ordinal: record.ordinal, from: from as number, turns: 0 };
  return Number.isSafeInteger(turns) && (turns as number) >= 1 ? { ordinal: record.ordinal, from: undefined, turns: turns as number } : undefined;
}

function kindOf({ type, payload }: RolloutRecord): unknown {
  return type === 'event_msg' && typeof payload === 'object' && payload !== null ? (payload as { type?: unknown }).type : undefined;
}

/** Disjoint ranges, in order. */
export class RolledBack {
  readonly #ranges: LeftOut[] = [];

  /** Markers come in their order, so what one leaves out takes those in that it reaches. */
  add({ from, to }: LeftOut): void {
    if (from >= to) return;
    let first = from;
    while ((this.#ranges.at(-1)?.to ?? -1) >= from) first = Math.min(first, this.#ranges.pop()?.from ?? from);
    this.#ranges.push({ from: first, to });
  }

  has(ordinal: number): boolean {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.to ?? Infinity) <= ordinal) low = middle + 1;
      else high = middle;
    }
    return ordinal >= (this.#ranges[low]?.from ?? Infinity);
  }
}

/** What the markers of a whole history leave out, and where its last file ended when it was looked at. */
export async function readRolledBack(segments: readonly Segment[], signal: AbortSignal | undefined): Promise<{ rolledBack: RolledBack; endOffset: number }> {
  const rolledBack = new RolledBack();
  const sizes = await Promise.all(segments.map(({ path }) => sizeOf(path)));
  const found = await Promise.all(segments.map(({ path }, place) => hasMarker(path, sizes[place] ?? 0, signal)));
  // Most histories have none, and then nothing has to be decoded. Codex's say a number of turns, of the bases too.
  if (found.includes(true)) {
    const turns: TurnStart[] = [];
    for (const [place, segment] of segments.entries()) await readTurns(segment, sizes[place] ?? 0, rolledBack, turns, signal);
  }
  return { rolledBack, endOffset: sizes.at(-1) ?? 0 };
}

export async function sizeOf(path: string): Promise<number> {
  const file = await openStored(path);
  try {
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** From the bytes alone. */
async function hasMarker(path: string, size: number, signal: AbortSignal | undefined): Promise<boolean> {
  const file = await openStored(path);
  try {
    const source = new RolloutSource(file, 0, size);
    let seam = Buffer.alloc(0);
    for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) {
      signal?.throwIfAborted();
      seam = Buffer.concat([seam, chunk.subarray(0, MARKER.length)]);
      if (chunk.includes(MARKER) || seam.includes(MARKER)) return true;
      seam = Buffer.concat([seam, chunk.subarray(MARKER.length)].map((part) => part.subarray(-MARKER.length))).subarray(-MARKER.length);
    }
    return false;
  } finally {
    await file.close();
  }
}

async function readTurns(
  { path, start, end }: Segment, endOffset: number, rolledBack: RolledBack, turns: TurnStart[], signal: AbortSignal | undefined,
): Promise<void> {
  const stream = new ForwardStream(await openStored(path), { endOffset });
  try {
    while (await stream.fill()) {
      signal?.throwIfAborted();
      for (let taken = stream.take(); taken !== undefined; taken = stream.take()) {
        const { record } = taken;
        if (record.ordinal >= end) return;
        if (record.ordinal < start) continue;
        const kind = kindOf(record);
        if (kind === 'task_started' || kind === 'turn_started' || kind === 'user_message') turns.push({ ordinal: record.ordinal, isTurn: kind !== 'user_message' });
        const marker = markerOf(record);
        const from = marker?.from ?? firstOf(marker?.turns ?? 0, turns);
        if (marker === undefined || from === undefined) continue;
        rolledBack.add({ from, to: marker.ordinal });
        while ((turns.at(-1)?.ordinal ?? -1) >= from) turns.pop();
      }
    }
  } finally {
    await stream.close();
  }
}

/** Where the last `count` turns begin. Where turns are not marked, a user's message begins one. */
function firstOf(count: number, turns: readonly TurnStart[]): number | undefined {
  if (count === 0) return undefined;
  const starts = turns.some(({ isTurn }) => isTurn) ? turns.filter(({ isTurn }) => isTurn) : turns;
  return (starts.at(-count) ?? starts[0])?.ordinal;
}
