/**
 * A host program that ends in the way its scenario says (`run.ts`), with so many items underway. What it has appended it
 * tells over descriptor 3, synchronously: standard output and error belong to what is tested.
 */
import fs, { renameSync, writeFileSync, writeSync } from 'node:fs';
import { ENDS } from './ends.mjs';
import { awaitDeath, closeGate, countsOf, createRig, openGate, rigDisk } from './rig.mjs';

const TEXT = 'x'.repeat(200);
/** Appended in one go; `flood` is what the ring and the overflow together do not hold. */
const ITEMS = { idle: 10, fits: 100, spills: 350, flood: 2000 };
const LARGE_BYTES = 24 * 1024 * 1024;

const fail = () => { throw new Error('the logger of the host fails'); };
const THROWING_LOGGER = { debug() { /* not asked for */ }, info: fail, warn: fail, error: fail };

const scenario = JSON.parse(process.argv[2] ?? '{}');
const {
  burst, delayMs, death, disk, end, full, options, hasThrowingLogger, isBare, isDeathAwaited, isFirstOnlySignalled, isFlushedFirst, isGateKept, isResumed,
  isRigged, isTellingAtExit, largeBytes = LARGE_BYTES, lastwordUrl, sidecars, threadsEach, waitsForExitEvent, writerUrl,
} = scenario;

function tell(members) {
  const bytes = Buffer.from(`${JSON.stringify(members)}\n`);
  for (let told = 0; told < bytes.byteLength;) told += writeSync(3, bytes, told);
}

/** In place of a sidecar, for what the process does without the library. */
function bareSidecar() {
  // Looks into the item, as any library would.
  const append = (item) => JSON.stringify(item).length * 0;
  const thread = { path: '', accepted: 1, written: 1, append, appendAll: append, flush: async () => undefined };
  return { close: async () => undefined, createThread: async () => ({ ...thread }), stats: () => ({ bytes: { ringUsed: 0, overflow: 0, ringCapacity: 0 } }) };
}

class Host {
  scenario = scenario;
  /** The worker. */
  writer = undefined;
  words = isRigged ? createRig(writerUrl) : undefined;
  sidecars = [];
  threads = [];
  tell = tell;
  /** Of each thread: the number of the next item, whether it is taken or not. */
  next = [];
  /** Of each thread: numbers of items, each followed by what append() returned for it. */
  returned = [];

  get sidecar() {
    return this.sidecars[0];
  }

  async open() {
    const { openSidecar } = isBare ? { openSidecar: bareSidecar } : await import(lastwordUrl ?? 'lastword');
    for (let index = 0; index < sidecars; index += 1) {
      const { signals, ...rest } = index > 0 && isFirstOnlySignalled ? { ...options, signals: undefined } : options;
      const sidecar = await openSidecar({
        ...rest, ...(hasThrowingLogger && index === 0 ? { logger: THROWING_LOGGER } : {}), ...(signals === undefined ? {} : { signals }),
        ...(isRigged ? { writerUrl: new URL('./rigged-writer.mjs', import.meta.url) } : {}),
      });
      this.sidecars.push(sidecar);
      for (let which = 0; which < threadsEach; which += 1) this.threads.push(await sidecar.createThread());
    }
    this.next = this.threads.map(() => 0);
    this.returned = this.threads.map(() => []);
    if (isResumed) await this.resume();
    tell({ paths: this.threads.map(({ path }) => path), ids: this.threads.map(({ id }) => id) });
  }

  /** Each thread is one that was closed with items in it. */
  async resume() {
    this.append(ITEMS.idle);
    for (const [which, thread] of this.threads.entries()) {
      await thread.close();
      this.threads[which] = await this.sidecar.resumeThread(thread.id);
    }
  }

  /** So many items, to all threads by turns. */
  append(items) {
    for (let count = 0; count < items; count += 1) {
      this.appendTo(count % this.threads.length);
    }
  }

  /** One item. Where the stack is used up, each step may be the one that fails. */
  appendTo(which) {
    const index = this.next[which];
    this.next[which] += 1;
    const ordinal = this.threads[which].append({ type: 'event_msg', payload: { index, text: TEXT } });
    this.returned[which].push(index, ordinal);
  }

  /** Of items that are not alike, some two at once: what is new of them is published beside the item. */
  appendOdd(level) {
    const [thread] = this.threads;
    const index = this.next[0];
    const item = (number) => ({ type: 'event_msg', payload: { index: number, text: TEXT, [`key ${number}`]: { level } } });
    this.next[0] += 2;
    if (level % 3 > 0) this.returned[0].push(index, thread.append(item(index)));
    else {
      const ordinal = thread.appendAll([item(index), item(index + 1)]);
      this.returned[0].push(index, ordinal, index + 1, ordinal + 1);
    }
  }

  /** Everything accepted so far must be in the files. */
  tellAccepted() {
    tell({ accepted: this.threads.map(({ accepted }) => accepted), returned: this.returned });
  }

  get used() {
    return this.sidecars.reduce((used, sidecar) => used + sidecar.stats().bytes.ringUsed + sidecar.stats().bytes.overflow, 0);
  }

  /** What the disk below is like from now on (`SlowDisk`). */
  turnDisk() {
    if (disk === undefined) return;
    writeFileSync(`${disk.control}.next`, JSON.stringify(disk.faults));
    renameSync(`${disk.control}.next`, disk.control);
  }

  burst() {
    const { words } = this;
    if (words !== undefined) closeGate(words, { delayMs, death, full });
    if (burst === 'flood') this.flood();
    else if (burst === 'large') this.large();
    else this.append(ITEMS[burst] ?? burst);
    tell({ used: this.used });
    this.tellAccepted();
    if (words !== undefined && !isGateKept) openGate(words);
    if (death !== 'none' && isDeathAwaited) awaitDeath(words);
  }

  /** One item that does not go through the ring, and some behind it. */
  large() {
    this.returned[0].push(0, this.threads[0].append({ type: 'event_msg', payload: { index: 0, text: TEXT, large: 'y'.repeat(largeBytes) } }));
    this.next[0] = 1;
    this.append(ITEMS.fits);
  }

  /** Fills ring and overflow before the disk moves; the rest has to wait for room. */
  flood() {
    const { ringBytes, overflowBytes } = options;
    const before = this.next[0];
    const almostFull = (ringBytes + overflowBytes) * 0.9;
    const itemsLeft = () => ITEMS.flood - (this.next[0] - before) * this.threads.length;
    // A mutant of the writer may not stand at the gate, and keep them empty.
    while (this.words !== undefined && this.used < almostFull && itemsLeft() > 0) this.append(this.threads.length);
    tell({ usedBeforeWaiting: this.used });
    if (this.words !== undefined) openGate(this.words);
    this.append(itemsLeft());
  }
}

const host = new Host();
const writerEnded = new Promise((resolve) => {
  process.once('worker', (worker) => {
    host.writer = worker;
    worker.once('exit', resolve);
  });
});
const { prepare, end: finish } = ENDS[end];
prepare?.(host);
if (host.words !== undefined) rigDisk(fs, host.words, false);
await host.open();
if (isTellingAtExit) {
  process.on('exit', () => {
    host.tellAccepted();
    tell({ counts: host.words === undefined ? undefined : countsOf(host.words), busy: host.sidecar.stats().busy?.call, atExit: host.threads.map(({ written, synced }) => ({ written, synced })) });
  });
}
if (burst === 'idle' || isFlushedFirst) {
  host.append(ITEMS.idle);
  await Promise.all(host.threads.map((thread) => thread.flush()));
  tell({ written: host.threads.map(({ written }) => written) });
}
// Not in the module's own evaluation: what is thrown there is a rejection.
setImmediate(() => {
  host.turnDisk();
  if (burst === 'idle') host.tellAccepted();
  else host.burst();
  process.stdout.write('the host was here\n');
  tell({ ends: true });
  if (waitsForExitEvent) {
    const alive = setInterval(() => undefined, 60_000);
    void writerEnded.then(() => {
      clearInterval(alive);
      return finish(host);
    });
  } else {
    void finish(host);
  }
});
