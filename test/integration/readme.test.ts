import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { verifyRollouts } from 'lastword';
import { expect, test } from 'vitest';
import { itemsOf, temporaryFolder, upTo } from '../support/sidecars.js';

const ROOT = new URL('../..', import.meta.url);

const EXAMPLES = {
  'record.ts': /^1 items in .+rollouts\/sessions\/.+\.jsonl\n0 session_meta\n1 event_msg\n$/,
  'closing.ts': /^the agent had its last word\ntrue\n$/,
  'reading.ts': /^child \| what is new\? \| nobody has it open\n1 event_msg\n2 rollouts, 0 damaged\n$/,
};

for (const [name, output] of Object.entries(EXAMPLES)) {
  test(`the example ${name} of the README is the one in examples, and does what it says`, () => {
    const source = readFileSync(new URL(`examples/${name}`, ROOT), 'utf8');
    expect(readFileSync(new URL('README.md', ROOT), 'utf8')).toContain(`\`\`\`ts\n${source}\`\`\``);
    const program = fileURLToPath(new URL(`dist/examples/${name.replace('.ts', '.js')}`, ROOT));
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { cwd: temporaryFolder(), encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(output);
  });
}

test('the example multi-agent-host.ts closes a tree of agents, resumes one, forks one, and says what every one of them left on disk', async () => {
  const folder = temporaryFolder();
  const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('dist/examples/multi-agent-host.js', ROOT))], { cwd: folder, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const line of ['writer: turn_aborted', 'writer: what its tool says now is late', 'critic: task_complete', 'reader: resumed at ordinal 18', 'another critic: forked, goes on at ordinal 4', '5: what is right with it']) {
    expect(stdout.split('\n')).toContain(line);
  }
  // Descendants are closed before the root, and every receipt is what is on disk.
  const closed = [...stdout.matchAll(/^(.+): closed, (\d+) items on disk$/gm)].map(([, name = '', items]) => ({ name, items: Number(items) }));
  expect([closed.slice(0, 2), closed.at(-1)].flat().map((one) => one?.name)).toEqual(['writer', 'reader', 'root']);
  expect(closed.map(({ name }) => name).toSorted()).toEqual(['another critic', 'critic', 'reader', 'reader', 'root', 'writer']);
  const reports = await verifyRollouts(join(folder, 'rollouts'));
  const headers = reports.length;
  expect(reports).toHaveLength(5);
  expect(reports.flatMap(({ damage }) => damage)).toEqual([]);
  const items = closed.reduce((sum, one) => sum + one.items, 0);
  expect(reports.reduce((sum, { records }) => sum + records, 0) - headers).toBe(items);
  expect(stdout).toContain(`all: 6 threads closed, ${items} items on disk, 1 late`);
});

test('the example csv-job.ts, killed in the middle and started again, answers each of its fifty questions once', async () => {
  const folder = temporaryFolder();
  const program = fileURLToPath(new URL('dist/examples/csv-job.js', ROOT));
  const killed = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(killed, 'exit');
  const before: string[] = [];
  for await (const line of createInterface({ input: killed.stdout })) {
    before.push(line);
    if (before.length === 20) killed.kill('SIGKILL');
  }
  await exited;
  expect(existsSync(join(folder, 'answers.csv')), 'no partial output').toBe(false);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, folder], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const after = stdout.split('\n').slice(0, -1);
  expect(after.pop()).toBe('completed: 50 of 50');
  expect(stderr).toMatch(/\[50\/50\] 50 done, 0 failed, .*\/s\n$/);
  const rows = parse<Record<string, string>>(readFileSync(join(folder, 'answers.csv')), { columns: true });
  expect(rows.map((row) => [row['name'], row['item_id'], row['status']])).toEqual(upTo(50).map((n) => [`question-${n + 1}`, `question-${n + 1}`, 'completed']));
  expect(JSON.parse(rows[6]?.['result_json'] ?? '')).toEqual({ answer: 'What is "7", and why: nobody knows', words: 7 });
  // Only what ran when it was killed, four at a time, runs again.
  const names = [...before, ...after].map((line) => line.split(',')[0]);
  expect(new Set(names).size).toBe(50);
  expect(names.length).toBeLessThanOrEqual(54);
});

test('the example piscina-fan-out.ts closes 64 agents on a pool while they talk, and every item they were told is recorded is on disk', async () => {
  const folder = temporaryFolder();
  const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('dist/examples/piscina-fan-out.js', ROOT))], { cwd: folder, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const agents = [...stdout.matchAll(/^agent (\d+): (\d+) items on disk, (.+)$/gm)].map(([, agent, items, path = '']) => ({ agent: Number(agent), items: Number(items), path }));
  expect(agents.map(({ agent }) => agent)).toEqual(upTo(64));
  let [sum, cut] = [0, 0];
  for (const { agent, items, path } of agents) {
    const delta = (index: number): object => ({ type: 'event_msg', payload: { type: 'agent_message_delta', agent, index, delta: `word ${index} ` } });
    expect(await itemsOf(path)).toEqual(upTo(items).map(delta));
    sum += items;
    cut += items < 2_000 ? 1 : 0;
  }
  // Some were closed while they talked, and none by force.
  expect(cut).toBeGreaterThan(0);
  expect(stdout).toMatch(new RegExp(`^all: 64 agents on \\d+ threads, ${sum} items on disk, ${64 * 2_000 - sum} late, 0 forced$`, 'm'));
});
