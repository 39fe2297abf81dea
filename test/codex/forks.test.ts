/** Forks of codex's and of ours, each gone on with by the other, of threads in every form. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { linesOf, openTestSidecar, upTo } from '../support/sidecars.js';
import { codexHome, forkTurn, heardBy, message, messagesIn, metaFor, OLD_ID, oldThread, readThrough, resumeHere, resumeTurn, rolloutsOf, startTurn, type Home } from './run.js';

const OURS = ['one', 'two', 'three'];

/** A thread of ours with three messages. */
async function begun(home: Home): Promise<string> {
  const sidecar = await openTestSidecar({ directory: home.directory });
  const thread = await sidecar.createThread({ meta: metaFor(home) });
  for (const text of OURS) thread.append(message('user', text));
  await sidecar.close();
  return thread.id;
}

/** A fork by us, with one message of its own. */
async function forkHere(home: Home, id: string, through?: number): Promise<string> {
  const sidecar = await openTestSidecar({ directory: home.directory });
  const fork = await sidecar.forkThread(id, { through, meta: metaFor(home) });
  fork.append(message('user', 'in our fork'));
  await sidecar.close();
  return fork.id;
}

/** What codex's model hears of its new fork, and the fork's id. */
async function forkThere(home: Home, id: string, prompt = 'in their fork'): Promise<{ id: string; heard: string[] }> {
  const known = new Set(rolloutsOf(home).keys());
  const heard = heardBy(await forkTurn(home, id, prompt));
  const [fork, ...others] = [...rolloutsOf(home).keys()].filter((other) => !known.has(other));
  if (fork === undefined || others.length > 0) throw new Error(`${others.length} rollouts too many, or none`);
  return { id: fork, heard };
}

/** Instructions aside. */
const spoken = (heard: string[]): string[] => heard.slice(1);
/** What codex adds to a fork of a thread in which no event says that the last turn is complete. */
const ABORTED = expect.stringMatching(/^<turn_aborted>\n/) as string;

describe('a fork by codex', () => {
  test('of its own thread is read with what its model hears, and gone on with by us and by codex', async (context) => {
    const home = codexHome(context);
    heardBy(await startTurn(home, 'their question'));
    const [source = ''] = [...rolloutsOf(home).keys()];
    const { id, heard } = await forkThere(home, source);
    expect(spoken(heard)).toEqual(['their question', 'answer 1', 'in their fork']);
    expect(await messagesIn(home, id)).toEqual([...spoken(heard), 'answer 1']);
    await resumeHere(home, id, 'ours in it');
    expect(spoken(heardBy(await resumeTurn(home, id, 'go on')))).toEqual([...spoken(heard), 'answer 1', 'ours in it', 'go on']);
    expect(await messagesIn(home, source)).toEqual(['their question', 'answer 1']);
  });

  test('of a thread of ours, and of a fork of ours, is read with what its model hears', async (context) => {
    const home = codexHome(context);
    const source = await begun(home);
    const ours = await forkHere(home, source, 2);
    for (const [from, base] of [[source, OURS], [ours, ['one', 'two', 'in our fork']]] as const) {
      const { id, heard } = await forkThere(home, from);
      expect(spoken(heard)).toEqual([...base, ABORTED, 'in their fork']);
      expect(await messagesIn(home, id)).toEqual([...spoken(heard), 'answer 1']);
      expect(await messagesIn(home, from)).toEqual(base);
    }
  });

  test('of a thread of ours whose last turn is said to be complete has nothing added', async (context) => {
    const home = codexHome(context);
    const sidecar = await openTestSidecar({ directory: home.directory });
    const thread = await sidecar.createThread({ meta: metaFor(home) });
    thread.append(message('user', 'one'));
    thread.append({ type: 'event_msg', payload: { type: 'task_complete', turn_id: '01a1fdd8-0000-7000-8000-000000000001', last_agent_message: null } });
    await sidecar.close();
    expect(spoken((await forkThere(home, thread.id)).heard)).toEqual(['one', 'in their fork']);
  });

  test('of a thread from before it numbered records holds a copy, and is read and gone on with in the old form', async (context) => {
    const home = codexHome(context);
    const before = readFileSync(oldThread(home));
    const { id, heard } = await forkThere(home, OLD_ID);
    expect(spoken(heard)).toEqual(['the question', 'the answer', ABORTED, 'in their fork']);
    expect(await messagesIn(home, id)).toEqual([...spoken(heard), 'answer 1']);
    const path = rolloutsOf(home).get(id) ?? '';
    const { ordinals, damage } = await readThrough(path);
    expect([ordinals, damage]).toEqual([upTo(linesOf(path).length), []]);
    expect(await resumeHere(home, id, 'ours in it')).toEqual({ ordinals: [ordinals.length], tornBytes: 0 });
    expect(linesOf(path).filter((line) => line.includes('"ordinal":'))).toEqual([]);
    expect(spoken(heardBy(await resumeTurn(home, id, 'go on')))).toEqual([...spoken(heard), 'answer 1', 'ours in it', 'go on']);
    expect(readFileSync(rolloutsOf(home).get(OLD_ID) ?? '')).toEqual(before);
  });
});

describe('a fork by us', () => {
  test('is resumed by codex, which hears the base up to where it was left, and then the fork, five times', async (context) => {
    const home = codexHome(context);
    const source = await begun(home);
    const fork = await forkHere(home, source, 2);
    await resumeHere(home, source, 'later in the source');
    const messages = ['one', 'two', 'in our fork'];
    for (const round of upTo(5)) {
      messages.push(`theirs ${round}`);
      expect(spoken(heardBy(await resumeTurn(home, fork, `theirs ${round}`)))).toEqual(messages);
      await resumeHere(home, fork, `ours ${round}`);
      messages.push('answer 1', `ours ${round}`);
      expect(await messagesIn(home, fork)).toEqual(messages);
    }
    const { ordinals, damage } = await readThrough(rolloutsOf(home).get(fork) ?? '');
    expect([ordinals, damage]).toEqual([upTo(ordinals.length).map((place) => 3 + place), []]);
    expect(spoken(heardBy(await resumeTurn(home, source, 'go on')))).toEqual([...OURS, 'later in the source', 'go on']);
  });

  test('of codex\'s thread, and of codex\'s fork, is resumed by codex with all of it', async (context) => {
    const home = codexHome(context);
    heardBy(await startTurn(home, 'their question'));
    const [source = ''] = [...rolloutsOf(home).keys()];
    const { id: theirs } = await forkThere(home, source);
    for (const [from, base] of [[source, ['their question', 'answer 1']], [theirs, ['their question', 'answer 1', 'in their fork', 'answer 1']]] as const) {
      const fork = await forkHere(home, from);
      expect(await messagesIn(home, fork)).toEqual([...base, 'in our fork']);
      expect(spoken(heardBy(await resumeTurn(home, fork, 'go on')))).toEqual([...base, 'in our fork', 'go on']);
    }
  });

  test('of a thread from before codex numbered records is refused by codex and left alone; we go on with it', async (context) => {
    const home = codexHome(context);
    oldThread(home);
    const fork = await forkHere(home, OLD_ID);
    const path = rolloutsOf(home).get(fork) ?? '';
    const before = readFileSync(path);
    const { status, stderr, inputs } = await resumeTurn(home, fork, 'go on');
    expect({ status, inputs }).toEqual({ status: 1, inputs: [] });
    expect(stderr).toContain('source rollout is not paginated');
    expect(readFileSync(path)).toEqual(before);
    expect(await resumeHere(home, fork, 'ours in it')).toEqual({ ordinals: [6], tornBytes: 0 });
    expect(await messagesIn(home, fork)).toEqual(['the question', 'the answer', 'in our fork', 'ours in it']);
  });
});

describe('a rollback by us', () => {
  test('is none for codex: resumed or forked, its model hears what was rolled back, and what followed', async (context) => {
    const home = codexHome(context);
    const sidecar = await openTestSidecar({ directory: home.directory });
    const thread = await sidecar.createThread({ meta: metaFor(home) });
    for (const text of OURS) thread.append(message('user', text));
    thread.rollback(2);
    thread.append(message('user', 'four'));
    await sidecar.close();
    expect(await messagesIn(home, thread.id)).toEqual(['one', 'four']);
    const { id } = await forkThere(home, thread.id);
    expect(spoken(heardBy(await resumeTurn(home, thread.id, 'go on')))).toEqual([...OURS, 'four', 'go on']);
    expect(await messagesIn(home, thread.id)).toEqual(['one', 'four', 'go on', 'answer 1']);
    expect(await messagesIn(home, id)).toEqual(['one', 'four', ABORTED, 'in their fork', 'answer 1']);
    expect(spoken(heardBy(await resumeTurn(home, id, 'go on')))).toEqual([...OURS, 'four', ABORTED, 'in their fork', 'answer 1', 'go on']);
  });

  test('in a fork takes the base\'s records out of our view alone', async (context) => {
    const home = codexHome(context);
    const source = await begun(home);
    const sidecar = await openTestSidecar({ directory: home.directory });
    const fork = await sidecar.forkThread(source, { meta: metaFor(home) });
    fork.rollback(3);
    fork.append(message('user', 'instead'));
    await sidecar.close();
    expect(await messagesIn(home, fork.id)).toEqual(['one', 'two', 'instead']);
    expect(spoken(heardBy(await resumeTurn(home, fork.id, 'go on')))).toEqual([...OURS, 'instead', 'go on']);
  });
});
