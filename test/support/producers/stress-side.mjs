/** A producer under stress: creates, appends, publishes and closes at random, until its plan ends it. */
import { parentPort, workerData } from 'node:worker_threads';
import { randomFrom } from '../random-from.mjs';

const { lastwordUrl, port, seed, number, threads: threadsMax, operations, end, returned, word } = workerData;
const { attachProducer } = await import(lastwordUrl);
const below = randomFrom(seed);
const producer = await attachProducer({ port });
const threads = [];
let began = 0;

/** What append() returned is noted before anything else: it is promised. */
function note(entry, count, first) {
  if (first === -1) {
    entry.isLate = true;
    return;
  }
  if (first !== entry.items + 1) throw new Error(`ordinal ${first} in place of ${entry.items + 1}`);
  entry.items += count;
  Atomics.store(returned, entry.index, entry.items);
}
const itemOf = (entry, more = 0) => ({ type: 'event_msg', payload: { producer: number, thread: entry.index, n: entry.items + more, text: 'x'.repeat(below(50) === 0 ? 20_000 : below(200)) } });
const settled = [];
const opening = new Set();

function step() {
  const choice = below(100);
  if (began < threadsMax && (choice < 30 || threads.length === 0)) {
    const index = began;
    began += 1;
    const created = producer.createThread().then((thread) => {
      threads.push({ thread, index, items: 0, isLate: false });
      opening.delete(created);
    });
    opening.add(created);
    settled.push(created);
    return;
  }
  const entry = threads[below(threads.length)];
  if (entry === undefined) return;
  if (choice < 80) note(entry, 1, entry.thread.append(itemOf(entry)));
  else if (choice < 88) {
    const count = 1 + below(4);
    note(entry, count, entry.thread.appendAll(Array.from({ length: count }, (_, more) => itemOf(entry, more))));
  } else if (choice < 94) {
    const { items } = entry;
    settled.push(entry.thread.publish(itemOf(entry), { durability: below(2) === 0 ? 'accepted' : 'written' }).catch(() => undefined));
    // The append is done when publish() has returned its promise.
    if (entry.thread.state === 'open' || entry.thread.accepted > items + 1) note(entry, 1, entry.thread.accepted > items + 1 ? items + 1 : -1);
  } else if (choice < 97) settled.push(entry.thread.close().catch(() => undefined));
  if (entry.isLate) threads.splice(threads.indexOf(entry), 1);
}

// Main terminates it there, or the patched publish() stops at that many of them.
if (end === 'between') globalThis.stopsAt = { left: operations, word };
const last = end === 'between' ? operations * 3 : operations;
for (let done = 0; done < last; done += 1) {
  step();
  if (threads.length === 0 && opening.size > 0) await Promise.race(opening);
  else if (done % 32 === 0) await new Promise((resolve) => { setImmediate(resolve); });
  // The other side may close one now.
  if (done % 32 === 0) parentPort.postMessage(done);
}
if (end === 'exit') process.exit(1);
if (end === 'terminate') {
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
  for (;;) step();
}
await Promise.all(settled);
if (end === 'close') await producer.close();
parentPort.close();
