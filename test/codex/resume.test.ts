/** Codex goes on with rollouts of ours, and we with what it left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, truncateSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTestSidecar, rejection, upTo } from '../support/sidecars.js';
import { codexHome, heardBy, message, metaFor, readThrough, resumeHere, resumeTurn, wholeTypes, type Home } from './run.js';

const KILLED_HOST = fileURLToPath(new URL('killed-host.mjs', import.meta.url));
const KILLED_HOST_LIMIT_MS = 60_000;
/** So many records are on disk before the host is killed. */
const BEFORE_KILL = 20;
/** The last whole line loses its newline and so many bytes before it. */
const CUT_BYTES = 40;

/** A stored thread with a question, an event and an answer. */
async function storedThread(home: Home): Promise<{ id: string; path: string }> {
  const sidecar = await openTestSidecar({ directory: home.directory });
  const thread = await sidecar.createThread({ meta: metaFor(home) });
  thread.append(message('user', 'our question'));
  thread.append({ type: 'event_msg', payload: { type: 'user_message', message: 'our event' } });
  thread.append(message('assistant', 'our answer'));
  await sidecar.close();
  return thread;
}

/** A rollout whose host was killed while it wrote, and that ends amid a line; so many records of it are whole. */
async function tornRollout(home: Home): Promise<{ id: string; path: string; whole: number }> {
  const args = [KILLED_HOST, home.directory, JSON.stringify(metaFor(home))];
  const host = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: KILLED_HOST_LIMIT_MS, killSignal: 'SIGKILL' });
  const ended = once(host, 'exit');
  let last: { id: string; path: string; written: number } | undefined;
  for await (const line of createInterface(host.stdout)) {
    last = JSON.parse(line) as { id: string; path: string; written: number };
    if (last.written >= BEFORE_KILL) host.kill('SIGKILL');
  }
  expect(await ended).toEqual([null, 'SIGKILL']);
  if (last === undefined) throw new Error('the host wrote nothing');
  const { id, path, written } = last;
  const bytes = readFileSync(path);
  const lines = bytes.toString('latin1').split('\n').length - 1;
  expect(lines).toBeGreaterThanOrEqual(written);
  truncateSync(path, bytes.lastIndexOf('\n') - CUT_BYTES);
  const { ordinals, damage } = await readThrough(path);
  expect({ ordinals, damage }).toEqual({ ordinals: upTo(lines - 1), damage: [expect.stringContaining('torn')] });
  return { id, path, whole: ordinals.length };
}

describe('a rollout of ours', () => {
  test('is resumed by codex: its messages reach the model, its events do not, and its ordinals go on', async (context) => {
    const home = codexHome(context);
    const { id, path } = await storedThread(home);
    const ours = readFileSync(path);
    expect(heardBy(await resumeTurn(home, id, 'go on'))).toEqual([expect.any(String), 'our question', 'our answer', 'go on']);
    const types = await wholeTypes(path);
    expect(types.slice(0, 4)).toEqual(['session_meta', 'response_item', 'event_msg', 'response_item']);
    expect(types.slice(4)).toEqual(expect.arrayContaining(['event_msg', 'turn_context', 'response_item']));
    expect(readFileSync(path).subarray(0, ours.length)).toEqual(ours);
  });

  test('whose host was killed amid a line is healed by us, resumed by codex, and resumed by us again', async (context) => {
    const home = codexHome(context);
    const { id, path, whole } = await tornRollout(home);
    const healed = await resumeHere(home, id);
    expect(healed.tornBytes).toBeGreaterThan(0);
    expect(await wholeTypes(path)).toHaveLength(whole);
    const heard = heardBy(await resumeTurn(home, id, 'go on'));
    expect(heard.filter((text) => text.startsWith('note '))).toHaveLength(whole - 1);
    expect(heard.at(-1)).toBe('go on');
    const records = (await wholeTypes(path)).length;
    expect(records).toBeGreaterThan(whole);
    expect(await resumeHere(home, id, 'after all')).toEqual({ ordinals: [records], tornBytes: 0 });
    expect(await wholeTypes(path)).toHaveLength(records + 1);
  });

  test('with a torn end that codex found first keeps the fragment as damage, and loses and repeats no ordinal', async (context) => {
    const home = codexHome(context);
    const { id, path, whole } = await tornRollout(home);
    expect(heardBy(await resumeTurn(home, id, 'go on')).filter((text) => text.startsWith('note '))).toHaveLength(whole - 1);
    const { ordinals: [ours] } = await resumeHere(home, id, 'after all');
    const { ordinals, damage } = await readThrough(path);
    expect(damage).toEqual([expect.stringContaining('malformed')]);
    expect(ordinals).toEqual(upTo(ordinals.length));
    expect(ours).toBe(ordinals.length - 1);
  });

  test('that ends with a type of the host\'s own gets an ordinal twice from codex, and is read whole', async (context) => {
    const home = codexHome(context);
    const sidecar = await openTestSidecar({ directory: home.directory });
    const thread = await sidecar.createThread({ meta: metaFor(home) });
    thread.append(message('user', 'our question'));
    const note = thread.append({ type: 'host_note', payload: { text: 'not for codex' } });
    await sidecar.close();
    heardBy(await resumeTurn(home, thread.id, 'go on'));
    const { ordinals, damage } = await readThrough(thread.path);
    expect(damage).toEqual([`duplicate ${note}`]);
    expect(ordinals).toEqual([...upTo(note + 1), ...upTo(ordinals.length - 1).slice(note)]);
    const next = ordinals.length - 1;
    expect(await resumeHere(home, thread.id, 'after all')).toEqual({ ordinals: [next], tornBytes: 0 });
    expect(await readThrough(thread.path)).toEqual({ ordinals: [...ordinals, next], damage });
  });

  test('whose meta were changed is resumed by codex with all that was before the change', async (context) => {
    const home = codexHome(context);
    const sidecar = await openTestSidecar({ directory: home.directory });
    const thread = await sidecar.createThread({ meta: metaFor(home) });
    thread.append(message('user', 'our question'));
    thread.setMeta({ title: 'a thread' });
    thread.append(message('assistant', 'our answer'));
    await sidecar.close();
    expect(heardBy(await resumeTurn(home, thread.id, 'go on'))).toEqual([expect.any(String), 'our question', 'our answer', 'go on']);
    await wholeTypes(thread.path);
  });

  test('that is still open here is resumed by codex all the same: our next write fails, and what codex wrote stays', async (context) => {
    const home = codexHome(context);
    const sidecar = await openTestSidecar({ directory: home.directory });
    const thread = await sidecar.createThread({ meta: metaFor(home) });
    thread.append(message('user', 'our question'));
    await thread.flush();
    expect(heardBy(await resumeTurn(home, thread.id, 'go on'))).toContain('our question');
    const theirs = readFileSync(thread.path);
    thread.append(message('user', 'too late'));
    expect(await rejection(thread.flush())).toMatchObject({ code: 'LASTWORD_WRITE_FAILED' });
    expect(thread.state).toBe('failed');
    expect(readFileSync(thread.path)).toEqual(theirs);
    await wholeTypes(thread.path);
  });
});
