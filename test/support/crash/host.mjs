/**
 * A host under load, until it is killed: host.mjs <load as JSON> (`Load` in `run.ts`). Tells what its threads are at, a
 * line each time, over descriptor 3 or to the file `tellPath`.
 */
import fs from 'node:fs';
import { randomFrom } from '../random-from.mjs';

const load = JSON.parse(process.argv[2]);
const { directory, options, threads: count, shape, itemBytes, flushEach, durability, itemsMax, seed, tellPath } = load;
const { openSidecar } = await import(load.lastwordUrl ?? 'lastword');
const BURST_MAX = 3000;
const PACE_MS = 2;

const told = tellPath === undefined ? 3 : fs.openSync(tellPath, 'a');
const tell = (message) => { fs.writeSync(told, `${JSON.stringify(message)}\n`); };

const below = randomFrom(seed);

const sidecar = await openSidecar({
  directory, logger: false, ...options, ...load.writerUrl === undefined ? {} : { writerUrl: new URL(load.writerUrl) },
});
const threads = [];
for (let which = 0; which < count; which += 1) threads.push(await sidecar.createThread());
let appended = 0;

/** The levels first, so that what is told was true. */
function tellLevels() {
  tell({ synced: threads.map(({ synced }) => synced), written: threads.map(({ written }) => written), accepted: threads.map(({ accepted }) => accepted) });
}

function append() {
  const bytes = itemBytes + below(itemBytes);
  try {
    threads[appended % count].append(itemOf(bytes));
  } catch (error) {
    // Of a disk that takes nothing.
    if (error.code !== 'LASTWORD_RING_FULL') throw error;
  }
  appended += 1;
}

function itemOf(bytes) {
  return { type: 'event_msg', payload: { index: appended, bytes, text: String.fromCharCode(97 + below(26)).repeat(bytes) } };
}

/** What a failing disk says is in the levels. */
const flush = () => Promise.allSettled(threads.map((thread) => thread.flush({ durability })));
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** One step of each shape of load. */
const STEPS = {
  async loop() {
    for (let each = 0; each < flushEach; each += 1) append();
    await flush();
  },
  async paced() {
    append();
    await pause(PACE_MS);
  },
  async burst() {
    for (let each = 0; each < BURST_MAX && !sidecar.needsDrain; each += 1) append();
    tellLevels();
    await pause(below(30));
    if (below(2) === 0) await flush();
  },
};

tell({ paths: threads.map(({ path }) => path), ids: threads.map(({ id }) => id) });
while (appended < itemsMax) {
  await STEPS[shape]();
  tellLevels();
}
tellLevels();
await sidecar.close();
tell({ isClosed: true });
