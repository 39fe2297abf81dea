/** Sidecars over temporary folders, and what tests read back. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSidecar, type RolloutRecord, type Sidecar, type SidecarOptions } from 'lastword';
import { readRollout } from 'lastword';
import { onTestFinished } from 'vitest';
import { mutantPackage, mutantWriter, type Patch } from './mutants.js';

/** A folder that is gone after the test. The writer of a mutant that failed to close may still make files in it: it is emptied again, a bounded number of times. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lastword-test-'));
  onTestFinished(() => { rmSync(folder, { recursive: true, force: true, maxRetries: 10 }); });
  return folder;
}

/** A sidecar that is closed after the test, whatever state it is in. It logs nothing unless the test listens. */
export async function openTestSidecar(options: Partial<SidecarOptions> = {}): Promise<Sidecar> {
  const sidecar = await openSidecar({ directory: temporaryFolder(), logger: false, syncIntervalMs: 0, ...options });
  onTestFinished(async () => {
    // A test may leave it failed, or with a drain that cannot be acknowledged: its worker holds nothing back.
    await sidecar.close({ timeoutMs: 2_000 }).catch(() => undefined);
  });
  return sidecar;
}

export async function recordsOf(path: string): Promise<RolloutRecord[]> {
  const records: RolloutRecord[] = [];
  for await (const record of readRollout(path, { onDamage: (damage) => { throw new Error(`damage: ${JSON.stringify(damage)}`); } })) {
    records.push(record);
  }
  return records;
}

/** The items behind the header, without their envelopes. */
export async function itemsOf(path: string): Promise<object[]> {
  return (await recordsOf(path)).slice(1).map(({ timestamp, ordinal, ...item }) => item);
}

export function linesOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  return text === '' ? [] : text.slice(0, -1).split('\n');
}

/** A small item that can be told from others. */
export function numbered(index: number): { type: string; payload: { index: number; text: string } } {
  return { type: 'event_msg', payload: { index, text: `item ${index}` } };
}

/** Numbers 0 to `count` - 1. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** What the promise rejected with; fails when it resolved. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it resolved');
}

/** What the function threw; fails when it returned. */
export function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('it returned');
}

/** Waits for a condition that other code brings about, without a clock of its own: one turn of the loop a look. */
export async function until(isReached: () => boolean, what: string, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!isReached()) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen in ${deadlineMs} ms`);
    await new Promise((resolve) => { setImmediate(resolve); });
  }
}

/** The writer dies of an item of the type BREAK. */
export const BREAKS: Patch = {
  file: 'worker/writer.js', find: 'output.line(groups',
  replace: `if (Buffer.from(memory.bytes.buffer, groups.payloadOffset, groups.payloadBytes).includes('BREAK')) process.exit(1);
            output.line(groups`,
};

export function breakingWriter(): URL {
  return mutantWriter(BREAKS);
}

/** In a patch: this is the first writer of its sidecar. */
export const IS_FIRST_WRITER = "process.getBuiltinModule('node:worker_threads').workerData.predecessor === undefined";

/** The first writer dies of an item of the type BREAK; its successor does not. */
export const BREAKS_ONCE: Patch = { ...BREAKS, replace: BREAKS.replace.replace('if (', `if (${IS_FIRST_WRITER} && `) };

export function oneDeath(): URL {
  return mutantWriter(BREAKS_ONCE);
}

/** A library whose writers all die of such an item, and whose main thread cannot take their place. */
export function lostLibrary(...more: Patch[]): { lastwordUrl: string; writerUrl: URL } {
  const { lastwordUrl, writerUrl } = mutantPackage(BREAKS, ...more, {
    file: 'worker/standby.js', find: 'takeOver(this.#engine, this.#directory, openings);', replace: "throw new Error('main cannot write');",
  });
  return { lastwordUrl, writerUrl: new URL(writerUrl) };
}
