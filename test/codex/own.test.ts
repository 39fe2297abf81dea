/** Threads that codex began. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { linesOf, openTestSidecar, rejection, until } from '../support/sidecars.js';
import { codexHome, heardBy, resumeHere, resumeTurn, rolloutsOf, startTurn, wholeTypes, type Home } from './run.js';

const FIXTURE = fileURLToPath(new URL('../fixtures/codex/begun-by-codex.jsonl', import.meta.url));

/** The one thread of the home. */
function onlyRollout(home: Home): { id: string; path: string } {
  const [rollout, ...others] = rolloutsOf(home);
  if (rollout === undefined || others.length > 0) throw new Error(`${others.length + 1} rollouts, or none`);
  return { id: rollout[0], path: rollout[1] };
}

test('a thread of codex\'s own is read whole: every record numbered, none with a checksum, of the types in the fixture', async (context) => {
  const home = codexHome(context);
  heardBy(await startTurn(home, 'Count to three.', { commands: ['seq 1 3'] }));
  const { path } = onlyRollout(home);
  const types = await wholeTypes(path);
  expect(types[0]).toBe('session_meta');
  // The turn's events and its items are written side by side.
  expect(types.sort()).toEqual((await wholeTypes(FIXTURE)).sort());
  for (const line of linesOf(path)) {
    const members = Object.keys(JSON.parse(line) as object);
    expect(members.filter((member) => member !== 'metadata')).toEqual(['timestamp', 'ordinal', 'type', 'payload']);
  }
});

test.for(['UTC', 'Asia/Tokyo', 'America/Los_Angeles'])('a thread of codex\'s own, begun in %s, is resumed by us by its id, and by codex again', async (timeZone, context) => {
  const home = codexHome(context);
  heardBy(await startTurn(home, 'their question', { timeZone }));
  const { id, path } = onlyRollout(home);
  const next = (await wholeTypes(path)).length;
  expect(await resumeHere(home, id, 'our remark')).toEqual({ ordinals: [next], tornBytes: 0 });
  const heard = heardBy(await resumeTurn(home, id, 'go on'));
  expect(heard.filter((text) => ['their question', 'our remark', 'go on'].includes(text))).toEqual(['their question', 'our remark', 'go on']);
  expect((await wholeTypes(path)).length).toBeGreaterThan(next + 1);
});

test('a thread that codex has open is busy, and names codex\'s process; it is free when codex has ended', async (context) => {
  const home = codexHome(context);
  const turn = startTurn(home, 'Wait.', { commands: ['until [ -e go ]; do sleep 0.05; done'] });
  const locks = join(home.directory, 'thread-writer-locks');
  await until(() => existsSync(join(home.directory, 'sessions')) && rolloutsOf(home).size === 1, 'codex\'s rollout', 30_000);
  const { id, path } = onlyRollout(home);
  const sidecar = await openTestSidecar({ directory: home.directory });
  const error = await rejection(sidecar.resumeThread(id)) as { context: { owner: { pid: number } } };
  const { pid } = error.context.owner;
  const isCodex = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  writeFileSync(join(home.folder, 'go'), '');
  heardBy(await turn);
  expect(error).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { threadId: id, path: join(locks, `${id}.lock`) } });
  expect(isCodex).toBe('codex');
  const thread = await sidecar.resumeThread(id);
  expect(thread.accepted).toBe((await wholeTypes(path)).length);
});
