/** Rollouts as others left them: written by hand, wherever a test wants them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ListOptions, Sidecar, ThreadPage, ThreadSummary } from 'lastword';
import { encodeLine } from '../../src/rollout/envelope.js';
import { newThreadId } from '../../src/rollout/thread-id.js';
import { archivedPath, rolloutPath } from '../../src/rollout/rollout-path.js';
import type { RolloutItem } from '../../src/types.js';
import { ordinal } from '../../src/units.js';

export interface Planted { readonly id: string; readonly path: string }

export interface Plant {
  readonly id?: string;
  /** From the directory; where the id says unless told otherwise. */
  readonly at?: string;
  readonly isArchived?: boolean;
  /** Members of the header's payload. */
  readonly meta?: Record<string, unknown>;
  /** Behind the header. */
  readonly items?: readonly RolloutItem[];
  /** In place of all of it. */
  readonly bytes?: Buffer | string;
}

const TIME_MS = Date.UTC(2026, 4, 6, 7, 8, 9, 10);
const TIME = new Date(TIME_MS).toISOString();

/** An id made at that time; ids of one millisecond sort as they were asked for. */
export function idAt(timeMs: number): string {
  return newThreadId(timeMs);
}

/** The id of a thread made so many minutes after the others. */
export function idAtMinute(minute: number): string {
  return newThreadId(TIME_MS + minute * 60_000);
}

export function plant(directory: string, { id = idAtMinute(0), at, isArchived = false, meta = {}, items = [], bytes }: Plant = {}): Planted {
  const path = at === undefined ? (isArchived ? archivedPath : rolloutPath)(directory, id) : join(directory, at);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes ?? linesOfItems([headerOf(id, meta), ...items]));
  return { id, path };
}

export function headerOf(id: string, meta: Record<string, unknown> = {}): RolloutItem {
  return { type: 'session_meta', payload: { id, timestamp: TIME, ...meta, history_mode: 'paginated' } };
}

export function linesOfItems(items: readonly RolloutItem[]): Buffer {
  return Buffer.concat(items.map((item, number) => encodeLine(TIME, ordinal(number), item)));
}

/** Ordinary items of about a kilobyte. */
export function fillerOf(bytes: number): RolloutItem[] {
  return Array.from({ length: Math.ceil(bytes / 1100) }, (_, index) => ({ type: 'event_msg', payload: { index, text: 'x'.repeat(1000) } }));
}

/** Every page, one after the other. */
export async function pagesOf(sidecar: Sidecar, options: ListOptions = {}): Promise<ThreadPage[]> {
  const pages: ThreadPage[] = [];
  let cursor: string | undefined;
  do {
    const page = await sidecar.listThreads({ ...options, cursor });
    pages.push(page);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return pages;
}

export async function listed(sidecar: Sidecar, options: ListOptions = {}): Promise<ThreadSummary[]> {
  return (await pagesOf(sidecar, options)).flatMap(({ threads }) => threads);
}

export async function idsOf(sidecar: Sidecar, options: ListOptions = {}): Promise<string[]> {
  return (await listed(sidecar, options)).map(({ id }) => id);
}

export async function damagedOf(sidecar: Sidecar, options: ListOptions = {}): Promise<{ path: string; reason: string }[]> {
  return (await pagesOf(sidecar, options)).flatMap(({ damaged }) => damaged);
}
