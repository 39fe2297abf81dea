import { execFile } from 'node:child_process';
import { closeSync, lstatSync, openSync, readSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { figure, whole } from '../format.js';
import { plantRollouts } from '../load/rollouts.js';
import type { ReadingRow } from './reading.js';
import { median, withDirectory } from './support.js';

const THREADS = { quick: 20_000, full: 100_000 } as const;
const PAGE = 50;
const TARGET_MS = 100;
const CHILD = fileURLToPath(new URL('lists-child.js', import.meta.url));

/** Pages of many small rollouts. What is first is so in a fresh process each time, its pool of threads not started. */
export function runLists(repetitions: number, isQuick: boolean, seed: number): Promise<ReadingRow[]> {
  return withDirectory(async (directory) => {
    const count = THREADS[isQuick ? 'quick' : 'full'];
    plantRollouts(directory, count, seed);
    const times = { every: [] as number[], page: [] as number[], newest: [] as number[], build: [] as number[], stored: [] as number[], further: [] as number[], filtered: [] as number[] };
    for (let round = 0; round < repetitions; round += 1) {
      times.every.push(bareHeads(directory, Infinity, count));
      times.page.push(bareHeads(directory, PAGE, PAGE));
      times.newest.push((await inChild(directory, 'newest')).first);
      rmSync(join(directory, 'catalogue.jsonl'), { force: true });
      times.build.push((await inChild(directory, 'catalogue')).first);
      const { first, further, filtered } = await inChild(directory, 'catalogue');
      times.stored.push(first);
      times.further.push(...further);
      times.filtered.push(...filtered);
    }
    const [every, page, newest, build] = [median(times.every), median(times.page), median(times.newest), median(times.build)];
    const all = `opening all of them, bare, ${whole(every)} ms`;
    const perSecond = (ms: number): string => `${whole((count / ms) * 1000)} files/s`;
    const verdict = (ms: number): string => `< ${TARGET_MS} ms ${ms < TARGET_MS ? 'met' : 'MISSED'}`;
    const row = (what: string, ms: number, beside: string): ReadingRow => ({ what, ours: `${figure(ms)} ms`, beside, target: verdict(ms) });
    return [
      row(`newest ${PAGE} of ${whole(count)}, cold`, newest, `${all}: ${figure(newest / every)} ×; the ${PAGE} alone ${figure(page)} ms`),
      { what: 'catalogue, made', ours: perSecond(build), beside: `${all}, ${perSecond(every)}: ${figure(every / build)} ×`, target: '–' },
      row('by change, catalogue stored, first of a process', median(times.stored), `${figure(median(times.stored) / every)} × opening all`),
      row('by change, further ones', median(times.further), `${figure(median(times.further) / every)} × opening all`),
      row('of one folder, further ones', median(times.filtered), `${figure(median(times.filtered) / every)} × opening all`),
    ];
  });
}

/** What a bare program needs to look into the newest so many files: names, state, first line. */
function bareHeads(directory: string, count: number, expected: number): number {
  const begin = performance.now();
  const buffer = Buffer.allocUnsafe(64 << 10);
  const folders = [join(directory, 'sessions')];
  let files = 0;
  for (let folder = folders.pop(); folder !== undefined && files < count; folder = folders.pop()) {
    for (const name of readdirSync(folder).sort().reverse()) {
      const path = join(folder, name);
      if (!name.endsWith('.jsonl')) {
        folders.push(path);
        continue;
      }
      if (files >= count) break;
      lstatSync(path);
      const descriptor = openSync(path, 'r');
      const bytes = readSync(descriptor, buffer, 0, buffer.length, 0);
      closeSync(descriptor);
      JSON.parse(buffer.toString('utf8', 0, buffer.subarray(0, bytes).indexOf(0x0a)));
      files += 1;
    }
    folders.sort();
  }
  if (files !== expected) throw new Error(`${files} files, not ${expected}`);
  return performance.now() - begin;
}

async function inChild(directory: string, what: string): Promise<{ first: number; further: number[]; filtered: number[] }> {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, directory, what]);
  return JSON.parse(stdout) as { first: number; further: number[]; filtered: number[] };
}
