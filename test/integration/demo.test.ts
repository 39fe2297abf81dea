import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSidecar } from 'lastword';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playFleet, type Played } from '../../bench/demo/fleet.js';
import { verifyFleet } from '../../bench/demo/verify.js';
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

describe('npm run demo', () => {
  test('records a fleet, reads it back, and finds nothing lost and nothing twice', async () => {
    const directory = join(root, 'generated');
    const { status, stdout, stderr } = await demo('--threads', '4', '--repeat', '2', '--seed', String(SEED), '--directory', directory);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`seed ${SEED}`);
    expect(stdout).toMatch(/^ *threads +4$/m);
    expect(stdout).toMatch(/^ *items +2,560$/m);
    expect(stdout).toMatch(/^ *lost +0$/m);
    expect(stdout).toMatch(/^ *duplicated +0$/m);
    expect(stdout).toMatch(/^ *changed +0$/m);
    const [, path] = /Look at one: +head -n 3 '([^']+)'/.exec(stdout) ?? [];
    expect(readFileSync(path ?? '', 'utf8').split('\n')).toHaveLength(1 + 2 * 320 + 1);
  }, DEMO_TIMEOUT_MS);

  test('plays the rollouts of a folder and says what it left out', async () => {
    const input = join(root, 'input');
    mkdirSync(input);
    const lines = ['{"type":"session_meta","payload":{"id":"x"}}', 'no record', '{"type":"event_msg","payload":{"type":"é\\u2028"}}'];
    writeFileSync(join(input, 'rollout-a.jsonl'), `${lines.join('\n')}\n`);
    const { status, stdout } = await demo('--threads', '3', '--repeat', '5', '--input', input, '--directory', join(root, 'played'));
    expect(status).toBe(0);
    expect(stdout).toContain('1 real rollouts, 2 items');
    expect(stdout).toContain('left out: 1 lines that are no records');
    expect(stdout).toMatch(/^ *items +30$/m);
    expect(stdout).toMatch(/^ *lost +0$/m);
  }, DEMO_TIMEOUT_MS);

  test.each([
    ['a word for a number', ['--threads', 'many'], '--threads takes a whole number'],
    ['no threads', ['--threads', '0'], '--threads takes a whole number'],
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

describe('the verifier, fed a rollout that was damaged after the close', () => {
  let played: Played[];
  let whole: string;
  beforeAll(async () => {
    const sidecar = await openSidecar({ directory: join(root, 'doctored') });
    const items = new ShapeSource(SEED).rolloutItems(30);
    ({ played } = await playFleet(sidecar, [{ items, repeat: 2 }, { items, repeat: 1 }], SEED, () => undefined));
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
    expect(await doctor(() => undefined)).toEqual({ records: 90, lost: 0, duplicated: 0, changed: 0 });
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
    appendFileSync(played[1]?.path ?? '', '{"timestamp":"2026-01-01T00:00:00.000Z","ordinal":31,"type":"stranger"}\n');
    expect(await verifyFleet(played, () => undefined)).toMatchObject({ lost: 0, changed: 1 });
  });
});
