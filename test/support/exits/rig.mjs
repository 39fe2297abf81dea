/**
 * What a host program and its writer's disk share: words that the host sets and the disk obeys, and counts that the disk
 * keeps. They come to the writer as environment data, before the library's own message.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

const WORDS = 'lastword-test-rig';
const WRITER = 'lastword-test-writer';
/** Longest wait for a writer that was told to end. */
const DEATH_MS = 10_000;

/** 1: the next write() waits until it is 0 again. */
export const GATE = 0;
/** Milliseconds that each write() takes. */
const DELAY_MS = 1;
/** Index into DEATHS: how the writer ends at its next write. */
export const DEATH = 2;
/** 1 once it does. */
export const DIED = 3;
/** Counts. */
export const WRITES = 4;
const SYNCS = 5;
/** `WRITES` when the last data sync began. */
const WRITES_SYNCED = 6;
/** Index into FULL. */
const FULL_FOR = 7;
/** What the disk has no room for, in whichever thread writes. */
const FULL = ['nothing', 'rollouts', 'everything'];

export const DEATHS = ['none', 'before a write', 'within a write', 'after a write', 'throws between two passes', 'of a full disk', 'of a read-only disk'];
/** Errors of a write, of which the writer does not die. */
const REFUSALS = { 'of a full disk': ['ENOSPC', -28], 'of a read-only disk': ['EROFS', -30] };

/** The words, on the host's side: made before the sidecar. */
export function createRig(writerUrl) {
  const words = new Int32Array(new SharedArrayBuffer(64));
  setEnvironmentData(WORDS, words);
  setEnvironmentData(WRITER, writerUrl);
  return words;
}

export function rigOfWriter() {
  return { words: getEnvironmentData(WORDS), writerUrl: getEnvironmentData(WRITER) };
}

export function closeGate(words, { delayMs = 0, death = 'none', full = 'nothing' } = {}) {
  setFull(words, full);
  Atomics.store(words, DELAY_MS, delayMs);
  Atomics.store(words, DEATH, DEATHS.indexOf(death));
  Atomics.store(words, GATE, 1);
}

export function setFull(words, full) {
  Atomics.store(words, FULL_FOR, FULL.indexOf(full));
}

export function openGate(words) {
  Atomics.store(words, GATE, 0);
  Atomics.notify(words, GATE);
}

/** Blocks until the writer has come to its end. */
export function awaitDeath(words) {
  if (Atomics.wait(words, DIED, 0, DEATH_MS) === 'timed-out') throw new Error(`the writer did not end in ${DEATH_MS} ms`);
}

export function countsOf(words) {
  return { writes: Atomics.load(words, WRITES), syncs: Atomics.load(words, SYNCS), writesSynced: Atomics.load(words, WRITES_SYNCED) };
}

/** Puts the rig under node:fs of this thread. `isHeld`: its writes obey the gate, and not only count. */
export function rigDisk(fs, words, isHeld) {
  const { closeSync, openSync, writeSync, fdatasync, fdatasyncSync } = fs;
  /** Descriptors of salvage files. */
  const salvages = new Set();
  /** Of the file that leases are links to: it is synced once, when it is made. */
  const owners = new Set();
  fs.openSync = (path, ...rest) => {
    const descriptor = openSync(path, ...rest);
    if (String(path).includes('/salvage-')) salvages.add(descriptor);
    if (String(path).endsWith('.owner')) owners.add(descriptor);
    return descriptor;
  };
  fs.closeSync = (descriptor) => {
    salvages.delete(descriptor);
    owners.delete(descriptor);
    closeSync(descriptor);
  };
  const onSync = (descriptor) => {
    if (owners.has(descriptor)) return;
    Atomics.add(words, SYNCS, 1);
    Atomics.store(words, WRITES_SYNCED, Atomics.load(words, WRITES));
  };
  fs.writeSync = (descriptor, ...rest) => {
    // Descriptors of the process itself: what is logged is no rollout.
    if (descriptor <= 3) return writeSync(descriptor, ...rest);
    if (isHeld) {
      Atomics.wait(words, GATE, 1);
      const delayMs = Atomics.load(words, DELAY_MS);
      if (delayMs > 0) Atomics.wait(words, DIED, 0, delayMs);
      const death = DEATHS[Atomics.exchange(words, DEATH, 0)];
      if (death !== 'none') return dieIn(death, () => writeSync(descriptor, ...rest), (part) => writeSync(descriptor, rest[0], rest[1], part(rest[2])));
    }
    const full = FULL[Atomics.load(words, FULL_FOR)];
    if (full === 'everything' || (full === 'rollouts' && !salvages.has(descriptor))) dieIn('of a full disk');
    const written = writeSync(descriptor, ...rest);
    Atomics.add(words, WRITES, 1);
    return written;
  };
  fs.fdatasync = (...args) => { onSync(args[0]); return fdatasync(...args); };
  fs.fdatasyncSync = (...args) => { onSync(args[0]); return fdatasyncSync(...args); };

  function dieIn(death, writeAll, writePart) {
    // Not the writer: the thread whose write it is.
    if (death in REFUSALS) {
      const [code, errno] = REFUSALS[death];
      throw Object.assign(new Error(`${code}: write`), { code, errno, syscall: 'write' });
    }
    if (death === 'within a write') writePart((length) => Math.floor(length / 2));
    if (death === 'after a write') writeAll();
    Atomics.store(words, DIED, 1);
    Atomics.notify(words, DIED);
    // Of a worker, process.exit() ends only the worker, at once.
    if (death !== 'throws between two passes') process.exit(9);
    process.nextTick(() => { throw new Error('the writer fails'); });
    return writeAll();
  }
}
