/** What a process that ended has salvaged. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { importSalvage } from 'lastword';
import { expect } from 'vitest';
import { expectKept, type Ended } from './run.js';

export interface Unwritten { readonly threadId: string; readonly from: number; readonly to: number; readonly salvage?: string; readonly records?: number }
export interface Logged { readonly level: number; readonly msg: string; readonly code?: string; readonly unwritten?: readonly Unwritten[] }

/** What the library logged at level error: pino's lines, among whatever the process itself prints. */
export function errorsOf({ stderr }: Pick<Ended, 'stderr'>): Logged[] {
  const lines = stderr.split('\n').filter((line) => line.includes('"name":"lastword"')).map((line) => JSON.parse(line) as Logged);
  return lines.filter(({ level }) => level >= 50);
}

/** What was said not to be written; of each thread, the last of it. */
export function unwrittenOf(ended: Ended, message = 'the process ends'): Unwritten[] {
  const ranges = errorsOf(ended).filter(({ msg }) => msg.startsWith(message)).flatMap(({ unwritten = [] }) => unwritten);
  return [...new Map(ranges.map((range) => [range.threadId, range])).values()];
}

/** The log says where what is not written is; put back, everything accepted is in the files, once. */
export async function expectSalvaged(ended: Ended, what: string): Promise<void> {
  const { accepted = [], ids = [], paths = [] } = ended.told;
  const unwritten = unwrittenOf(ended);
  expect(unwritten.length, `${what}: threads with something that is not written`).toBeGreaterThan(0);
  for (const { threadId, from, to, salvage = '', records } of unwritten) {
    const which = ids.indexOf(threadId);
    expect({ to, records }, `${what}: the range of thread ${which}`).toEqual({ to: (accepted[which] ?? 0) - 1, records: to - from + 1 });
    expect(existsSync(salvage), `${what}: ${salvage} is there`).toBe(true);
    const directory = dirname(dirname(dirname(dirname(dirname(paths[which] ?? '')))));
    expect(await importSalvage(salvage, directory), `${what}: thread ${which}`).toEqual({ records, alreadyThere: 0 });
  }
  await expectKept(ended, what);
}
