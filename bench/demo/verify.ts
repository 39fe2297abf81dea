import { isDeepStrictEqual } from 'node:util';
import { readRollout, type RolloutItem, type RolloutRecord } from 'lastword';
import { ENVELOPE } from '../load/corpus.js';

/** A rollout, and what append() took for it, in order. */
export interface Played { readonly path: string; readonly taken: readonly RolloutItem[] }

export interface Verdict {
  readonly records: number;
  /** Items of which no record was read. */
  readonly lost: number;
  /** Records whose ordinal was read before. */
  readonly duplicated: number;
  /** Records that are not what was taken, out of order, or of no item at all. */
  readonly changed: number;
  /** Lines that the reader could not take: what kind, and how many. */
  readonly damage: ReadonlyMap<string, number>;
}

const sum = (verdicts: readonly Verdict[], count: 'records' | 'lost' | 'duplicated' | 'changed'): number =>
  verdicts.reduce((total, verdict) => total + verdict[count], 0);

/** Reads every rollout back and compares it, item by item, with what append() took. */
export async function verifyFleet(played: readonly Played[], onThread: (done: number) => void): Promise<Verdict> {
  const verdicts: Verdict[] = [];
  for (const part of played) {
    verdicts.push(await verifyRollout(part));
    onThread(verdicts.length);
  }
  const damage = new Map<string, number>();
  for (const verdict of verdicts) for (const [kind, count] of verdict.damage) damage.set(kind, (damage.get(kind) ?? 0) + count);
  return {
    damage,
    records: sum(verdicts, 'records'), lost: sum(verdicts, 'lost'),
    duplicated: sum(verdicts, 'duplicated'), changed: sum(verdicts, 'changed'),
  };
}

/** Ordinal 0 is the header that the library wrote; item n has ordinal n + 1. The reader may give a duplicate, report it, or both. */
async function verifyRollout({ path, taken }: Played): Promise<Verdict> {
  const seen = new Uint8Array(taken.length);
  const damage = new Map<string, number>();
  let last = 0;
  let records = 0;
  let found = 0;
  let duplicated = 0;
  let changed = 0;
  const onDamage = ({ kind }: { kind: string }): void => void damage.set(kind, (damage.get(kind) ?? 0) + 1);
  for await (const record of readRollout(path, { onDamage })) {
    if (record.ordinal === 0) continue;
    records += 1;
    const index = record.ordinal - 1;
    const item = taken[index];
    if (item === undefined) {
      changed += 1;
      continue;
    }
    if (seen[index] === 1) {
      duplicated += 1;
      continue;
    }
    seen[index] = 1;
    found += 1;
    if (record.ordinal < last || !isItem(record, item)) changed += 1;
    last = record.ordinal;
  }
  return { records, lost: taken.length - found, duplicated: Math.max(duplicated, damage.get('duplicate') ?? 0), changed, damage };
}

function isItem(record: RolloutRecord, item: RolloutItem): boolean {
  const read = Object.fromEntries(Object.entries(record).filter(([name]) => !ENVELOPE.has(name)));
  return isDeepStrictEqual(read, item) || isDeepStrictEqual(read, wellFormed(item));
}

/** A lone surrogate is no character: it is stored as U+FFFD, as everywhere where text becomes UTF-8. */
function wellFormed(item: RolloutItem): unknown {
  return JSON.parse(JSON.stringify(item), (_name, value: unknown) =>
    (typeof value === 'string' ? Buffer.from(value).toString() : value));
}
