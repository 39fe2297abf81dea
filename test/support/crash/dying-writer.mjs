/**
 * The shipped writer, or a mutant of it, which counts its system calls about one directory and dies at one of them. What it
 * shares with the test comes as environment data.
 */
import fs from 'node:fs';
import { getEnvironmentData } from 'node:worker_threads';
import { DYING } from './writer-words.mjs';

const { CALLS, DIES_AT, WAY, COUNTS_WRITES } = DYING;

const { words, directory, ways, writerUrl } = getEnvironmentData('lastword-test-deaths');
const descriptors = new Set();

const isBelow = (target) => (typeof target === 'string' ? target.startsWith(directory) : descriptors.has(target));

/** How to die at this call, if so. */
function wayNow(name) {
  if (Atomics.load(words, COUNTS_WRITES) === 1 && name !== 'writeSync') return undefined;
  const number = Atomics.add(words, CALLS, 1) + 1;
  return Atomics.compareExchange(words, DIES_AT, number, 0) === number ? ways[Atomics.load(words, WAY)] : undefined;
}

const DEATHS = {
  'exits before a call': () => process.exit(3),
  'throws out of a turn': () => { queueMicrotask(() => { throw new Error('a bug of the writer'); }); },
  'rejects and nobody listens': () => { void Promise.reject(new Error('a bug of the writer')); },
  'runs out of memory': () => {
    const kept = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
  },
};

for (const name of ['openSync', 'writeSync', 'ftruncateSync', 'fstatSync', 'closeSync', 'linkSync', 'renameSync', 'unlinkSync', 'readSync', 'lstatSync', 'readdirSync', 'mkdirSync', 'statSync']) {
  const real = fs[name];
  fs[name] = (target, ...rest) => {
    if (!isBelow(target)) return real(target, ...rest);
    const way = wayNow(name);
    DEATHS[way]?.();
    if (name === 'writeSync' && way === 'exits behind a part of a call') rest[2] = Math.floor(rest[2] / 2);
    try {
      const result = real(target, ...rest);
      if (name === 'openSync') descriptors.add(result);
      if (name === 'closeSync') descriptors.delete(target);
      return result;
    } finally {
      // One that fails is a call too.
      if (way?.startsWith('exits behind')) process.exit(3);
    }
  };
}

for (const name of ['open', 'close', 'fsync', 'fdatasync']) {
  const real = fs[name];
  fs[name] = (target, ...rest) => {
    if (!isBelow(target)) return real(target, ...rest);
    const done = rest.pop();
    const way = wayNow(name);
    DEATHS[way]?.();
    if (name === 'close') descriptors.delete(target);
    return real(target, ...rest, (error, result) => {
      if (way?.startsWith('exits behind')) process.exit(3);
      if (name === 'open' && !error) descriptors.add(result);
      done(error, result);
    });
  };
}

await import(writerUrl ?? new URL('../../../dist/worker/main.js', import.meta.url).href);
