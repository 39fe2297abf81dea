/** Puts the records of a salvage file back into their rollouts: in order, each once, under the lease of each thread. */
import { createHash } from 'node:crypto';
import { LastwordError } from '../src/errors.js';
import { locateRollout } from '../src/reader/locate.js';
import { openRollout, RolloutSource } from '../src/reader/rollout-source.js';
import { readHeadOrdinal } from '../src/rollout/envelope.js';
import { LineSplitter } from '../src/rollout/lines.js';
import { decodeEntry, ENTRY_BYTES, PREFIX_BYTES } from '../src/rollout/salvage-entry.js';
import { LINE_BYTES_MAX } from '../src/rollout/scan.js';
import type { ImportReport, ThreadId } from '../src/types.js';
import { HeldPool } from './held.js';
import type { Leases } from './lease/leases.js';
import { findEnd } from './recovery/find-end.js';
import { readAt, readLineBefore } from './recovery/read-lines.js';
import { resumeRollout } from './recovery/resume-rollout.js';
import { syncOrMark } from './rewrite.js';
import type { Clock, FsOps } from './seams.js';

const NEWLINE = Buffer.from('\n');
const BATCH_BYTES = 1 << 20;

export interface ImportParts {
  readonly fs: FsOps;
  readonly clock: Clock;
  readonly leases: Leases;
}

/** An entry of the salvage file. */
interface Entry {
  /** Undefined where lines have none. */
  readonly ordinal: number | undefined;
  /** Of the record's line in the salvage file. */
  readonly offset: number;
  readonly bytes: number;
  /** The line is that one, byte for byte. */
  readonly digest: string;
}
interface Salvaged {
  readonly byThread: ReadonlyMap<ThreadId, Entry[]>;
  /** Where the first line stands that is no entry. */
  readonly damagedAt: number | undefined;
}
/** Entries of one thread. */
interface Subject {
  readonly threadId: ThreadId;
  readonly entries: readonly Entry[];
  /** The salvage file, and the sidecar's directory. */
  readonly salvagePath: string;
  readonly directory: string;
}
/** What is to be done with one thread. */
interface Plan {
  readonly threadId: ThreadId;
  readonly path: string;
  readonly missing: readonly Entry[];
  readonly alreadyThere: number;
}

/**
 * Nothing is changed before all threads have been looked at. What was put back before an error, or before this process
 * died, is found there the next time. @throws as importSalvage()
 */
export async function importEntries(parts: ImportParts, salvagePath: string, directory: string): Promise<ImportReport> {
  const salvage = await openRollout(salvagePath);
  try {
    const { byThread, damagedAt } = await readEntries(salvage);
    const plans: Plan[] = [];
    for (const [threadId, entries] of byThread) plans.push(await planOf(parts, { threadId, entries, salvagePath, directory }));
    for (const plan of plans) await putBack(parts, salvage.fd, plan);
    const report = {
      records: plans.reduce((sum, { missing }) => sum + missing.length, 0),
      alreadyThere: plans.reduce((sum, { alreadyThere }) => sum + alreadyThere, 0),
    };
    if (damagedAt === undefined) return report;
    const context = { path: salvagePath, offset: damagedAt, ...report };
    throw new LastwordError('LASTWORD_ROLLOUT_CORRUPT', `the salvage file is damaged at ${damagedAt}; what stands before is put back`, context);
  } finally {
    parts.leases.releaseAll();
    await salvage.close();
  }
}

/** Every entry up to the first line that is none, without the lines themselves. */
async function readEntries(salvage: Awaited<ReturnType<typeof openRollout>>): Promise<Salvaged> {
  const byThread = new Map<ThreadId, Entry[]>();
  const lines = new LineSplitter(LINE_BYTES_MAX + ENTRY_BYTES);
  const source = new RolloutSource(salvage);
  for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) {
    lines.feed(chunk);
    for (let line = lines.next(); line !== undefined; line = lines.next()) {
      const entry = line.content === undefined ? undefined : decodeEntry(line.content);
      if (entry === undefined) return { byThread, damagedAt: line.offset };
      const entries = byThread.get(entry.threadId) ?? [];
      byThread.set(entry.threadId, entries);
      entries.push({ ordinal: entry.ordinal, offset: line.offset + PREFIX_BYTES, bytes: entry.line.byteLength, digest: digestOf(entry.line) });
    }
  }
  // Every entry was written with its newline.
  return { byThread, damagedAt: lines.last()?.offset };
}

/** Takes the thread's lease, and finds out what its rollout lacks. @throws where it went on with other records in their place */
async function planOf({ fs, leases }: ImportParts, { threadId, entries, salvagePath, directory }: Subject): Promise<Plan> {
  await locate(directory, threadId);
  leases.hold(threadId);
  // It may have been moved until now.
  const path = await locate(directory, threadId);
  const descriptor = fs.openFile(path);
  try {
    const { nextOrdinal, wholeBytes, isNumbered } = findEnd(fs, descriptor, path);
    const sorted = isNumbered ? withoutCopies(entries) : entries;
    const there = findThere(fs, descriptor, wholeBytes, sorted, isNumbered);
    const missing = sorted.filter((entry) => !there.has(entry));
    for (const [place, { ordinal }] of missing.entries()) {
      const isFree = isNumbered ? ordinal !== undefined && ordinal >= nextOrdinal && ordinal > (missing[place - 1]?.ordinal ?? -1) : ordinal === undefined;
      if (!isFree) throw conflict(salvagePath, threadId, ordinal);
    }
    return { threadId, path, missing, alreadyThere: entries.length - missing.length };
  } finally {
    fs.close(descriptor);
  }
}

/** @throws LASTWORD_THREAD_NOT_FOUND */
async function locate(directory: string, threadId: ThreadId): Promise<string> {
  const stored = await locateRollout(directory, threadId);
  if (stored === undefined) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${threadId} has no rollout`, { threadId });
  return stored.path;
}

/** In the order of their ordinals; of several that are the same, one. */
function withoutCopies(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((one, other) => (one.ordinal ?? 0) - (other.ordinal ?? 0))
    .filter(({ digest }, place, sorted) => digest !== sorted[place - 1]?.digest);
}

/** Which of them the rollout has, found from its end: as far back as the first of them may stand. */
function findThere(fs: FsOps, descriptor: number, wholeBytes: number, entries: readonly Entry[], isNumbered: boolean): Set<Entry> {
  const wanted = new Map<string, Entry[]>();
  for (const entry of entries) wanted.set(entry.digest, [...wanted.get(entry.digest) ?? [], entry]);
  const first = isNumbered ? entries[0]?.ordinal ?? 0 : 0;
  const there = new Set<Entry>();
  for (let end = wholeBytes; end > 0 && there.size < entries.length;) {
    const { content, start } = readLineBefore(fs, descriptor, end, LINE_BYTES_MAX);
    end = start;
    if (content === undefined) continue;
    // Where lines have no ordinals, two may be the same.
    const entry = wanted.get(digestOf(content))?.shift();
    if (entry !== undefined) there.add(entry);
    else if (isNumbered && (readHeadOrdinal(content) ?? first) < first) break;
  }
  return there;
}

/** Appends what is missing, and syncs it with what is there. A line that was begun when this process died is cut the next time. */
async function putBack({ fs, clock, leases }: ImportParts, salvage: number, { threadId, path, missing }: Plan): Promise<void> {
  // Nothing need be held: the salvage file has it all.
  const held = new HeldPool(BATCH_BYTES);
  const { file, descriptor } = await resumeRollout({ fs, clock, leases, held }, { threadId, path, slot: 0, incarnation: 0 });
  try {
    let lines: Buffer[] = [];
    let bytes = 0;
    const write = (): void => {
      file.append(fs, descriptor, Buffer.concat(lines, bytes), 0, bytes);
      file.commit(bytes, clock.monotonicUs());
      [lines, bytes] = [[], 0];
    };
    for (const entry of missing) {
      lines.push(readAt(fs, salvage, entry.offset, entry.bytes), NEWLINE);
      bytes += entry.bytes + NEWLINE.byteLength;
      if (bytes >= BATCH_BYTES) write();
    }
    if (bytes > 0) write();
    await syncOrMark(fs, descriptor, path);
  } finally {
    fs.close(descriptor);
  }
}

function digestOf(line: Buffer): string {
  return createHash('sha256').update(line).digest('base64');
}

function conflict(path: string, threadId: ThreadId, ordinal: number | undefined): LastwordError {
  const what = ordinal === undefined ? 'its records are not numbered as the salvaged ones are' : `its rollout went on with another record as ordinal ${ordinal}`;
  return new LastwordError('LASTWORD_INVALID_OPTION', `thread ${threadId}: ${what}; nothing was put back`, { option: 'path', value: path, path, threadId, ordinal });
}
