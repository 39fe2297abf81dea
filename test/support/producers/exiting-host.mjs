/** Exits while a producer stands between exchange and publish: exiting-host.mjs <directory> <lastword of the producer> */
import { Worker } from 'node:worker_threads';
import { openSidecar } from 'lastword';

const [directory, lastwordUrl] = process.argv.slice(2);
const sidecar = await openSidecar({ directory });
const worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: { lastwordUrl } });
const port = sidecar.createProducerPort();
const word = new Int32Array(new SharedArrayBuffer(4));
const act = async ({ attachProducer }, given) => {
  const producer = await attachProducer(given.port);
  const thread = await producer.createThread();
  globalThis.stopsAt = { left: 5, word: given.word };
  for (let index = 0; index < 9; index += 1) thread.append({ type: 'event_msg', payload: { index, text: `item ${index}` } });
};
worker.postMessage({ order: 1, text: act.toString(), given: { port, word } }, [port.port]);
await Atomics.waitAsync(word, 0, 0).value;
const [{ path }] = [...sidecar.liveThreads()];
console.log(path);
process.exit(7);
