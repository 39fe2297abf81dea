/** Rollouts in which Codex wrote, without its binary: `npm run test:codex` is with it. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RolloutRecord } from 'lastword';
import { describe, expect, test } from 'vitest';
import { linesOf, numbered, openTestSidecar, recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';

const FOLDER = fileURLToPath(new URL('../fixtures/codex', import.meta.url));
const BEGUN_BY_CODEX = join(FOLDER, 'begun-by-codex.jsonl');
const BEGUN_BY_LASTWORD = join(FOLDER, 'begun-by-lastword.jsonl');

/** Type and inner type of each record. */
const kindsOf = (records: RolloutRecord[]): string[] =>
  records.map(({ type, payload }) => [type, (payload as { type?: string }).type].filter((part) => part !== undefined).join(' '));

describe('a rollout', () => {
  test('begun by codex is read whole, with the members that only codex writes', async () => {
    const records = await recordsOf(BEGUN_BY_CODEX);
    expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(17));
    expect(kindsOf(records)).toEqual([
      'session_meta', 'event_msg task_started', 'world_state', 'turn_context', 'event_msg thread_settings_applied', 'response_item message',
      'event_msg item_completed', 'response_item function_call', 'token_usage_record', 'event_msg item_completed',
      'response_item function_call_output', 'event_msg token_count', 'event_msg item_completed', 'response_item message', 'token_usage_record',
      'event_msg token_count', 'event_msg task_complete',
    ]);
    expect(records.filter(({ metadata }) => metadata !== undefined).every(({ type }) => type === 'response_item')).toBe(true);
    expect(linesOf(BEGUN_BY_CODEX)).toEqual(records.map((record) => JSON.stringify(record)));
  });

  test('that went from us to codex and back is read whole: our lines have checksums, those of codex have none', async () => {
    const records = await recordsOf(BEGUN_BY_LASTWORD);
    expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(17));
    expect(kindsOf(records)).toEqual([
      'session_meta', 'response_item message', 'response_item message',
      'event_msg thread_settings_applied', 'event_msg thread_settings_applied', 'event_msg task_started', 'world_state', 'turn_context',
      'event_msg thread_settings_applied', 'response_item message', 'event_msg item_completed', 'event_msg item_completed',
      'response_item message', 'token_usage_record', 'event_msg token_count', 'event_msg task_complete',
      'response_item message',
    ]);
    const checked = linesOf(BEGUN_BY_LASTWORD).flatMap((line, index) => (/,"crc":"[0-9a-f]{8}"\}$/.test(line) ? [index] : []));
    expect(checked).toEqual([0, 1, 2, 16]);
  });

  test('begun by codex, named by a local time that is another day, is resumed by its id and keeps every byte', async () => {
    const [header] = await recordsOf(BEGUN_BY_CODEX);
    const { id } = header?.payload as { id: string };
    const directory = temporaryFolder();
    const folder = join(directory, 'sessions/2026/11/22');
    const path = join(folder, `rollout-2026-11-22T01-43-58-${id}.jsonl`);
    mkdirSync(folder, { recursive: true });
    copyFileSync(BEGUN_BY_CODEX, path);
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.resumeThread(id);
    expect(thread).toMatchObject({ path, origin: 'resumed', accepted: 17, recovery: undefined });
    expect(thread.append(numbered(0))).toBe(17);
    await thread.close();
    expect((await recordsOf(path)).map(({ ordinal }) => ordinal)).toEqual(upTo(18));
    const theirs = readFileSync(BEGUN_BY_CODEX);
    expect(readFileSync(path).subarray(0, theirs.length)).toEqual(theirs);
  });
});
