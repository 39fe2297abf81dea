/**
 * Reads, verifies and continues files that were made at random: run.mjs <directory> <seed> <cases> <package>. Prints what
 * was met as JSON, or ends with the first case that broke a promise.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { randomFrom } from '../support/random-from.mjs';
import { makeFile, PIECES } from './files.mjs';

const [directory, seed, cases] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const { openSidecar, readRollout, verifyRollout } = await import(process.argv[5]);
const START_MS = Date.UTC(2026, 10, 21);
const TIME_DIGITS = 12;
/** Cases at a time: most of one is waiting for files. */
const LANES = 8;

function idOf(number) {
  const time = (START_MS + number).toString(16).padStart(TIME_DIGITS, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

function pathOf(number) {
  const [date, time] = new Date(START_MS + number).toISOString().slice(0, 19).split('T');
  return join(directory, 'sessions', ...date.split('-'), `rollout-${date}T${time.replaceAll(':', '-')}-${idOf(number)}.jsonl`);
}

async function marksOf(records) {
  const marks = [];
  for await (const { payload } of records) marks.push(payload.mark);
  return marks;
}

/** What a promise came to: its value, or the code of a typed error. Anything else breaks the promise. */
async function outcome(promise) {
  try {
    return await promise;
  } catch (error) {
    if (typeof error.code === 'string' && error.code.startsWith('LASTWORD_')) return error.code;
    throw error;
  }
}

const sidecar = await openSidecar({ directory, syncIntervalMs: 0, overflowBytes: 16 << 20, itemBytesMax: 8 << 20, logger: false });
const met = Object.fromEntries(Object.keys(PIECES).map((name) => [name, 0]));
const outcomes = { resumed: 0, refused: 0, torn: 0 };

async function run(number) {
  const { bytes, whole, hasHeader, used } = makeFile(randomFrom(seed + number), idOf(number));
  for (const name of used) if (name in met) met[name] += 1;
  const [id, path] = [idOf(number), pathOf(number)];
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  try {
    await check({ id, path, bytes, whole, hasHeader });
  } catch (error) {
    throw new Error(`case ${number} of seed ${seed}: ${used.join(', ')}`, { cause: error });
  }
  assert.equal({}.polluted, undefined);
  rmSync(path);
}

async function check({ id, path, bytes, whole, hasHeader }) {
  const damage = [];
  assert.deepEqual(await marksOf(readRollout(path, { onDamage: (one) => { damage.push(one); } })), whole, 'forward');
  assert.deepEqual(await marksOf(readRollout(path, { reverse: true })), whole.toReversed(), 'backward');
  const report = await verifyRollout(path);
  assert.deepEqual([report.records, report.bytes, report.damage], [whole.length, bytes.length, damage], 'verification');
  const torn = damage.find(({ kind }) => kind === 'torn');
  for (const view of ['effective', 'resume']) {
    const marks = await outcome(marksOf(sidecar.readThread(id, { view })));
    assert.ok(hasHeader ? Array.isArray(marks) && marks.length > 0 : marks === 'LASTWORD_ROLLOUT_CORRUPT' || Array.isArray(marks), `view ${view}: ${marks}`);
  }

  const thread = await outcome(sidecar.resumeThread(id));
  if (typeof thread === 'string') {
    outcomes.refused += 1;
    assert.equal(thread, 'LASTWORD_ROLLOUT_CORRUPT');
    assert.equal(hasHeader, false, 'a file with a header is resumed');
    assert.ok(readFileSync(path).equals(bytes), 'a file that is refused is not touched');
    return;
  }
  outcomes.resumed += 1;
  if (torn !== undefined) outcomes.torn += 1;
  assert.equal(thread.recovery?.tornBytes, torn?.bytes, 'torn bytes');
  if (torn !== undefined) assert.ok(readFileSync(thread.recovery.keptAt).equals(bytes.subarray(torn.offset)), 'torn bytes are kept');
  thread.append({ type: 'event_msg', payload: { mark: 'ours' } });
  await thread.close();
  const after = readFileSync(path);
  const kept = bytes.subarray(0, torn?.offset);
  assert.ok(after.subarray(0, kept.length).equals(kept), 'what was there is not changed');
  assert.deepEqual(await marksOf(readRollout(path)), [...whole, 'ours'], 'after resuming');
  // A second time there is nothing to be done.
  const again = await sidecar.resumeThread(id);
  assert.equal(again.recovery?.tornBytes ?? 0, 0, 'resumed twice');
  await again.close();
  assert.ok(readFileSync(path).equals(after), 'resumed twice');
}

let next = 0;
async function lane() {
  while (next < cases) await run(next++);
}
await Promise.all(Array.from({ length: LANES }, lane));
await sidecar.close();
process.stdout.write(JSON.stringify({ met, outcomes, maxRssBytes: process.resourceUsage().maxRSS * 1024 }));
