/** Threads that codex began. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { linesOf } from '../support/sidecars.js';
import { codexHome, heardBy, resumeHere, resumeTurn, startTurn, wholeTypes, type Home } from './run.js';

const FIXTURE = fileURLToPath(new URL('../fixtures/codex/begun-by-codex.jsonl', import.meta.url));

/** The one thread of the home. */
function onlyRollout({ directory }: Home): { id: string; path: string } {
  const names = readdirSync(join(directory, 'sessions'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.jsonl'));
  expect(names).toHaveLength(1);
  const [name = ''] = names;
  return { id: name.slice(-'00000000-0000-0000-0000-000000000000.jsonl'.length, -'.jsonl'.length), path: join(directory, 'sessions', name) };
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
