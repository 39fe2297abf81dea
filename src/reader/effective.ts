/** The effective view: forks resolved, rolled-back records left out. Forward. */
import type { ReadOptions, RolloutRecord } from '../types.js';
import type { Segment } from './history.js';
import { readRollout } from './read.js';

/** Ordinals from `from` to below `to` were left out by a marker. */
interface Range { readonly from: number; readonly to: number }

interface TurnStart { readonly ordinal: number; readonly isTurn: boolean }

/** @throws as readRollout() */
export async function* readEffective(segments: readonly Segment[], options: ReadOptions): AsyncGenerator<RolloutRecord, void, undefined> {
  const { from = 0, limit = Infinity, ...rest } = options;
  const { ranges, seen } = await rolledBack(segments, rest.signal);
  let next = 0;
  let left = limit;
  for (const { path, end, start } of segments) {
    if (end <= from || left <= 0) continue;
    for await (const record of readRollout(path, { ...rest, from: Math.max(from, start) })) {
      // What came meanwhile may have been rolled back meanwhile.
      if (record.ordinal >= Math.min(end, seen)) break;
      while (record.ordinal >= (ranges[next]?.to ?? Infinity)) next += 1;
      if (record.ordinal >= (ranges[next]?.from ?? Infinity)) continue;
      yield record;
      left -= 1;
      if (left === 0) return;
    }
  }
}

/** What the markers of the history leave out, disjoint and in order, and the ordinal behind the last record. */
async function rolledBack(segments: readonly Segment[], signal: AbortSignal | undefined): Promise<{ ranges: Range[]; seen: number }> {
  const ranges: Range[] = [];
  let seen = 0;
  const turns: TurnStart[] = [];
  for (const { path, end } of segments) {
    for await (const record of readRollout(path, { signal })) {
      if (record.ordinal >= end) break;
      seen = Math.max(seen, record.ordinal + 1);
      const kind = kindOf(record);
      if (kind === 'task_started' || kind === 'turn_started' || kind === 'user_message') {
        turns.push({ ordinal: record.ordinal, isTurn: kind !== 'user_message' });
      }
      if (kind !== 'thread_rolled_back') continue;
      const from = firstLeftOut(record, turns);
      if (from === undefined || from >= record.ordinal) continue;
      // Later markers stand behind earlier ones: what they leave out takes those in that it reaches.
      let first = from;
      while ((ranges.at(-1)?.to ?? -1) >= from) first = Math.min(first, ranges.pop()?.from ?? from);
      ranges.push({ from: first, to: record.ordinal });
      while ((turns.at(-1)?.ordinal ?? -1) >= from) turns.pop();
    }
  }
  return { ranges, seen };
}

function kindOf({ type, payload }: RolloutRecord): unknown {
  return type === 'event_msg' && typeof payload === 'object' && payload !== null ? (payload as { type?: unknown }).type : undefined;
}

/** Ours say the ordinal; Codex's say how many turns. */
function firstLeftOut({ payload }: RolloutRecord, turns: readonly TurnStart[]): number | undefined {
  const { to_ordinal: ordinal, num_turns: count } = payload as { to_ordinal?: unknown; num_turns?: unknown };
  if (Number.isSafeInteger(ordinal)) return ordinal as number;
  if (!Number.isSafeInteger(count) || (count as number) < 1) return undefined;
  // Where turns are not marked, a user's message begins one.
  const starts = turns.some(({ isTurn }) => isTurn) ? turns.filter(({ isTurn }) => isTurn) : turns;
  return (starts.at(-(count as number)) ?? starts[0])?.ordinal;
}
