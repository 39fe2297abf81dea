import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LATE, openSidecar, type Thread } from 'lastword';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playFleet, type FleetResult } from '../../bench/demo/fleet.js';
import { isGood } from '../../bench/demo/report.js';
import { verifyFleet, type Played, type Verdict } from '../../bench/demo/verify.js';
import { Witness } from '../../bench/demo/witness.js';
import { ShapeSource } from '../../bench/load/shapes.js';

const SEED = 20261121;
const DEMO = fileURLToPath(new URL('../../dist/bench/demo.js', import.meta.url));
const DEMO_TIMEOUT_MS = 60_000;

const root = mkdtempSync(join(tmpdir(), 'lastword-demo-test-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function demo(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env };
    delete env['LASTWORD_CORPUS'];
    const child = spawn(process.execPath, [DEMO, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
    child.on('error', reject).on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** The figure in a row of the table. */
function row(stdout: string, name: string): number {
  const line = stdout.split('\n').find((text) => text.trimStart().startsWith(name)) ?? '';
  return Number(/ ([\d,]+)$/.exec(line)?.[1]?.replaceAll(',', ''));
}

/** Rows that are 0 when all is well. */
const FAULTS = ['closes forced', 'receipts that disagree', 'lost', 'duplicated', 'changed'];
const faults = (stdout: string): number[] => FAULTS.map((name) => row(stdout, name));
const NO_FAULTS = FAULTS.map(() => 0);

describe('npm run demo', () => {
  test('closes a fleet that still speaks, reads it back, and finds nothing lost and nothing twice', async () => {
    const directory = join(root, 'generated');
    const { status, stdout, stderr } = await demo('--threads', '4', '--repeat', '2', '--seed', String(SEED), '--directory', directory);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`seed ${SEED}`);
    expect(row(stdout, 'threads: a root and its children')).toBe(4);
    // Each child's part and its last word; the root's two items for each child.
    const items = 3 * (2 * 320 + 1) + 3 * 2;
    expect(row(stdout, 'items taken by append()')).toBe(items);
    expect(row(stdout, 'items read back')).toBe(items);
    expect(faults(stdout)).toEqual(NO_FAULTS);
    expect(row(stdout, 'of them after close() was called')).toBeGreaterThanOrEqual(3);
    expect(row(stdout, 'items late')).toBeGreaterThanOrEqual(3);
    const [, path] = /Look at one: +head -n 3 '([^']+)'/.exec(stdout) ?? [];
    expect(readFileSync(path ?? '', 'utf8').split('\n')).toHaveLength(1 + 2 * 320 + 1 + 1);
  }, DEMO_TIMEOUT_MS);

  test('plays the rollouts of a folder, says what it left out, and takes more threads than files may be open', async () => {
    const input = join(root, 'input');
    mkdirSync(input);
    const lines = ['{"type":"session_meta","payload":{"id":"x"}}', 'no record', '{"type":"event_msg","payload":{"type":"é\\u2028"}}'];
    writeFileSync(join(input, 'rollout-a.jsonl'), `${lines.join('\n')}\n`);
    const { status, stdout } = await demo('--threads', '600', '--repeat', '5', '--input', input, '--directory', join(root, 'played'));
    expect(status).toBe(0);
    expect(stdout).toContain('1 real rollouts, 2 items');
    expect(stdout).toContain('left out: 1 lines that are no records');
    expect(row(stdout, 'items taken by append()')).toBe(599 * (2 * 5 + 1) + 599 * 2);
    expect(faults(stdout)).toEqual(NO_FAULTS);
    expect(row(stdout, 'files evicted')).toBeGreaterThan(0);
  }, DEMO_TIMEOUT_MS);

  test.each([
    ['a word for a number', ['--threads', 'many'], '--threads takes a whole number'],
    ['a root without a child', ['--threads', '1'], '--threads takes a whole number from 2'],
    ['a negative seed', ['--seed', '-1'], "'--seed'"],
    ['an unknown option', ['--colour'], "Unknown option '--colour'"],
    ['an argument too many', ['extra'], "Unexpected argument 'extra'"],
    ['an input that is not there', ['--input', join(root, 'missing')], '--input: ENOENT'],
    ['a directory that cannot be', ['--directory', '/dev/null/out'], '--directory: '],
  ])('%s is answered with a message, the usage and exit status 2', async (_what, args, message) => {
    const { status, stderr } = await demo(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain('npm run demo --');
    expect(stderr).not.toMatch(/^ +at /m);
  }, DEMO_TIMEOUT_MS);
});

describe('the exit status', () => {
  const fleet: FleetResult = {
    witnesses: [], items: 10, takenWhileClosing: 1, late: 1, forced: 0, disagreements: [], bytes: 1, seconds: 1, appendMs: 1, delayP99Ms: 1, filesEvicted: 0,
  };
  const verdict: Verdict = { records: 10, lost: 0, duplicated: 0, changed: 0, damage: new Map() };

  test.each<[string, Partial<FleetResult>, Partial<Verdict>, boolean]>([
    ['good when nothing is wrong', {}, {}, true],
    ['bad when nothing was taken between close() and the seal', { takenWhileClosing: 0 }, {}, false],
    ['bad when nothing was late', { late: 0 }, {}, false],
    ['bad when a receipt disagrees', { disagreements: ['receipt.late is 1, and should be 2'] }, {}, false],
    ['bad when something was lost', {}, { lost: 1 }, false],
    ['bad when something is there twice', {}, { duplicated: 1 }, false],
    ['bad when something was changed', {}, { changed: 1 }, false],
  ])('is %s', (_what, fleetChange, verdictChange, expected) => {
    expect(isGood({ ...fleet, ...fleetChange }, { ...verdict, ...verdictChange })).toBe(expected);
  });
});

test('a witness hears a receipt that is one item off, or an ordinal that is', async () => {
  const answers = [1, 3, LATE];
  const receipt = { items: 1, nextOrdinal: 3, late: 2, forced: false };
  const witness = new Witness({ id: 'x', append: () => answers.shift(), close: () => Promise.resolve(receipt) } as unknown as Thread);
  witness.append([{ type: 'a' }, { type: 'b' }, { type: 'c' }]);
  await witness.close();
  expect(witness.disagreements).toEqual([
    'thread x: the ordinal is 3, and should be 2', 'thread x: receipt.items is 1, and should be 2', 'thread x: receipt.late is 2, and should be 1',
  ]);
});

describe('the verifier, fed a rollout that was damaged after the close', () => {
  let played: Played[];
  let whole: string;
  beforeAll(async () => {
    const sidecar = await openSidecar({ directory: join(root, 'doctored') });
    const items = new ShapeSource(SEED).rolloutItems(30);
    const { witnesses } = await playFleet(sidecar, [{ items, count: 60 }, { items, count: 30 }], SEED, () => undefined);
    // The one with most records first.
    played = witnesses.map(({ thread: { path }, taken }) => ({ path, taken })).sort((one, other) => other.taken.length - one.taken.length);
    whole = readFileSync(played[0]?.path ?? '', 'utf8');
  });

  const doctor = async (change: (lines: string[]) => void): Promise<Record<string, number>> => {
    const lines = whole.split('\n');
    change(lines);
    writeFileSync(played[0]?.path ?? '', lines.join('\n'));
    const { lost, duplicated, changed, records } = await verifyFleet(played, () => undefined);
    return { records, lost, duplicated, changed };
  };

  test('finds nothing when nothing was damaged', async () => {
    expect(await doctor(() => undefined)).toEqual({ records: 61 + 31 + 4, lost: 0, duplicated: 0, changed: 0 });
  });

  test('reports a line that is gone as lost', async () => {
    expect(await doctor((lines) => lines.splice(10, 1))).toMatchObject({ lost: 1, duplicated: 0, changed: 0 });
  });

  test('reports a torn end as lost', async () => {
    expect(await doctor((lines) => lines.splice(-2, 2, (lines.at(-2) ?? '').slice(0, 60)))).toMatchObject({ lost: 1 });
  });

  test('reports a line that is there twice as duplicated', async () => {
    const { lost, duplicated } = await doctor((lines) => lines.splice(10, 0, lines[9] ?? ''));
    expect({ lost, duplicated }).toEqual({ lost: 0, duplicated: 1 });
  });

  test('reports a payload that is another as changed', async () => {
    const forged = (line = ''): string => line.replace(/"type":"(?=[a-z])/, '"type":"forged_').replace(/,"crc":"[0-9a-f]{8}"/, '');
    const { lost, changed } = await doctor((lines) => lines.splice(5, 1, forged(lines[5])));
    expect({ lost, changed }).toEqual({ lost: 0, changed: 1 });
  });

  test('reports records of nobody as changed', async () => {
    await doctor(() => undefined);
    appendFileSync(played[1]?.path ?? '', '{"timestamp":"2026-01-01T00:00:00.000Z","ordinal":32,"type":"stranger"}\n');
    expect(await verifyFleet(played, () => undefined)).toMatchObject({ lost: 0, changed: 1 });
  });
});
