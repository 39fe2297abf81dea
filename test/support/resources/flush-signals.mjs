/**
 * flush-signals.mjs <library> <folder>, with --import count-signals.mjs: what main and writer signal each other in 100 flushes, by kind of
 * flush: { main: { messages, notifies }, writer: { messages, notifies } }. Of main without what its appends need.
 */
import { counts } from './count-signals.mjs';

const [library, directory] = process.argv.slice(2);
const { openSidecar } = await import(library);
const FLUSHES = 100;
const THREADS = 10;

const sidecar = await openSidecar({ directory, logger: false, syncIntervalMs: 0 });
const threads = await Promise.all(Array.from({ length: THREADS }, () => sidecar.createThread()));
const [one] = threads;

async function signalsOf(appendTo, flush) {
  const total = { main: { messages: 0, notifies: 0 }, writer: { messages: 0, notifies: 0 } };
  for (let done = 0; done < FLUSHES; done += 1) {
    const writer = [counts[2], counts[3]];
    for (const thread of appendTo) thread.append({ type: 'event_msg', payload: { text: 'some' } });
    const main = [counts[0], counts[1]];
    await flush();
    total.main.messages += counts[0] - main[0];
    total.main.notifies += counts[1] - main[1];
    total.writer.messages += counts[2] - writer[0];
    total.writer.notifies += counts[3] - writer[1];
  }
  return total;
}

await sidecar.flush({ durability: 'synced' });
const result = {
  nothing: await signalsOf([], () => sidecar.flush()),
  written: await signalsOf([one], () => one.flush()),
  allWritten: await signalsOf(threads, () => sidecar.flush()),
  synced: await signalsOf([one], () => one.flush({ durability: 'synced' })),
  allSynced: await signalsOf(threads, () => sidecar.flush({ durability: 'synced' })),
};
await sidecar.close();
process.stdout.write(JSON.stringify(result));
