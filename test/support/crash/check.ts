/** What must be true of a directory whose host was killed, or whose machine lost its power. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openSidecar, readRollout, type Damage, type RolloutRecord, type Sidecar, type Thread } from 'lastword';
import type { Told } from './run.js';

/** What was appended: it says of itself how long it is, and perhaps which ordinal it got. */
interface Item { readonly index?: number; readonly at?: number; readonly bytes: number; readonly text: string }

/** What the library appends. */
const isMarker = ({ type, payload }: RolloutRecord): boolean => type === 'session_meta' || (payload as { type?: string }).type === 'thread_rolled_back';

/** Appended after each thread was opened again. */
const AFTERWARDS = 5;

export interface Expected {
  /** What was told of the host. */
  readonly told: Told;
  /** The level that had to survive. */
  readonly level: 'written' | 'synced';
  /** Most that may be missing of what was accepted, in bytes of text; without: anything. */
  readonly missingBytesMax?: number;
  readonly itemBytes?: number;
  /** In place of the package: what opens the threads again. */
  readonly lastwordUrl?: string | undefined;
}

interface Stored { readonly path: string; readonly records: RolloutRecord[]; readonly damage: Damage[] }

/** All rollouts below a directory, archived ones too; one that is being archived once. */
export function rolloutsBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => /(^|\/)rollout-[^/]*\.jsonl$/.test(name));
  return [...new Map(names.sort().map((name) => [basename(name), join(directory, name)])).values()];
}

async function readStored(path: string): Promise<Stored> {
  const damage: Damage[] = [];
  const records: RolloutRecord[] = [];
  for await (const record of readRollout(path, { onDamage: (one) => { damage.push(one); } })) records.push(record);
  return { path, records, damage };
}

/**
 * Says what is not as it must be: everything of the level is there, in order and whole; no more is missing than may be;
 * every thread is opened again, is whole then, takes further records, and opening it once more changes nothing.
 */
export async function complaintsAfterCrash(directory: string, expected: Expected): Promise<string[]> {
  const complaints: string[] = [];
  const { told, level } = expected;
  const stored = await Promise.all(rolloutsBelow(directory).map(readStored));
  const whichOf = ({ path }: Stored): number => told.paths.findIndex((one) => basename(one) === basename(path));
  const leastOf = (one: Stored): number => told[level][whichOf(one)] ?? 0;
  for (const [which, path] of told.paths.entries()) {
    const least = told[level][which] ?? 0;
    if (least > 0 && !stored.some((one) => whichOf(one) === which)) complaints.push(`${basename(path)}: ${least} records are ${level}, and it is gone`);
  }
  let missingBytes = 0;
  for (const one of stored) {
    complaints.push(...complaintsOf(one, leastOf(one), level).map((complaint) => `${basename(one.path)}: ${complaint}`));
    missingBytes += Math.max(0, (told.accepted[whichOf(one)] ?? 0) - one.records.length) * (expected.itemBytes ?? 0);
  }
  if (missingBytes > (expected.missingBytesMax ?? Infinity)) complaints.push(`${missingBytes} bytes that were accepted are missing`);
  return [...complaints, ...await reopenComplaints(directory, stored, leastOf, expected)];
}

function complaintsOf({ records, damage }: Stored, least: number, level: Expected['level']): string[] {
  const complaints: string[] = [];
  // A fork's header has the ordinal at which its base ends.
  const base = (records[0]?.payload as { history_base?: object } | undefined)?.history_base === undefined ? 0 : records[0]?.ordinal ?? 0;
  const isWhole = (record: RolloutRecord, place: number): boolean => {
    if (record.ordinal !== base + place) return false;
    if (place === 0 || isMarker(record)) return true;
    const { at = record.ordinal, bytes, text } = record.payload as Item;
    return at === record.ordinal && text.length === bytes && text === text.charAt(0).repeat(bytes);
  };
  const wrong = records.findIndex((record, place) => !isWhole(record, place));
  const whole = base + (wrong === -1 ? records.length : wrong);
  if (whole < least) complaints.push(`${least} records are ${level}, and the file has ${whole} of them whole and in order`);
  // A kill tears the end at most; behind what is synced, a power cut may leave anything.
  if (level === 'written') {
    if (wrong !== -1) complaints.push(`record ${wrong} is another one`);
    complaints.push(...damage.filter(({ kind }) => kind !== 'torn').map(({ kind, offset }) => `${kind} at ${offset}`));
  }
  return complaints;
}

async function reopenComplaints(
  directory: string, stored: readonly Stored[], leastOf: (one: Stored) => number, { level, lastwordUrl }: Expected,
): Promise<string[]> {
  const open = lastwordUrl === undefined ? openSidecar : ((await import(/* @vite-ignore */ lastwordUrl)) as { openSidecar: typeof openSidecar }).openSidecar;
  const sidecar = await open({ directory, logger: false, syncIntervalMs: 0 });
  const complaints: string[] = [];
  try {
    for (const one of stored) {
      try {
        complaints.push(...(await reopenOne(sidecar, one)).map((complaint) => `${basename(one.path)}, opened again: ${complaint}`));
      } catch (error) {
        const { code } = error as { code?: string };
        // A power cut may have taken a header that no sync had covered.
        if (level === 'written' || leastOf(one) > 0 || code !== 'LASTWORD_ROLLOUT_CORRUPT') complaints.push(`${basename(one.path)}, opened again: ${String(error)}`);
      }
    }
  } finally {
    await sidecar.close({ timeoutMs: 5_000 }).catch((error: unknown) => { complaints.push(`the close after opening again: ${String(error)}`); });
  }
  return complaints;
}

/** An archived one is brought back first. */
async function resume(sidecar: Sidecar, id: string): Promise<Thread> {
  try {
    return await sidecar.resumeThread(id);
  } catch (error) {
    if ((error as { code?: string }).code !== 'LASTWORD_THREAD_ARCHIVED') throw error;
    await sidecar.unarchiveThread(id);
    return sidecar.resumeThread(id);
  }
}

async function reopenOne(sidecar: Sidecar, { path: found, records, damage }: Stored): Promise<string[]> {
  const complaints: string[] = [];
  const say = (isAsItMustBe: boolean, complaint: string): void => { if (!isAsItMustBe) complaints.push(complaint); };
  const id = basename(found, '.jsonl').slice(-36);
  const torn = damage.find(({ kind }) => kind === 'torn');
  const bytes = readFileSync(found);
  const thread = await resume(sidecar, id);
  const { path } = thread;
  const first = thread.accepted;
  say((thread.recovery?.tornBytes ?? 0) === (torn?.bytes ?? 0), `${torn?.bytes ?? 0} bytes are torn, and ${thread.recovery?.tornBytes ?? 0} were cut`);
  if (torn !== undefined) say(readFileSync(thread.recovery?.keptAt ?? '').equals(bytes.subarray(torn.offset)), 'the torn bytes are not kept');
  for (let index = 0; index < AFTERWARDS; index += 1) thread.append({ type: 'event_msg', payload: { index: first + index, bytes: 1, text: 'x' } });
  await thread.close();
  const after = readFileSync(path);
  const again = await sidecar.resumeThread(id);
  say(again.recovery === undefined && again.accepted === first + AFTERWARDS, 'opened once more, it is not what it was');
  await again.close();
  say(readFileSync(path).equals(after), 'opening it once more changed it');
  const now = await readStored(path);
  say(now.records.length === records.length + AFTERWARDS, `of ${records.length} records and ${AFTERWARDS} more it has ${now.records.length}`);
  const kept = now.records.every(({ ordinal, payload }, place) =>
    place < records.length ? JSON.stringify(payload) === JSON.stringify(records[place]?.payload) : ordinal === first + place - records.length);
  say(kept, 'its records are others');
  say(!now.damage.some(({ kind }) => kind === 'torn') && now.damage.length === damage.filter(({ kind }) => kind !== 'torn').length, 'it is damaged');
  return complaints;
}
