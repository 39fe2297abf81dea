/** The end of a run: everything under way ends, all threads are closed, and what is left must be what the model says. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readRollout, type SidecarStats } from 'lastword';
import { wordOf, type ThreadModel } from './model.js';
import { closes } from './handle-commands.js';
import type { Run } from './run.js';

export async function finish(run: Run, before: SidecarStats['items']): Promise<void> {
  for (const { end } of run.work.splice(0)) end();
  await run.settled();
  run.assertRight();
  await Promise.all(run.openings.filter(({ receipt }) => receipt === undefined).map((opening) => closes(run, opening)));
  await run.settled();
  run.expect('what is left of the threads', run.bench.left, { live: [], files: 0, descriptors: [], leases: [] });
  for (const thread of run.all) await run.await(`reading the rollout of thread ${thread.id}`, compareRollout(run, thread));
  for (const thread of run.threads.values()) await run.await(`reading thread ${thread.id}`, compareView(run, thread));
  for (const { thread: { id }, published, delivered } of run.openings) run.expect(`what subscribers of thread ${id} heard`, delivered, published);
  const own = run.unclaimed.reduce((sum, { items }) => sum + items, 0);
  run.expect('openings of the library\'s own hold changes of metadata', own <= run.changes && run.unclaimed.every(({ late, forced }) => late === 0 && !forced), true);
  compareFigures(run, before);
  compareLog(run);
  run.assertRight();
}

/** Where the rollout is, by the model. */
function pathOf(run: Run, { path, places }: ThreadModel): string | undefined {
  if (places.has('absent')) return undefined;
  return places.has('stored') ? path : join(run.bench.sidecar.directory, 'archived_sessions', basename(path));
}

/** Accepted in order; and records that the library placed itself get their places. */
async function compareRollout(run: Run, thread: ThreadModel): Promise<void> {
  const { id, records, unplaced, start } = thread;
  const path = pathOf(run, thread);
  if (run.threads.get(id) !== thread || path === undefined) {
    if (run.threads.get(id) === thread) run.expect(`the rollout of thread ${id} is there`, existsSync(thread.path), false);
    return;
  }
  const found: [number, string][] = [];
  const onDamage = (damage: unknown): void => { run.expect(`damage in thread ${id}`, damage, undefined); };
  for await (const record of readRollout(path, { onDamage })) found.push([record.ordinal, wordOf(record)]);
  const left = unplaced.map(({ word }) => word);
  for (const [ordinal, word] of found.slice(1)) {
    if (records.has(ordinal) || !left.includes(word)) continue;
    left.splice(left.indexOf(word), 1);
    records.set(ordinal, { word });
  }
  unplaced.length = 0;
  run.expect(`changes of metadata that are not in thread ${id}`, left, []);
  const expected = [[start, 'header'], ...[...records].sort(([one], [other]) => one - other).map(([ordinal, { word }]) => [ordinal, word])];
  run.expect(`records of thread ${id}`, found, expected);
  run.expect(`ordinals of thread ${id}`, found.map(([ordinal]) => ordinal), found.map((_, index) => start + index));
}

async function compareView(run: Run, thread: ThreadModel): Promise<void> {
  if (pathOf(run, thread) === undefined) return;
  const found: [number, string][] = [];
  for await (const record of run.bench.sidecar.readThread(thread.id)) found.push([record.ordinal, wordOf(record)]);
  run.expect(`view of thread ${thread.id}`, found, thread.effective());
}

function compareFigures(run: Run, before: SidecarStats['items']): void {
  const accepted = run.all.reduce((sum, { records, unplaced }) => sum + records.size + unplaced.length, 0);
  const late = run.openings.reduce((sum, opening) => sum + opening.late, 0);
  const { items } = run.bench.sidecar.stats();
  run.expect('stats().items', [items.accepted - before.accepted, items.written - before.written, items.late - before.late], [accepted, accepted, late]);
  const told = run.bench.lines.filter(({ message }) => message.startsWith('late:')).reduce((sum, { members }) => sum + Number(members['items']), 0);
  run.expect('late items in the log', told, late);
}

function compareLog({ bench, fallbacks, expect }: Run): void {
  expect('what is logged', bench.lines.filter(({ level }) => level === 'warn' || level === 'error'), []);
  expect('resumes that fell back', [bench.resumesFailed.length, bench.lines.filter(({ level }) => level === 'info').length], [fallbacks, fallbacks]);
}
