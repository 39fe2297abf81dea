/** Opens far more threads than the process may have descriptors: many-threads.mjs <lastword> <directory> <threads>. Tells what came of it over stdout. */
import { readdirSync } from 'node:fs';

const [, , lastword, directory, count] = process.argv;
const { openSidecar } = await import(lastword);
const sidecar = await openSidecar({ directory, logger: false, closeTimeoutMs: 120_000 });
let [degraded, descriptors] = [0, 0];
sidecar.on('degraded', () => { degraded += 1; });
const threads = [];
for (let index = 0; index < Number(count); index += 1) {
  const thread = await sidecar.createThread();
  thread.append({ type: 'event_msg', payload: { index } });
  threads.push(thread);
  if (index % 1000 === 0) descriptors = Math.max(descriptors, readdirSync('/proc/self/fd').length);
}
await sidecar.flush({ timeoutMs: 120_000 });
// Again, to files that were closed for others.
for (const [index, thread] of threads.entries()) thread.append({ type: 'event_msg', payload: { index, again: true } });
await sidecar.flush({ timeoutMs: 120_000 });
let wrong = 0;
for (const [index, { id }] of threads.entries()) {
  if (index % 100 !== 0) continue;
  const items = [];
  for await (const { type, payload } of sidecar.readThread(id)) if (type === 'event_msg') items.push(payload);
  if (JSON.stringify(items) !== JSON.stringify([{ index }, { index, again: true }])) wrong += 1;
}
const { threads: listed } = await sidecar.listThreads({ limit: 100 });
const { files } = sidecar.stats();
const receipt = await sidecar.close();
console.log(JSON.stringify({ degraded, wrong, listed: listed.length, isWithin: descriptors <= 64, evicted: files.evicted > 0, threads: receipt.threads, items: receipt.items, locks: readdirSync(`${directory}/locks`).length }));
