/**
 * A job of 64 workers that take their time, in real time, and what wakes the host and the writer meanwhile:
 * idle.mjs <lastwordUrl> <writerUrl> <directory> <wakesPath>. Both say in that file what wakes them.
 */
import { appendFileSync, readFileSync } from 'node:fs';

const [lastwordUrl, writerUrl, directory, wakesPath] = process.argv.slice(2);
const WORKERS = 64;
const SETTLE_MS = 200;
const WINDOW_MS = 2_000;
const { setTimeout: later } = globalThis;
const sleep = (ms) => new Promise((resolve) => { later(resolve, ms); });

let isWatching = false;
const woken = (what) => { if (isWatching) appendFileSync(wakesPath, `host: ${what}\n`); };
for (const name of ['setTimeout', 'setInterval', 'setImmediate']) {
  const original = globalThis[name];
  globalThis[name] = Object.assign((callback, ...rest) => original((...args) => { woken(name); callback(...args); }, ...rest), original);
}
const { wait, waitAsync } = Atomics;
Atomics.wait = (...args) => { woken('Atomics.wait'); return wait(...args); };
Atomics.waitAsync = (...args) => {
  const sleeping = waitAsync(...args);
  if (sleeping.async) void sleeping.value.then(() => { woken('Atomics.waitAsync'); });
  return sleeping;
};

const { openSidecar } = await import(lastwordUrl);
const { runJob } = await import(lastwordUrl.replace('index.js', 'jobs/index.js'));
const sidecar = await openSidecar({ directory, logger: false, syncIntervalMs: 0, writerUrl: new URL(writerUrl) });
let begun = 0;
const allBegun = new Promise((resolve) => {
  globalThis.begin = () => { if ((begun += 1) === WORKERS) resolve(undefined); };
});
const job = await runJob(sidecar, { rows: Array.from({ length: 2 * WORKERS }, (_, n) => ({ n })), concurrency: WORKERS, worker: () => { globalThis.begin(); return new Promise(() => undefined); } });
await allBegun;
// What the start has set going comes to rest.
await sleep(SETTLE_MS);
const before = sidecar.stats().signals;
isWatching = true;
appendFileSync(wakesPath, 'watched\n');
await sleep(WINDOW_MS);
isWatching = false;
const after = sidecar.stats().signals;
const wakes = readFileSync(wakesPath, 'utf8').split('\n').slice(0, -1);
console.log(JSON.stringify({
  running: job.progress.running, wakes: wakes.slice(wakes.indexOf('watched') + 1), commands: after.commands - before.commands, notifies: after.notifies - before.notifies, parks: after.parks - before.parks,
  isWatched: wakes.includes('writer: setTimeout watched'),
}));
job.stop();
await job.result;
await sidecar.close();
