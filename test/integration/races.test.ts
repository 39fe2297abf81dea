/** Two processes that want one thread at one moment: always one gets it, and the other is told by whom. */
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { newThreadId } from '../../src/rollout/thread-id.js';
import { rolloutPath } from '../../src/rollout/rollout-path.js';
import { systemProcesses } from '../../worker/lease/processes.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { Racer, race, type Answer } from '../support/racers.js';
import { randomFrom, SEED } from '../support/random.js';
import { itemsOf, numbered, openTestSidecar, recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

const RACES = Number(process.env['LASTWORD_RACES'] ?? 20);
/** Between the begins of two racers, at most: what it takes to take a lease. */
const OFFSET_US_MAX = 400;

interface Course { readonly directory: string; readonly racers: Racer[]; readonly offset: () => number; readonly lastwordUrl: string | undefined }

async function course(...patches: Patch[]): Promise<Course> {
  const directory = temporaryFolder();
  const random = randomFrom(SEED);
  const lastwordUrl = patches.length === 0 ? undefined : mutantPackage(...patches).lastwordUrl;
  const racers = await Promise.all([1, 2].map(() => Racer.start(directory, lastwordUrl)));
  return { directory, racers, offset: () => random(2 * OFFSET_US_MAX) - OFFSET_US_MAX, lastwordUrl };
}

/** A stored thread with one item. */
async function stored(directory: string): Promise<string> {
  const sidecar = await openTestSidecar({ directory });
  const thread = await sidecar.createThread();
  thread.append(numbered(0));
  await sidecar.close();
  return thread.id;
}

/** What is wrong with the outcome: one has the thread, appends and closes; the other's code is `code`, and it names the owner. */
async function judge({ directory, racers }: Course, id: string, answers: Answer[], { code, items }: { code: string; items: number }): Promise<string[]> {
  const winners = racers.filter((_racer, place) => answers[place]?.ok === true);
  const losers = answers.filter(({ ok }) => !ok);
  const [winner] = winners;
  if (winners.length !== 1 || winner === undefined) {
    for (const racer of winners) await racer.do({ command: 'close' });
    return [`${winners.length} have the thread: ${JSON.stringify(losers)}`];
  }
  const wrong: string[] = [];
  for (const { code: got, context } of losers) {
    const { owner } = context ?? {};
    // A rollout that is there already says by itself that the thread exists.
    const isKnown = code === 'LASTWORD_THREAD_EXISTS' && owner === undefined && context?.path === rolloutPath(directory, id);
    if (got !== code || (!isKnown && (owner?.pid !== winner.pid || owner.host !== hostname()))) wrong.push(`the loser got ${got}: ${JSON.stringify(context)}`);
  }
  for (const command of [{ command: 'append', item: numbered(items) }, { command: 'close' }] as const) {
    const { ok, message } = await winner.do(command);
    if (!ok) wrong.push(`the winner cannot ${command.command}: ${message}`);
  }
  const path = rolloutPath(directory, id);
  const ordinals = (await recordsOf(path)).map(({ ordinal }) => ordinal);
  if (JSON.stringify([ordinals, await itemsOf(path)]) !== JSON.stringify([upTo(items + 2), upTo(items + 1).map(numbered)])) wrong.push(`the rollout has ${ordinals.join()}`);
  return wrong;
}

/** One race of each kind, and what is wrong with it. */
const KINDS: Record<string, (track: Course) => Promise<string[]>> = {
  'both create it': async (track) => {
    const id = newThreadId();
    const answers = await race(track.racers, { command: 'create', id }, track.offset());
    return judge(track, id, answers, { code: 'LASTWORD_THREAD_EXISTS', items: 0 });
  },

  'both resume it': async (track) => {
    const id = await stored(track.directory);
    const answers = await race(track.racers, { command: 'resume', id }, track.offset());
    return judge(track, id, answers, { code: 'LASTWORD_THREAD_BUSY', items: 1 });
  },

  'both resume it when its owner was killed': async (track) => {
    const id = await stored(track.directory);
    const owner = await Racer.start(track.directory, track.lastwordUrl);
    await owner.do({ command: 'resume', id });
    await owner.do({ command: 'append', item: numbered(1) });
    await owner.kill();
    const answers = await race(track.racers, { command: 'resume', id }, track.offset());
    return judge(track, id, answers, { code: 'LASTWORD_THREAD_BUSY', items: 2 });
  },

  'both resume it when its owner\'s number is another process\'s now': async (track) => {
    const id = await stored(track.directory);
    leaveLease(track.directory, id, track.racers[track.offset() > 0 ? 0 : 1]?.pid ?? 0);
    const answers = await race(track.racers, { command: 'resume', id }, track.offset());
    return judge(track, id, answers, { code: 'LASTWORD_THREAD_BUSY', items: 1 });
  },
};

/** A lease of a process that had the number of a living one, and ended. */
function leaveLease(directory: string, id: string, pid: number): void {
  const text = JSON.stringify({ ...systemProcesses.self(), pid, start: '1', instance: '00000000000000aa', since: new Date().toISOString() });
  const ownerPath = join(directory, 'locks', '00000000000000aa-0.owner');
  mkdirSync(join(directory, 'locks'), { recursive: true });
  writeFileSync(ownerPath, text);
  linkSync(ownerPath, join(directory, 'locks', `${id}.lock`));
  rmSync(ownerPath);
}

/** The owner is stopped while both want the thread: it keeps it, and is told nothing. Then it goes on, and closes. */
async function raceAgainstStopped(track: Course, owner: Racer): Promise<string[]> {
  const id = await stored(track.directory);
  await owner.do({ command: 'resume', id });
  await owner.stop();
  const answers = await race(track.racers, { command: 'resume', id }, track.offset());
  owner.continue();
  const wrong = answers.filter(({ code, context }) => code !== 'LASTWORD_THREAD_BUSY' || context?.owner?.pid !== owner.pid).map((answer) => `while it is stopped: ${JSON.stringify(answer)}`);
  if (wrong.length > 0) return wrong;
  for (const command of [{ command: 'append', item: numbered(1) }, { command: 'close' }] as const) {
    const { ok, message } = await owner.do(command);
    if (!ok) wrong.push(`the owner cannot ${command.command}: ${message}`);
  }
  return [...wrong, ...await judge(track, id, await race(track.racers, { command: 'resume', id }, track.offset()), { code: 'LASTWORD_THREAD_BUSY', items: 2 })];
}

/** The first race that goes wrong, of so many. */
async function firstWrong(run: () => Promise<string[]>): Promise<string[]> {
  for (const number of upTo(RACES)) {
    const wrong = await run();
    if (wrong.length > 0) return [`race ${number}`, ...wrong];
  }
  return [];
}

describe(`P12: one of two processes gets a thread, in each of ${RACES} races,`, () => {
  test.for(Object.entries(KINDS))('when %s', async ([_kind, run], { task }) => {
    counted(task, RACES);
    const track = await course();
    expect(await firstWrong(() => run(track))).toEqual([]);
  });

  test('and neither, when its owner is stopped: it goes on with it later', async ({ task }) => {
    counted(task, RACES);
    const track = await course();
    const owner = await Racer.start(track.directory);
    expect(await firstWrong(() => raceAgainstStopped(track, owner))).toEqual([]);
  });
});

const LEASES = 'worker/lease/leases.js';
/** A lease that is taken though it is there. */
const TAKES_ANY: Patch = { file: LEASES, find: "if (code === 'EEXIST')\n                    return false;", replace: "if (code === 'EEXIST') return true;" };

describe('P12, the control: races are lost by a package', () => {
  test.each<[string, string, Patch[]]>([
    ['that takes what is there', 'both resume it', [TAKES_ANY]],
    ['that takes what is there, and writes over it', 'both create it', [
      TAKES_ANY, { file: 'worker/create-rollout.js', find: 'fs.link(temporary, path);\n        fs.unlink(temporary);', replace: 'fs.rename(temporary, path);' },
      { file: 'src/lifecycle/registry.js', find: 'if (stored !== undefined)\n            throw threadExists', replace: 'if (false) throw threadExists' },
    ]],
    ['that looks at a dead lease once, and takes its time', 'both resume it when its owner was killed', [
      { file: LEASES, find: 'const claim =', replace: 'for (const until = Date.now() + 30 * Math.random(); Date.now() < until;) continue;\n        const claim =' },
      { file: LEASES, find: 'now.text === found.text && !this.#isAlive(path, now)', replace: 'true' },
    ]],
    ['that knows processes by their numbers alone', 'both resume it when its owner\'s number is another process\'s now', [
      { file: 'worker/lease/processes.js', find: "(start === '' || stat.start === start)", replace: 'true' },
    ]],
  ])('%s (%s)', async (_what, kind, patches) => {
    const track = await course(...patches);
    expect(await firstWrong(async () => KINDS[kind]?.(track) ?? [])).not.toEqual([]);
  });

  test('that takes a stopped owner for a dead one', async () => {
    const track = await course({ file: 'worker/lease/processes.js', find: "['Z', 'X', 'x']", replace: "['Z', 'X', 'x', 'T']" }, { file: 'worker/lease/processes.js', find: '&& Number(fields[THREADS_FIELD]) <= 1', replace: '' });
    const owner = await Racer.start(track.directory, track.lastwordUrl);
    expect(await firstWrong(() => raceAgainstStopped(track, owner))).not.toEqual([]);
  });
});
