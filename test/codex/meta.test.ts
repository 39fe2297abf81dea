/** Which members of `meta` codex wants, and where it looks for a rollout. */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTestSidecar } from '../support/sidecars.js';
import { codexHome, heardBy, message, metaFor, resumeTurn, wholeTypes, type Home } from './run.js';

/** A stored thread with a question, whose meta are a host's but for the changes; undefined leaves a member out. */
async function storedThread(home: Home, changes: Record<string, unknown> = {}): Promise<{ id: string; path: string }> {
  const sidecar = await openTestSidecar({ directory: home.directory });
  const thread = await sidecar.createThread({ meta: { ...metaFor(home), ...changes } });
  thread.append(message('user', 'our question'));
  await sidecar.close();
  return thread;
}

describe('codex resumes a thread', () => {
  test.for([
    ['with neither source nor model_provider', { source: undefined, model_provider: undefined }],
    ['with a source of the host\'s own', { source: 'a_host' }],
    ['of a session that began with another one', { session_id: '01a1fd6d-a487-7a60-ae75-61c3087301aa' }],
    ['with members that it does not know', { title: 'a thread', labels: { team: 'red' } }],
    ['whose folder is gone', { cwd: '/tmp/work/gone' }],
  ] as const)('%s', async ([, changes], context) => {
    const home = codexHome(context);
    const { id, path } = await storedThread(home, changes);
    expect(heardBy(await resumeTurn(home, id, 'go on'))).toContain('our question');
    await wholeTypes(path);
  });

  test('that has no item yet', async (context) => {
    const home = codexHome(context);
    const sidecar = await openTestSidecar({ directory: home.directory });
    const thread = await sidecar.createThread({ meta: metaFor(home) });
    await sidecar.close();
    expect(heardBy(await resumeTurn(home, thread.id, 'begin')).at(-1)).toBe('begin');
    await wholeTypes(thread.path);
  });

  test('whose rollout lies under another day and says another time, by the id in its name', async (context) => {
    const home = codexHome(context);
    const { id, path } = await storedThread(home);
    const elsewhere = join(home.directory, 'sessions/2025/01/02');
    mkdirSync(elsewhere, { recursive: true });
    const moved = join(elsewhere, basename(path).replace(/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d/, '2025-01-03T04-05-06'));
    renameSync(path, moved);
    expect(heardBy(await resumeTurn(home, id, 'go on'))).toContain('our question');
    await wholeTypes(moved);
  });
});

describe('codex refuses a thread, and leaves its rollout as it is,', () => {
  test.for([
    ['without cwd', { cwd: undefined }, 'does not start with session metadata'],
    ['without originator', { originator: undefined }, 'does not start with session metadata'],
    ['without cli_version', { cli_version: undefined }, 'does not start with session metadata'],
    ['with a session_id that is no UUID', { session_id: 'mine' }, 'does not start with session metadata'],
    ['of another model_provider', { model_provider: 'another' }, 'model provider'],
  ] as const)('%s', async ([, changes, says], context) => {
    const home = codexHome(context);
    const { id, path } = await storedThread(home, changes);
    const before = readFileSync(path);
    const { status, stderr, inputs } = await resumeTurn(home, id, 'go on');
    expect({ status, inputs }).toEqual({ status: 1, inputs: [] });
    expect(stderr).toContain(says);
    expect(readFileSync(path)).toEqual(before);
  });
});
