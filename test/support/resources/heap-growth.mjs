/**
 * heap-growth.mjs <library> <folder>: what appends leave in the heap, and what each allocates. Run with --expose-gc and a young
 * generation that takes them all. Prints { grownBytes, bytesPerAppend }.
 */
const [library, directory] = process.argv.slice(2);
const { openSidecar } = await import(library);

const APPENDS = 1_000_000;
const AT_ONCE = 10_000;
const POOL = 997;

const sidecar = await openSidecar({ directory, logger: false, ringBytes: 8 << 20, overflowBytes: 8 << 20, syncIntervalMs: 0 });
const threads = await Promise.all(Array.from({ length: 10 }, () => sidecar.createThread()));
const items = Array.from({ length: POOL }, (_, index) => ({ type: 'event_msg', payload: { type: 'agent_message_delta', delta: `text ${index}`, index } }));

function append(count) {
  for (let index = 0; index < count; index += 1) threads[index % threads.length].append(items[index % POOL]);
}

async function appendAll(count) {
  for (let done = 0; done < count; done += AT_ONCE) {
    append(AT_ONCE);
    await sidecar.flush();
  }
}

await appendAll(10 * AT_ONCE);
gc();
const before = process.memoryUsage().heapUsed;
await appendAll(APPENDS);
gc();
const after = process.memoryUsage().heapUsed;
append(AT_ONCE);
const used = process.memoryUsage().heapUsed;
await sidecar.close();
process.stdout.write(JSON.stringify({ grownBytes: after - before, bytesPerAppend: (used - after) / AT_ONCE }));
