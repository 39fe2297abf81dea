import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished, describe, expect, test } from 'vitest';
import { FilePool } from '../../src/pool/file-pool.js';
import { temporaryFolder } from '../support/rollouts.js';
import { ROOT } from '../support/source.js';
import { rejection } from '../support/sidecars.js';

/** Tasks as worker/tasks has them: what they answer is a value, errors too. */
const TASKS = {
  echo: 'export default async (input) => ({ ok: true, value: input });',
  flags: 'import { threadId } from "node:worker_threads"; export default () => ({ ok: true, value: [process.execArgv, Object.keys(process.env), threadId > 0] });',
  refuse: 'export default () => ({ ok: false, error: { code: "LASTWORD_ROLLOUT_CORRUPT", message: "no header", context: { path: "/x" }, cause: undefined } });',
  die: 'export default () => { process.exit(3); };',
  hang: 'export default () => new Promise(() => undefined);',
};

function poolOf(threads = 1): { run: (task: keyof typeof TASKS, input?: unknown, signal?: AbortSignal) => Promise<unknown>; pool: FilePool } {
  const folder = tasksFolder();
  const pool = new FilePool({ threads, tasks: () => folder });
  onTestFinished(() => pool.close());
  return { pool, run: (task, input, signal) => pool.run(task as never, input as never, signal) };
}

function tasksFolder(): URL {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const [name, text] of Object.entries(TASKS)) writeFileSync(join(folder, `${name}.js`), text);
  return pathToFileURL(`${folder}/`);
}

describe('a pool of threads for files', () => {
  test('answers each task with what came of it, more of them than it has threads', async () => {
    const { run } = poolOf(2);
    expect(await Promise.all([1, 2, 3, 4, 5].map((number) => run('echo', { number })))).toEqual([1, 2, 3, 4, 5].map((number) => ({ number })));
  });

  test('runs tasks on threads of their own, with no flag and no variable of the host', async () => {
    expect(await poolOf().run('flags')).toEqual([[], [], true]);
  });

  test('rejects with the error of the task, its code and context kept', async () => {
    expect(await rejection(poolOf().run('refuse'))).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT', context: { path: '/x' } });
  });

  test('outlives a thread that dies: its task fails, the next one runs', async () => {
    const { run } = poolOf();
    expect(await rejection(run('die'))).toBeInstanceOf(Error);
    expect(await run('echo', 1)).toBe(1);
  });

  test('lets go of a task that hangs when its signal aborts, and goes on', async () => {
    const { run } = poolOf();
    const controller = new AbortController();
    const hanging = run('hang', undefined, controller.signal);
    controller.abort(new Error('enough'));
    expect(await rejection(hanging)).toMatchObject({ message: 'enough' });
    expect(await rejection(run('echo', 1, controller.signal))).toMatchObject({ message: 'enough' });
    expect(await run('echo', 1)).toBe(1);
  });

  test('closed, refuses what is under way and what comes later', async () => {
    const { pool, run } = poolOf();
    await run('echo', 1);
    const hanging = rejection(run('hang'));
    await pool.close();
    expect(await hanging).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
    expect(await rejection(run('echo', 1))).toMatchObject({ code: 'LASTWORD_NOT_OPEN' });
    const unused = poolOf();
    await unused.pool.close();
  });

  test('keeps a process alive while a task is pending, and not when it is idle', () => {
    const program = `
      import { FilePool } from ${JSON.stringify(pathToFileURL(join(ROOT, 'dist/src/pool/file-pool.js')).href)};
      const pool = new FilePool({ tasks: () => new URL(${JSON.stringify(tasksFolder().href)}) });
      pool.run('echo', 'answered').then((answer) => { process.stdout.write(answer); });`;
    // A process that an idle thread keeps alive is killed at the bound, and that throws.
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 60_000 });
    expect(output).toBe('answered');
  });
});
