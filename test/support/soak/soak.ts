/** Hosts under a random load with random faults, one after the other over one directory, and what must be true of it between them. */
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importSalvage } from 'lastword';
import { complaintsAfterCrash, rolloutsBelow } from '../crash/check.js';
import { CALL_KINDS } from '../crash/errors.js';
import { nothingTold, startProgram } from '../crash/run.js';
import { randomFrom } from '../random.js';

const HOST = fileURLToPath(new URL('host.mjs', import.meta.url));
const ROUND_MS_MAX = 8_000;
/** Every so many rounds one is as long as that. */
const LONG_EACH = 10;
const LONG_MS = 40_000;
/** Of a host that is to close: its threads, one after the other. */
const CLOSE_MS = 60_000;
/** Of the ring, its overflow and Node itself. */
const RSS_BYTES_MAX = 700e6;

/** What may go wrong in a process. `faults`: methods of `Faults`; `spared`: calls that do not fail. */
interface Flavour {
  readonly faults: readonly string[];
  readonly spared: readonly string[];
  readonly isFailing: boolean;
  readonly hasOthers: boolean;
}

const SYNCS = ['fsync', 'fdatasync'];
export const FLAVOURS = {
  calm: { faults: [], spared: [], isFailing: false, hasOthers: false },
  deaths: { faults: ['death', 'termination'], spared: [], isFailing: false, hasOthers: false },
  // A sync that fails for a writer that dies then leaves what is not known to be on disk: not both.
  errors: { faults: ['call', 'disk', 'full', 'death', 'termination'], spared: SYNCS, isFailing: true, hasOthers: false },
  syncs: { faults: ['call', 'disk', 'full'], spared: [], isFailing: true, hasOthers: false },
  others: { faults: [], spared: [], isFailing: false, hasOthers: true },
} satisfies Record<string, Flavour>;
export type FlavourName = keyof typeof FLAVOURS;

/** What a host is to do (`host.mjs`). */
interface Plan {
  readonly directory: string;
  readonly seed: number;
  readonly ms: number;
  readonly flavour: Flavour;
  /** It closes in the end; else it is killed. */
  readonly isClosed: boolean;
  readonly threads: readonly string[];
  /** Threads that others refer to: nobody else changes their files. */
  readonly bases: readonly string[];
  readonly calls: readonly string[];
  readonly options: object;
  readonly lastwordUrl: string | undefined;
  readonly writerUrl: string | undefined;
}

/** Of a thread, as its hosts told. */
interface Entry {
  readonly id: string;
  path: string;
  written: number;
  fate?: 'there' | 'in doubt' | 'deleted';
  /** Somebody else has changed its file, and it is not known to be well again. */
  isSpoiled?: boolean;
  /** Where the rest of it is, up to the number of its items. */
  salvage?: string;
  salvaged?: number;
  isBase?: boolean;
}

interface Line extends Partial<Entry> {
  complaint?: string;
  isClosed?: boolean;
  figures?: { restarts: number; rss: number };
}

export interface Soaked {
  rounds: number;
  /** Processes that were killed. */
  killed: number[];
  /** Those, and such as had a disk that failed. */
  mayLeaveLocks: number[];
  /** Files that a process was making when it was killed, or when its disk refused to remove them. */
  temporaries: Set<string>;
  restarts: number;
  /** Records that were told to be written, and were looked for. */
  written: number;
  complaints: string[];
}

export interface SoakOptions {
  readonly directory: string;
  readonly seed: number;
  readonly ms: number;
  readonly flavours?: readonly FlavourName[];
  readonly lastwordUrl?: string;
  readonly writerUrl?: string;
}

/** Until the time is up, or the first round after which something is not as it must be. */
export async function soak({ directory, seed, ms, flavours = Object.keys(FLAVOURS) as FlavourName[], lastwordUrl, writerUrl }: SoakOptions): Promise<Soaked> {
  const next = randomFrom(seed);
  const entries = new Map<string, Entry>();
  const soaked: Soaked = { rounds: 0, killed: [], mayLeaveLocks: [], temporaries: new Set(), restarts: 0, written: 0, complaints: [] };
  const over = performance.now() + ms;
  for (let isLast = false; !isLast && soaked.complaints.length === 0;) {
    const leftMs = over - performance.now();
    isLast = leftMs < ROUND_MS_MAX;
    const name = isLast ? 'calm' : flavours[next(flavours.length)] ?? 'calm';
    const isLong = soaked.rounds % LONG_EACH === LONG_EACH - 1 && leftMs > 2 * LONG_MS;
    const plan: Plan = {
      directory, seed: next(2 ** 31), ms: isLong ? LONG_MS : 500 + next(ROUND_MS_MAX), flavour: FLAVOURS[name], isClosed: isLast || next(3) === 0,
      threads: idsOf(entries), bases: idsOf(entries, ({ isBase }) => isBase === true), calls: CALL_KINDS, lastwordUrl, writerUrl,
      // A file that is not open when somebody removes it can be made anew only from what is held.
      options: { ringBytes: (64 << 10) * 4 ** next(3), overflowBytes: 4 << 20, itemBytesMax: 2 << 20, fullTimeoutMs: 500, syncIntervalMs: next(2) * 50, openFilesMax: next(2) === 0 && name !== 'others' ? 4 : 512 },
    };
    const complaints = [...await runRound(plan, entries, next, soaked), ...await looked(directory, entries, soaked)];
    if (!plan.isClosed || plan.flavour.isFailing) for (const left of namesBelow(directory).filter((one) => one.endsWith('.tmp'))) soaked.temporaries.add(left);
    if (isLast && complaints.length === 0) complaints.push(...leftovers(directory, soaked));
    soaked.rounds += 1;
    soaked.complaints = complaints.map((complaint) => `round ${soaked.rounds}, ${name}, ${plan.isClosed ? 'closed' : 'killed'}: ${complaint}`);
  }
  return soaked;
}

function idsOf(entries: ReadonlyMap<string, Entry>, isMeant: (entry: Entry) => boolean = () => true): string[] {
  return [...entries.values()].filter((entry) => (entry.fate ?? 'there') === 'there' && isMeant(entry)).map(({ id }) => id);
}

/** One process, from its start to its end; what it complained of. */
async function runRound(plan: Plan, entries: Map<string, Entry>, next: (below: number) => number, soaked: Soaked): Promise<string[]> {
  const complaints: string[] = [];
  let isClosed = false;
  const hear = (text: string): void => {
    if (!text.endsWith('}')) return;
    const { complaint, figures, isClosed: closes, id, ...more } = JSON.parse(text) as Line;
    if (complaint !== undefined) complaints.push(complaint);
    if (closes === true) isClosed = true;
    if (figures !== undefined) soaked.restarts += figures.restarts;
    if (figures !== undefined && figures.rss > RSS_BYTES_MAX) complaints.push(`${figures.rss} bytes of memory`);
    if (id !== undefined) entries.set(id, Object.assign(entries.get(id) ?? { id, path: '', written: 0 }, more));
  };
  const host = startProgram([process.execPath, HOST, JSON.stringify(plan)], {}, hear);
  const timer = setTimeout(() => { host.child.kill('SIGKILL'); }, plan.isClosed ? plan.ms + CLOSE_MS : plan.ms * (next(100) / 100));
  const { signal, code } = await host.ended;
  clearTimeout(timer);
  if (plan.isClosed && !isClosed) complaints.push(`the host did not close: it ended with ${signal ?? code}`);
  if (!plan.isClosed && signal !== 'SIGKILL') complaints.push(`the host ended by itself, with ${signal ?? code}`);
  if (!plan.isClosed) soaked.killed.push(host.child.pid ?? 0);
  if (!plan.isClosed || plan.flavour.isFailing) soaked.mayLeaveLocks.push(host.child.pid ?? 0);
  return complaints;
}

/** What is not as it must be between two processes. Every thread that is there is open to the next one. */
async function looked(directory: string, entries: Map<string, Entry>, soaked: Soaked): Promise<string[]> {
  const complaints: string[] = [];
  for (const name of namesBelow(directory)) {
    if (name.endsWith('.moved')) renameSync(join(directory, name), join(directory, name.slice(0, -'.moved'.length)));
  }
  for (const entry of entries.values()) {
    const { id, salvage, salvaged = 0 } = entry;
    if (entry.isSpoiled === true) forget(directory, entries, id);
    else if (salvage !== undefined) {
      await importSalvage(salvage, directory).then(() => { entry.written = salvaged; }, (error: unknown) => { complaints.push(`the import of ${salvage}: ${String(error)}`); });
      rmSync(salvage, { force: true });
      delete entry.salvage;
    }
  }
  const there = new Set(rolloutsBelow(directory).map((path) => basename(path)));
  for (const entry of entries.values()) {
    const isThere = there.has(basename(entry.path));
    if (entry.fate === 'deleted' && isThere) complaints.push(`${entry.id} was deleted, and is there`);
    if (entry.fate === 'in doubt') entry.fate = isThere ? 'there' : 'deleted';
    if (entry.fate === 'deleted') entries.delete(entry.id);
  }
  const told = nothingTold();
  for (const { path, written } of entries.values()) {
    told.paths.push(path);
    told.written.push(written);
    soaked.written += written;
  }
  return [...complaints, ...await complaintsAfterCrash(directory, { told, level: 'written' })];
}

function forget(directory: string, entries: Map<string, Entry>, id: string): void {
  for (const name of namesBelow(directory)) if (name.includes(id)) rmSync(join(directory, name));
  entries.delete(id);
}

/**
 * Everything is closed: there are rollouts, what was kept of torn and foreign ones, and nothing else. But the lock stays
 * of a thread that a process was creating, forking or deleting when it was killed, or when its disk failed and its writer died, until
 * somebody asks for the same thread.
 */
function leftovers(directory: string, { mayLeaveLocks, temporaries }: Soaked): string[] {
  const isKept = (name: string): boolean => {
    if (/rollout-[^/]*\.jsonl(\.(torn|foreign|unsynced)-\d+)?$/.test(name) || temporaries.has(name) || statSync(join(directory, name)).isDirectory()) return true;
    return name.endsWith('.lock') && mayLeaveLocks.includes((JSON.parse(readFileSync(join(directory, name), 'utf8')) as { pid: number }).pid);
  };
  return namesBelow(directory).filter((name) => !isKept(name)).map((name) => `${name} is left`);
}

function namesBelow(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: 'utf8' }) : [];
}
