/** What may happen next in a history. */
import type { Chance } from './chance.js';
import type { Opening } from './host.js';
import { DEATHS, nameOf, type Stage } from './stage.js';

const THREADS_MAX = 4;

interface Drawn {
  readonly stage: Stage;
  readonly chance: Chance;
  /** A thread that is open. */
  readonly one: Opening | undefined;
}

interface Move {
  /** Of a hundred. */
  readonly weight: number;
  readonly act: (drawn: Drawn) => void;
}

const MOVES: readonly Move[] = [
  { weight: 24, act: ({ stage, chance, one }) => { append(stage, one, [sizeOf(chance)]); } },
  { weight: 6, act: ({ stage, chance, one }) => { append(stage, one, Array.from({ length: 2 + chance(5) }, () => sizeOf(chance))); } },
  { weight: 22, act: ({ stage }) => { turn(stage); } },
  { weight: 8, act: ({ stage, one }) => { flush(stage, one); } },
  { weight: 12, act: ({ stage, chance }) => { endSync(stage, chance); } },
  { weight: 5, act: ({ stage }) => { passTime(stage); } },
  { weight: 6, act: ({ stage, chance }) => { openOne(stage, chance); } },
  { weight: 4, act: ({ stage, chance, one }) => { closeOne(stage, chance, one); } },
  { weight: 5, act: ({ stage }) => { turnFaults(stage); } },
  { weight: 2, act: ({ stage, chance }) => { changeRoom(stage, chance); } },
];

/** One step, drawn. `deaths`: how often somebody dies, of a hundred; at most 6. */
export function move(stage: Stage, deaths: number, chance: Chance): void {
  const open = [...stage.host.openings.values()].filter(({ state }) => state === 'open');
  const one = open[chance(open.length)];
  let drawn = chance(100);
  for (const { weight, act } of MOVES) {
    if (drawn < weight) {
      act({ stage, chance, one });
      return;
    }
    drawn -= weight;
  }
  if (drawn < deaths) doom(stage, chance);
}

function append({ host, machine }: Stage, opening: Opening | undefined, sizes: readonly number[]): void {
  if (opening === undefined) return;
  const isTaken = host.append(opening, sizes);
  machine.say(`append ${sizes.length} to ${nameOf(opening.truth)}${isTaken ? '' : ', refused'}`);
}

function turn({ host, machine }: Stage): void {
  machine.say('turn');
  host.process.writer.turn();
}

function flush(stage: Stage, opening: Opening | undefined): void {
  if (opening === undefined) return;
  stage.machine.say(`flush ${nameOf(opening.truth)}`);
  stage.host.flush(opening);
  turn(stage);
}

function endSync({ machine }: Stage, chance: Chance): void {
  machine.say(`one of ${machine.syncs.length} syncs ends`);
  if (machine.syncs.length > 0) machine.endSync(chance(machine.syncs.length));
}

function passTime({ machine }: Stage): void {
  const ms = Math.min(machine.clock.untilNextMs ?? 100, 60_000);
  machine.say(`${ms} ms pass`);
  machine.clock.advance(ms);
}

function closeOne(stage: Stage, chance: Chance, open: Opening | undefined): void {
  const { host } = stage;
  const openings = [...host.openings.values()];
  const failed = openings.find(({ state }) => state === 'failed');
  const unreleased = openings.find(({ state }) => state === 'unreleased');
  if (unreleased !== undefined) host.release(unreleased, { sync: chance(2) === 0, abandon: false });
  else if (failed !== undefined) abandon(stage, failed);
  else if (open !== undefined) close(stage, open, chance(2) === 0);
}

function turnFaults({ machine: { faults, say } }: Stage): void {
  faults.isOn = !faults.isOn;
  say(`faults ${faults.isOn ? 'on' : 'off'}`);
}

function changeRoom({ machine: { disk, say } }: Stage, chance: Chance): void {
  disk.room = chance(2) === 0 ? Infinity : chance(3000);
  say(`room for ${disk.room} bytes`);
}

function openOne({ host, machine: { say } }: Stage, chance: Chance): void {
  const { stored, threads } = host;
  const thread = stored[chance(stored.length)];
  if (thread !== undefined && (threads.size >= THREADS_MAX || chance(2) === 0)) {
    say(`resume ${nameOf(thread)}`);
    host.resume(thread);
  } else if (threads.size < THREADS_MAX) {
    say('create');
    host.create();
  }
}

export function close({ host, machine }: Stage, opening: Opening, sync: boolean): void {
  machine.say(`close ${nameOf(opening.truth)}${sync ? ', synced' : ''}`);
  host.close(opening, sync);
}

export function abandon({ host, machine }: Stage, opening: Opening): void {
  machine.say(`abandon ${nameOf(opening.truth)}`);
  host.abandon(opening);
}

/** The process dies now, or at a call that its writer is about to make. */
function doom(stage: Stage, chance: Chance): void {
  stage.death ??= DEATHS[chance(DEATHS.length)] ?? 'process';
  const { writer } = stage.host.process;
  writer.callsLeft = 1 + chance(3) * chance(12);
  stage.machine.say(`${stage.death} dies at call ${writer.callsLeft}`);
  if (writer.callsLeft === 1) writer.isDying();
}

/** Mostly small, some of several sectors, a few larger than what the ring takes. */
function sizeOf(chance: Chance): number {
  return [40, 40, 700, 700, 3_000, 20_000][chance(6)] === 20_000 ? chance(20_000) : chance([40, 700, 3_000][chance(3)] ?? 40);
}
