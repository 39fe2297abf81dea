/** A thread's owner that is stopped for longer than any heartbeat may take, on this machine: it is its owner still. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CRASH_HOST, hear, nothingTold, ROOT, type Load } from '../support/crash/run.js';
import { openTestSidecar, rejection, temporaryFolder } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

/** A heartbeat may be 60 s old. */
const STOPPED_MS = 65_000;
const OWNERS = 3;

test(`P12: owners that are stopped for ${STOPPED_MS / 1000} s keep their threads, and go on`, async ({ task }) => {
  counted(task, OWNERS);
  await Promise.all(Array.from({ length: OWNERS }, async (_, seed) => {
    const directory = join(temporaryFolder(), 'root');
    const load: Load = { directory, seed, threads: 1, shape: 'paced', itemBytes: 100, flushEach: 1, durability: 'written', itemsMax: 1e9, options: {} };
    const child = spawn(process.execPath, [CRASH_HOST, JSON.stringify(load)], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
    onTestFinished(() => { child.kill('SIGKILL'); });
    const told = nothingTold();
    const lines = createInterface({ input: child.stdio[3] as NodeJS.ReadableStream });
    lines.on('line', (line) => { hear(told, line); });
    const heard = async (count: number): Promise<void> => {
      while ((told.written[0] ?? 0) < count) await once(lines, 'line');
    };
    await heard(20);
    child.kill('SIGSTOP');
    const sidecar = await openTestSidecar({ directory });
    const busy = async (): Promise<void> => {
      expect(await rejection(sidecar.resumeThread(told.ids[0] ?? ''))).toMatchObject({ code: 'LASTWORD_THREAD_BUSY', context: { owner: { pid: child.pid } } });
    };
    await busy();
    await new Promise((resolve) => { setTimeout(resolve, STOPPED_MS); });
    await busy();
    child.kill('SIGCONT');
    await heard((told.written[0] ?? 0) + 200);
    await busy();
    child.kill('SIGKILL');
    await once(child, 'exit');
    // A dead one's thread is had at once, and whole.
    const thread = await sidecar.resumeThread(told.ids[0] ?? '');
    expect(thread.accepted).toBeGreaterThanOrEqual(told.written[0] ?? 0);
    await thread.close();
    expect(readFileSync(thread.path, 'utf8').endsWith('\n')).toBe(true);
  }));
});
