/** How a history comes to its end, and what is looked at there. */
import { abandon, close } from './moves.js';
import { nameOf, type Stage } from './stage.js';
import type { Truth } from './truth.js';

/** Turns in which everything comes to rest, once nothing fails. */
const TURNS_MAX = 400;
/** Turns in which a file system whose journal has stopped may still say that syncs succeed. */
const TURNS_STOPPED = 3;

/** Every thread twice, and the second time changes nothing. */
export async function recoverAll(stage: Stage): Promise<void> {
  const { host, machine } = stage;
  await calm(stage);
  const before = new Map<Truth, Buffer>();
  for (const round of [1, 2]) {
    machine.say(`recovery ${round}`);
    for (const truth of [...host.threads]) await reopen(stage, truth);
    for (const truth of host.threads) {
      const bytes = host.bytesOf(truth);
      if (bytes === undefined) continue;
      const was = before.get(truth);
      if (round === 1) before.set(truth, Buffer.from(bytes));
      else if (was?.equals(bytes) !== true) machine.complaints.push(`${nameOf(truth)}: a second recovery changed it from ${was?.length} to ${bytes.length} bytes`);
    }
  }
}

async function reopen(stage: Stage, truth: Truth): Promise<void> {
  const { host, machine } = stage;
  for (let tries = 0; tries < 3 && host.threads.has(truth) && !host.openings.has(truth); tries += 1) {
    host.resume(truth);
    await until(stage, () => host.openings.get(truth)?.state !== 'opening', `${nameOf(truth)} to be resumed`);
  }
  const opening = host.openings.get(truth);
  if (opening === undefined) {
    if (host.threads.has(truth)) machine.complaints.push(`${nameOf(truth)} could not be resumed`);
    return;
  }
  machine.complaints.push(...truth.settle(host.bytesOf(truth), 'written'));
  host.close(opening, false);
  await until(stage, () => !host.openings.has(truth), `${nameOf(truth)} to be closed`);
}

/** Nothing fails any more, and everything accepted reaches the disk. */
export async function finish(stage: Stage): Promise<void> {
  const { host, machine } = stage;
  const { writer } = host.process;
  writer.callsLeft = undefined;
  stage.death = undefined;
  if (machine.journal !== 'goes') {
    for (let turns = 0; turns < TURNS_STOPPED; turns += 1) await turn(stage);
    await losePower(stage);
  }
  await calm(stage);
  await until(stage, () => [...host.openings.values()].every(({ state }) => state !== 'opening'), 'openings to end');
  for (const opening of host.openings.values()) if (opening.state === 'open') close(stage, opening, true);
  await until(stage, () => [...host.openings.values()].every(({ state }) => state === 'failed'), 'closes to end');
  for (const opening of host.openings.values()) abandon(stage, opening);
  await until(stage, () => host.openings.size === 0, 'failed threads to be given up');
  for (const truth of host.threads) machine.complaints.push(...truth.settle(host.bytesOf(truth), 'written'));
  await stage.rest();
  await losePower(stage);
  await recoverAll(stage);
  await stage.rest();
}

async function losePower(stage: Stage): Promise<void> {
  const { writer } = stage.host.process;
  stage.death = 'power';
  writer.callsLeft = 1;
  writer.isDying();
  await stage.rest();
}

async function calm({ host, machine, rest }: Stage): Promise<void> {
  machine.faults.calm();
  machine.disk.room = Infinity;
  for (let turn = 0; turn < TURNS_MAX && !host.isReady; turn += 1) {
    host.start();
    await rest();
  }
}

/** Lets everything happen that can, in turn. */
async function until(stage: Stage, isReached: () => boolean, what: string): Promise<void> {
  const { host, machine, rest } = stage;
  for (let turns = 0; turns < TURNS_MAX; turns += 1) {
    await rest();
    if (isReached()) return;
    for (const opening of host.openings.values()) if (opening.state === 'unreleased') host.release(opening, { sync: false, abandon: false });
    await turn(stage);
  }
  machine.complaints.push(`waited in vain for ${what}`);
  await rest();
}

async function turn({ host, machine, rest }: Stage): Promise<void> {
  host.process.writer.turn();
  while (machine.syncs.length > 0) {
    machine.endSync(0);
    await rest();
  }
  machine.clock.advance(500);
}
