/** Races of a close with what comes at the same time. Each runs on a ledger, which says afterwards what is wrong. */
import { LATE, type RolloutItem, type Thread } from 'lastword';
import type { Ledger } from './ledger.js';
import { fourAtOnce, resumeRaces } from './operation-races.js';
import { numbered, rejection, upTo } from './sidecars.js';
import { deferred, outcomeOf, turn } from './steps.js';

export type Race = (ledger: Ledger) => Promise<void>;

export const TERMINAL: RolloutItem = { type: 'event_msg', payload: { type: 'task_complete' } };
export const LEGACY: RolloutItem = { type: 'event_msg', payload: { type: 'shutdown_complete' } };

/** 2 MB. */
const COMPACTION: readonly RolloutItem[] = upTo(16).map((index) => ({ type: 'compacted', payload: { index, text: 'c'.repeat(128 * 1024) } }));

/** Deltas until the thread is told to stop, and then the terminal event. */
async function stream(ledger: Ledger, thread: Thread, onDelta: (index: number) => void): Promise<void> {
  for (let index = 0; !thread.signal.aborted; index += 1) {
    ledger.append(thread, numbered(index));
    onDelta(index);
    await turn();
  }
  ledger.append(thread, TERMINAL);
}

async function family(ledger: Ledger): Promise<{ root: Thread; child: Thread }> {
  const root = await ledger.create();
  return { root, child: await ledger.create({ parentId: root.id }) };
}

/** A child is closed from within its own stream, at the tenth delta. */
function streaming(isTracked: boolean): Race {
  return async (ledger) => {
    const { root, child } = await family(ledger);
    let closing: Promise<unknown> | undefined;
    const agent = stream(ledger, child, (index) => { if (index === 9) closing = child.close(); });
    if (isTracked) void child.track(agent);
    await agent;
    await closing;
    ledger.note('items of the stream that were taken', child.accepted - 1, isTracked ? 11 : 10);
    ledger.note('items that came late', ledger.late, isTracked ? 0 : 1);
    ledger.append(root, TERMINAL);
    await root.close();
  };
}

async function terminalEvent(ledger: Ledger): Promise<void> {
  const { root, child } = await family(ledger);
  const delivered: unknown[] = [];
  child.subscribe((item, ordinal) => { delivered.push([item.payload, ordinal]); });
  ledger.append(child, numbered(0));
  await child.close();
  ledger.note('the delayed terminal event', ledger.append(child, TERMINAL), LATE);
  ledger.note('the delayed terminal event, published', await ledger.publish(child, TERMINAL), LATE);
  ledger.note('what subscribers heard', delivered, [[TERMINAL.payload, LATE]]);
  const lines = ledger.lines.filter(({ message }) => message.startsWith('late'));
  ledger.note('how it was logged', lines.map(({ level, members }) => [level, members]), upTo(2).map((index) => ['debug', { threadId: child.id, items: 1, late: index + 1 }]));
  ledger.note('the parent', ledger.append(root, numbered(0)), 1);
  await root.close();
}

/** A group of 2 MB comes while the close waits for it; with nobody waiting the thread is sealed, and none of the group is kept. */
function compaction(isTracked: boolean): Race {
  return async (ledger) => {
    const thread = await ledger.create();
    const begun = deferred();
    ledger.append(thread, numbered(0));
    const work = begun.promise.then(() => { ledger.note('the group', ledger.appendAll(thread, COMPACTION), isTracked ? 2 : LATE); });
    if (isTracked) void thread.track(work);
    const closing = thread.close();
    begun.resolve();
    await Promise.all([work, closing]);
    ledger.note('items taken', thread.accepted - 1, isTracked ? 17 : 1);
  };
}

/** The group is taken, and the writer has it before it is all on disk; or the close comes while it is being packed. */
async function compactionUnderWay(ledger: Ledger): Promise<void> {
  const [taken, torn] = [await ledger.create(), await ledger.create()];
  ledger.note('the group before the close', ledger.appendAll(taken, COMPACTION), 1);
  ledger.note('items written when the close begins', taken.written <= 17, true);
  const closing = [taken.close()];
  const closer = { type: 'compacted', get payload() { closing.push(torn.close()); return 'closes its own thread'; } };
  ledger.note('the group that a close came into', ledger.appendAll(torn, [...COMPACTION, closer, ...COMPACTION]), LATE);
  await Promise.all(closing);
}

/** Every method of a closed handle, in every order of three; its slot is another thread's by then. */
async function staleHandle(ledger: Ledger): Promise<void> {
  const stale = await ledger.create();
  ledger.append(stale, numbered(0));
  const closing = stale.close();
  const receipt = await closing;
  const heir = await ledger.create();
  const end = (): void => undefined;
  const methods: Record<string, () => Promise<boolean> | boolean> = {
    append: () => ledger.append(stale, numbered(1)) === LATE,
    appendAll: () => ledger.appendAll(stale, [numbered(1), numbered(2)]) === LATE,
    publish: async () => await ledger.publish(stale, numbered(1)) === LATE,
    rollback: () => ledger.rollback(stale, 1) === LATE,
    setMeta: () => ledger.setMeta(stale, { title: 'late' }) === LATE,
    flush: async () => await stale.flush({ durability: 'synced' }) === receipt,
    close: () => stale.close() === closing,
    dispose: async () => await stale[Symbol.asyncDispose]() === undefined,
    subscribe: () => { stale.subscribe(end)(); return true; },
    track: () => stale.track(closing) === closing,
    hold: () => { stale.hold('late')[Symbol.dispose](); return true; },
    getters: () => stale.state === 'closed' && stale.signal.aborted && stale.accepted === 2 && stale.written === 2 && stale.synced <= 2,
  };
  const names = Object.keys(methods);
  for (const order of names.flatMap((one) => names.flatMap((two) => names.map((three) => [one, two, three])))) {
    for (const name of order) if (await methods[name]?.() !== true) ledger.note(`${name} of the stale handle in ${order.join(', ')}`, 'wrong', 'right');
  }
  ledger.note('the thread that has its slot', [heir.state, heir.accepted, heir.signal.aborted, ledger.append(heir, numbered(9))], ['open', 1, false, 1]);
  await heir.close();
}

async function legacyEvent(ledger: Ledger): Promise<void> {
  const { root, child } = await family(ledger);
  ledger.append(child, numbered(0));
  const { sidecar } = ledger;
  const closing = sidecar.close();
  const receipt = await closing;
  ledger.note('threads that were closed', receipt.threads, 2);
  for (const thread of [child, root]) {
    ledger.note('append', ledger.append(thread, LEGACY), LATE);
    ledger.note('appendAll', ledger.appendAll(thread, [LEGACY, TERMINAL]), LATE);
    ledger.note('publish', await ledger.publish(thread, LEGACY), LATE);
    ledger.note('flush', await thread.flush() === await thread.close(), true);
  }
  ledger.note('the sidecar\'s flush', await sidecar.flush(), []);
  ledger.note('the sidecar\'s close', sidecar.close() === closing, true);
  ledger.note('late', sidecar.stats().items.late, 8);
  ledger.note('levels', [...new Set(ledger.lines.map(({ level }) => level))], ['debug']);
}

/** Everybody closes everything at once. */
async function closes(ledger: Ledger): Promise<void> {
  const { root, child } = await family(ledger);
  for (const thread of [root, child]) ledger.append(thread, numbered(0));
  const held = child.hold('a tool');
  const again = await ledger.sidecar.resumeThread(child.id);
  const first = child.close({ durability: 'synced' });
  const promises = [root.close(), child.close(), again.close(), root.close({ durability: 'synced' })];
  const disposed = [child[Symbol.asyncDispose](), again[Symbol.asyncDispose](), root[Symbol.asyncDispose]()];
  const whole = ledger.sidecar.close();
  ledger.note('closes of the child', promises.map((promise) => promise === first), [false, true, true, false]);
  ledger.note('closes of the root', promises[3] === promises[0], true);
  ledger.append(child, TERMINAL);
  held[Symbol.dispose]();
  await Promise.all([first, ...promises, ...disposed]);
  ledger.note('durability that counts', [(await first).durability, (await root.close()).durability], ['synced', 'written']);
  ledger.note('the sidecar\'s receipt', (await whole).threads, 2);
  ledger.note('another close', child.close() === first && ledger.sidecar.close() === whole, true);
}

/** The parent is closed `ticks` microtasks after a spawn began, and spawns on its signal too. */
async function spawns(ledger: Ledger): Promise<void> {
  for (const ticks of upTo(16)) {
    const root = await ledger.create();
    const parentId = root.id;
    const spawning: Promise<string>[] = [];
    const spawn = (): void => {
      const child = ledger.create({ parentId }).then((thread) => { ledger.append(thread, TERMINAL); return thread; });
      spawning.push(outcomeOf(child, () => 'spawned'));
    };
    root.signal.addEventListener('abort', spawn);
    spawn();
    for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
    const closing = root.close();
    spawn();
    await closing;
    const refused = 'LASTWORD_THREAD_CLOSED';
    const outcomes = await Promise.all(spawning);
    ledger.note(`${ticks}: spawns behind the beginning of the close`, outcomes.slice(1), [refused, refused]);
    ledger.note(`${ticks}: the spawn before it`, ['spawned', refused].includes(outcomes[0] ?? ''), true);
    ledger.note(`${ticks}: a spawn when it is closed`, (await rejection(ledger.create({ parentId })) as { code: string }).code, refused);
  }
}

/** Ten appends each come in the tick of the close, and ten behind its beginning: half of the children are still held then, the others sealed. */
async function thousand(ledger: Ledger): Promise<void> {
  const root = await ledger.create();
  const children = await Promise.all(upTo(1000).map(() => ledger.create({ parentId: root.id })));
  const holds = children.slice(500).map((child) => child.hold('streaming'));
  for (const child of children) child.signal.addEventListener('abort', () => { ledger.append(child, TERMINAL); });
  const appendTen = (): void => {
    for (const index of upTo(10)) for (const child of children) ledger.append(child, numbered(index));
  };
  appendTen();
  const closing = root.close();
  appendTen();
  for (const hold of holds) hold[Symbol.dispose]();
  await closing;
  for (const child of children) ledger.append(child, LEGACY);
  const { accepted, late } = ledger.sidecar.stats().items;
  ledger.note('accepted and late', [accepted, late], [10_000 + 1_000 + 5_000, 5_000 + 1_000]);
}

async function owners(ledger: Ledger): Promise<void> {
  const first = await ledger.create();
  await first.close();
  const { id } = first;
  const goesOn = deferred();
  const own = async (count: number, waitsFor?: Promise<void>): Promise<Thread> => {
    await using thread = ledger.adopt(await ledger.sidecar.resumeThread(id));
    await waitsFor;
    for (const index of upTo(count)) ledger.append(thread, numbered(index));
    return thread;
  };
  const slow = own(3, goesOn.promise);
  const quick = await own(2);
  ledger.note('when one owner is gone', [quick.state, ledger.sidecar.liveThread(id) === quick], ['open', true]);
  goesOn.resolve();
  ledger.note('the other owner\'s handle', await slow === quick, true);
  ledger.note('when both are gone', [quick.state, ledger.append(quick, TERMINAL)], ['closed', LATE]);
}

export const RACES = {
  'a child that is closed while it streams has its last word': streaming(true),
  'a child that is closed while it streams, with nobody waiting for its agent, is late with it': streaming(false),
  'a terminal event delayed until after the close is late, counted and said at debug': terminalEvent,
  'a compaction of 2 MB that is tracked is kept as a whole by the close that it overlaps': compaction(true),
  'a compaction of 2 MB that is not tracked is late as a whole behind the seal': compaction(false),
  'a compaction of 2 MB is all or nothing when the close comes behind it, or into the middle of it': compactionUnderWay,
  'a stale handle answers every method in every order, and touches no other thread': staleHandle,
  'legacy events after the sidecar\'s own close are late and nothing else': legacyEvent,
  'a resume before or behind a close, a delete and an archive sees what that one left': resumeRaces,
  'a close, a resume, a delete and an archive at once, in every order, each answer, and lose nothing': fourAtOnce,
  'closes that race each other are one close': closes,
  'a parent that is closed while children spawn closes those that were on the way, and refuses the others': spawns,
  '1,000 children closed at once with 10,000 appends in flight keep all of them, and what comes before their seal': thousand,
  'two `await using` owners of one resumed thread: the last one closes': owners,
} as const satisfies Record<string, Race>;
