import { closeSync, fdatasync, openSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { openSidecar } from 'lastword';
import { figure, table, whole } from '../format.js';
import { poolOf } from '../load/pool.js';
import { peerPaths, recordLine } from '../peers/contender.js';
import { median, withDirectory } from './support.js';

const TARGET = 1.3;
const DIRTY = { quick: [1, 10, 100], full: [1, 10, 100, 1000] } as const;
const sync = promisify(fdatasync);

export interface SyncedRow {
  /** Threads that have one item each to sync. */
  readonly dirty: number;
  readonly oursMs: number;
  readonly bareMs: number;
  readonly ratio: number;
  readonly target: number;
  readonly rounds: { readonly oursMs: number; readonly bareMs: number }[];
}

/** One item for each of N threads, until it is synced, beside a bare program that writes and syncs the same lines in N files of its own. */
export async function runSynced(rounds: number, isQuick: boolean, seed: number): Promise<SyncedRow[]> {
  const rows: SyncedRow[] = [];
  for (const dirty of DIRTY[isQuick ? 'quick' : 'full']) rows.push(await measure(dirty, rounds, seed));
  return rows;
}

function measure(dirty: number, rounds: number, seed: number): Promise<SyncedRow> {
  return withDirectory(async (directory) => {
    const pool = poolOf('520 B', seed);
    const item = (thread: number) => pool[thread % pool.length] ?? { type: 'event_msg' };
    await using sidecar = await openSidecar({ directory, syncIntervalMs: 0 });
    const threads = await Promise.all(Array.from({ length: dirty }, () => sidecar.createThread()));
    const descriptors = peerPaths(directory, dirty).map((path) => openSync(path, 'a'));

    const ours = async (): Promise<void> => {
      for (const [index, thread] of threads.entries()) thread.append(item(index));
      await sidecar.flush({ durability: 'synced', timeoutMs: 60_000 });
    };
    const bare = async (ordinal: number): Promise<void> => {
      for (const [index, descriptor] of descriptors.entries()) writeSync(descriptor, recordLine(ordinal, item(index)));
      await Promise.all(descriptors.map((descriptor) => sync(descriptor)));
    };
    const measured: SyncedRow['rounds'] = [];
    for (let round = -1; round < rounds; round += 1) {
      const oursMs = await millisecondsOf(ours);
      const bareMs = await millisecondsOf(() => bare(round + 2));
      if (round >= 0) measured.push({ oursMs, bareMs });
    }
    for (const descriptor of descriptors) closeSync(descriptor);
    const [oursMs, bareMs] = [median(measured.map((round) => round.oursMs)), median(measured.map((round) => round.bareMs))];
    return { dirty, oursMs, bareMs, ratio: oursMs / bareMs, target: TARGET, rounds: measured };
  });
}

async function millisecondsOf(body: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await body();
  return performance.now() - begin;
}

export function syncedTable(rows: readonly SyncedRow[]): string {
  return table([['threads to sync', 'flush to synced', 'bare write() and fdatasync()', 'ratio', 'target'], ...rows.map(({ dirty, oursMs, bareMs, ratio, target }) =>
    [whole(dirty), `${figure(oursMs)} ms`, `${figure(bareMs)} ms`, `${figure(ratio)} ×`, `≤ ${target} × ${ratio <= target ? 'met' : 'MISSED'}`])]);
}
