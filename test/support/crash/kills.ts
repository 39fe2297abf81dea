/** Hosts that are killed at random moments, and what is left. */
import { rmSync } from 'node:fs';
import { randomFrom } from '../random.js';
import { temporaryFolder } from '../sidecars.js';
import { complaintsAfterCrash, type Expected } from './check.js';
import { startHost, type Load } from './run.js';

const SHAPES = ['loop', 'paced', 'burst'] as const;
const ITEM_BYTES_MIN = 100;
const ITEM_BYTES_MAX = 512 * 1024;
/** Hosts at a time: the machine has few cores. */
const LANES = 2;

/** A load drawn at random: its records have 100 bytes to 1 MiB. */
export function drawLoad(directory: string, seed: number): Load {
  const next = randomFrom(seed);
  const itemBytes = Math.floor(ITEM_BYTES_MIN * (ITEM_BYTES_MAX / ITEM_BYTES_MIN) ** (next(1000) / 999));
  const ringBytes = [64, 256, 8192][next(3)] ?? 64;
  return {
    directory, seed, shape: SHAPES[next(SHAPES.length)] ?? 'loop', itemBytes, threads: 1 + next(4), flushEach: 1 + next(40),
    durability: next(3) === 0 ? 'synced' : 'written', itemsMax: 1e9,
    options: { ringBytes: ringBytes * 1024, overflowBytes: 4 << 20, itemBytesMax: 2 << 20, fullTimeoutMs: 60_000, syncIntervalMs: next(2) * 20 },
  };
}

export interface Killed {
  readonly complaints: string[];
  readonly seed: number;
  /** Records that were told to be written. */
  readonly written: number;
}

/** Starts a host, kills it some moment later, and looks. */
export async function killOnce(seed: number, more: Partial<Load> = {}, expected: Partial<Expected> = {}): Promise<Killed> {
  const next = randomFrom(~seed);
  const load = { ...drawLoad(temporaryFolder(), seed), ...more };
  const host = startHost(load);
  // One in eight dies while it starts.
  if (next(8) > 0) await host.ready;
  await new Promise((resolve) => { setTimeout(resolve, next(250)); });
  host.child.kill('SIGKILL');
  const { told, signal } = await host.ended;
  const { options: { ringBytes = 0, overflowBytes = 0 }, itemBytes } = load;
  const complaints = await complaintsAfterCrash(load.directory, { told, level: 'written', missingBytesMax: ringBytes + overflowBytes, itemBytes, ...expected });
  rmSync(load.directory, { recursive: true });
  if (signal !== 'SIGKILL') complaints.push('the host ended by itself');
  return { complaints, seed, written: told.written.reduce((sum, each) => sum + each, 0) };
}

/** So many of them, some at a time. */
export async function killOften(times: number, seed: number, more: Partial<Load> = {}, expected: Partial<Expected> = {}): Promise<Killed[]> {
  const killed: Killed[] = [];
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started < times) killed.push(await killOnce(seed + started++, more, expected));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return killed;
}
