import { bytesText, figure, table, whole } from '../format.js';
import type { FleetResult } from './fleet.js';
import type { Verdict } from './verify.js';

/** The most that are shown of what should not be. */
const SHOWN_MAX = 10;

/** Nothing lost, nothing changed, every figure as the agents saw it; and the closes were as hard as they are meant to be. */
export function isGood(fleet: FleetResult, { lost, duplicated, changed }: Verdict): boolean {
  return lost + duplicated + changed + fleet.disagreements.length === 0 && fleet.takenWhileClosing > 0 && fleet.late > 0;
}

export function report(fleet: FleetResult, verdict: Verdict): string {
  const { witnesses, items, seconds, disagreements } = fleet;
  const damage = [...verdict.damage].map(([kind, count]) => [`damaged lines, ${kind}`, whole(count)]);
  const rows = table([
    ['threads: a root and its children', whole(witnesses.length)],
    ['items taken by append()', whole(items)],
    ['  of them after close() was called', whole(fleet.takenWhileClosing)],
    ['items late: after the seal, refused', whole(fleet.late)],
    ['bytes written', bytesText(fleet.bytes)],
    ['time, creation to last close()', `${figure(seconds)} s`],
    ['items/s', whole(items / seconds)],
    ['host thread, per item', `${figure((fleet.appendMs * 1000) / items)} µs`],
    ['event-loop delay, p99', `${figure(fleet.delayP99Ms)} ms`],
    ['files evicted', whole(fleet.filesEvicted)],
    ['closes forced', whole(fleet.forced)],
    ['receipts that disagree', whole(disagreements.length)],
    ['items read back', whole(verdict.records)],
    ['lost', whole(verdict.lost)],
    ['duplicated', whole(verdict.duplicated)],
    ['changed', whole(verdict.changed)],
    ...damage,
  ]);
  const shown = disagreements.slice(0, SHOWN_MAX).map((text) => `${text}\n`).join('');
  const one = witnesses.at(-1)?.thread.path ?? '';
  return `\n${rows}${shown}\nLook at one:  head -n 3 '${one}' | cut -c 1-200\n`;
}
