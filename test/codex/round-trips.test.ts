/** One thread, resumed by codex and by us in turns, five times each: in our form, in codex's, and in its old one. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { corpusFiles } from '../support/rollouts.js';
import { linesOf, openTestSidecar, recordsOf, upTo } from '../support/sidecars.js';
import { codexHome, heardBy, message, messagesIn, metaFor, OLD_ID, oldThread, resumeTurn, rolloutsOf, startTurn, type Home } from './run.js';

const ROUNDS = 5;

/** A thread with a question and an answer; what is in it from then on belongs to the rounds. */
interface Begun { readonly id: string; readonly path: string; readonly isNumbered: boolean }

async function begunByUs(home: Home): Promise<Begun> {
  const sidecar = await openTestSidecar({ directory: home.directory });
  const thread = await sidecar.createThread({ meta: metaFor(home) });
  thread.append(message('user', 'the question'));
  thread.append(message('assistant', 'the answer'));
  await sidecar.close();
  return { id: thread.id, path: thread.path, isNumbered: true };
}

async function begunByCodex(home: Home): Promise<Begun> {
  heardBy(await startTurn(home, 'the question'));
  const [[id = '', path = ''] = []] = rolloutsOf(home);
  return { id, path, isNumbered: true };
}

function begunLongAgo(home: Home): Promise<Begun> {
  return Promise.resolve({ id: OLD_ID, path: oldThread(home), isNumbered: false });
}

/** A real session of 384 records; only whose model it was is changed. */
function begunBySomebody(home: Home): Promise<Begun> {
  const file = corpusFiles.find(({ path }) => path.includes(OLD_ID));
  if (file === undefined) throw new Error('no real rollouts beside the project');
  const text = file.bytes.toString().replace('"model_provider":"openai"', '"model_provider":"scripted"');
  return Promise.resolve({ id: OLD_ID, path: oldThread(home, text), isNumbered: false });
}

/** Ours in a round: a question and an answer, with what codex does not know between them. */
async function goOnHere({ directory }: Home, id: string, round: number): Promise<number> {
  const sidecar = await openTestSidecar({ directory });
  const thread = await sidecar.resumeThread(id);
  expect(thread.recovery).toBeUndefined();
  const first = thread.append(message('user', `our question ${round}`));
  thread.append({ type: 'host_note', payload: { round } });
  thread.setMeta({ round });
  thread.append(message('assistant', `our answer ${round}`));
  await sidecar.close();
  return first;
}

test.for<[string, (home: Home) => Promise<Begun>]>([
  ['begun by us', begunByUs], ['begun by codex', begunByCodex],
  ['begun by codex before it numbered records', begunLongAgo],
  ...(corpusFiles.length === 0 ? [] : [['begun by somebody before codex numbered records', begunBySomebody] as [string, typeof begunBySomebody]]),
])(`a thread %s goes back and forth ${ROUNDS} times: all ordinals, every message in the model's input, no byte changed`, async ([, begin], context) => {
  const home = codexHome(context);
  const { id, path, isNumbered } = await begin(home);
  const messages = await messagesIn(home, id);
  const known = new Set(messages);
  let before = readFileSync(path);
  for (const round of upTo(ROUNDS)) {
    const heard = heardBy(await resumeTurn(home, id, `their question ${round}`));
    messages.push(`their question ${round}`);
    known.add(`their question ${round}`);
    expect(heard.filter((text) => known.has(text))).toEqual(messages);
    const next = (await recordsOf(path)).length;
    expect(await goOnHere(home, id, round)).toBe(next);
    for (const text of ['answer 1', `our question ${round}`, `our answer ${round}`]) {
      messages.push(text);
      known.add(text);
    }
    const after = readFileSync(path);
    expect(after.subarray(0, before.length)).toEqual(before);
    before = after;
  }
  const records = await recordsOf(path);
  expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(records.length));
  expect((await messagesIn(home, id)).filter((text) => known.has(text))).toEqual(messages);
  const lines = linesOf(path).map((line) => JSON.parse(line) as object);
  expect(lines.filter((line) => 'ordinal' in line)).toHaveLength(isNumbered ? records.length : 0);
  expect(lines.filter((line) => 'crc' in line).length).toBe(4 * ROUNDS + (begin === begunByUs ? 3 : 0));
});
