/**
 * Throws what nobody catches while two producers flood their rings: failing-host.mjs <directory> <lastword> <writer> [survives].
 * Tells, where the process ends, of each thread: its path, what it has accepted and written, what append() had returned, and
 * what it had accepted when the exception was thrown.
 */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

const [directory, lastwordUrl, writerUrl, survives] = process.argv.slice(2);
const { openSidecar } = await import(lastwordUrl);
const PRODUCERS = 2;
const THREADS = 3;
const GOING = 300;
const sidecar = await openSidecar({ directory, writerUrl: new URL(writerUrl), ringBytes: 64 * 1024, overflowBytes: 64 * 1024, fullTimeoutMs: 60_000, exitTimeoutMs: 60_000 });
const returned = new Int32Array(new SharedArrayBuffer(PRODUCERS * THREADS * 4));
const flood = async ({ attachProducer, threads }, given) => {
  const producer = await attachProducer(given.port);
  for (let index = 0; index < given.threads; index += 1) threads.push(await producer.createThread());
  const begun = new Promise((resolve) => {
    const step = () => {
      for (const [which, thread] of threads.entries()) {
        for (let more = 0; more < 20; more += 1) {
          const index = given.returned[given.first + which];
          const ordinal = thread.append({ type: 'event_msg', payload: { index, text: `item ${index}` } });
          if (ordinal === -1) return;
          Atomics.store(given.returned, given.first + which, ordinal);
        }
      }
      if (given.returned[given.first] >= given.going) resolve();
      setImmediate(step);
    };
    step();
  });
  await begun;
  return threads.map(({ id }) => id);
};
const ids = (await Promise.all(Array.from({ length: PRODUCERS }, (_, producer) => {
  const worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: { lastwordUrl } });
  const port = sidecar.createProducerPort();
  worker.postMessage({ order: 1, text: flood.toString(), given: { port, returned, first: producer * THREADS, threads: THREADS, going: GOING } }, [port.port]);
  return new Promise((resolve) => { worker.on('message', ({ order, value, error }) => { if (order === 1) resolve(value ?? [error.message]); }); });
}))).flat();
const threads = ids.map((id) => [...sidecar.liveThreads()].find((thread) => thread.id === id));
let thrown = [];
const tell = () => {
  writeSync(1, JSON.stringify(threads.map(({ path, state, accepted, written }, index) => ({ path, state, accepted, written, returned: returned[index], thrown: thrown[index] }))));
};
if (survives === 'survives') {
  process.once('uncaughtException', () => {
    tell();
    process.removeAllListeners('exit');
    void sidecar.close().then(() => { process.exit(0); });
  });
}
process.on('exit', tell);
setImmediate(() => {
  thrown = threads.map(({ accepted }) => accepted);
  throw new Error('the host fails');
});
