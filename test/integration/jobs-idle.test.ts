/** Nothing polls: while all workers of a job are at work, nothing wakes host or writer. In real time, over built code whose timers are counted. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { temporaryFolder } from '../support/sidecars.js';

const PROGRAM = fileURLToPath(new URL('../support/jobs/idle.mjs', import.meta.url));

/** The writer says which of its timers fire. */
const counted = (wakesPath: string): Patch => ({
  file: 'worker/main.js', find: 'const data = workerData;',
  replace: `const data = workerData;
{
    const { appendFileSync } = process.getBuiltinModule('node:fs');
    const tellWake = (what) => { appendFileSync(${JSON.stringify(wakesPath)}, 'writer: ' + what + '\\n'); };
    for (const name of ['setTimeout', 'setInterval']) {
        const original = globalThis[name];
        globalThis[name] = (callback, ...rest) => original((...args) => { tellWake(name); callback(...args); }, ...rest);
        tellWake(name + ' watched');
    }
    const { wait, waitAsync } = Atomics;
    Atomics.wait = (...args) => { tellWake('Atomics.wait'); return wait(...args); };
    Atomics.waitAsync = (...args) => {
        const sleeping = waitAsync(...args);
        if (sleeping.async) void sleeping.value.then(() => { tellWake('Atomics.waitAsync'); });
        return sleeping;
    };
}`,
});

/** The writer looks four times a second at whatever rollout is open, of a job or not: that is the sidecar's. */
const UNLOOKING: Patch = { file: 'worker/interference.js', find: '1000 / LOOKS_A_SECOND', replace: '2 ** 30' };

function wakes(...patches: Patch[]): unknown {
  const directory = join(temporaryFolder(), 'rollouts');
  const wakesPath = `${directory}.wakes`;
  const { lastwordUrl, writerUrl } = mutantPackage(counted(wakesPath), UNLOOKING, ...patches);
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, lastwordUrl, writerUrl, directory, wakesPath], { encoding: 'utf8', timeout: 60_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

test('a job with 64 workers at work wakes nothing in two seconds, neither host nor writer', () => {
  expect(wakes()).toEqual({ running: 64, wakes: [], commands: 0, notifies: 0, parks: 0, isWatched: true });
});

test('the control: a job that looks at its workers four times a second', () => {
  const found = wakes({
    file: 'src/jobs/running-job.js', find: 'await Promise.all(lanes);', replace: 'const poll = setInterval(() => { void this.progress; }, 250); await Promise.all(lanes); clearInterval(poll);',
  }) as { wakes: string[] };
  expect(found.wakes.filter((wake) => wake === 'host: setInterval').length).toBeGreaterThan(2);
});
