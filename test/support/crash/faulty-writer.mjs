/**
 * The shipped writer, or a mutant of it, whose system calls about one directory are counted, and fail from a number on,
 * or once, unless their kind is spared. What it shares with the test comes as environment data.
 */
import fs from 'node:fs';
import { getEnvironmentData } from 'node:worker_threads';
import { FAULTY } from './writer-words.mjs';

const { CALLS, FAILS_AT, IS_PERSISTENT, ERROR, FAILED, RESYNCED, KINDS } = FAULTY;

const { words, directory, errors, kinds, writerUrl, spared = [] } = getEnvironmentData('lastword-test-faults');
/** Descriptors of files below the directory. */
const descriptors = new Set();
/** Those of them whose sync has failed. */
const poisoned = new Set();

function errorNow(syscall, path) {
  if (spared.includes(syscall)) return undefined;
  const number = Atomics.add(words, CALLS, 1) + 1;
  if (KINDS + number < words.length) Atomics.store(words, KINDS + number, kinds.indexOf(syscall));
  const first = Atomics.load(words, FAILS_AT);
  const fails = first > 0 && (Atomics.load(words, IS_PERSISTENT) === 1 ? number >= first : number === first);
  if (!fails) return undefined;
  const { code, errno, only } = errors[Atomics.load(words, ERROR)];
  // An error that no other call has.
  if (only !== undefined && only !== syscall) return undefined;
  Atomics.add(words, FAILED, 1);
  return Object.assign(new Error(`${code}: injected, ${syscall}`), { code, errno, syscall, ...path === undefined ? {} : { path } });
}

const isBelow = (target) => (typeof target === 'string' ? target.startsWith(directory) : descriptors.has(target));

function opened(descriptor) {
  descriptors.add(descriptor);
  poisoned.delete(descriptor);
  return descriptor;
}

function closed(descriptor) {
  descriptors.delete(descriptor);
}

/** What is about to happen to a descriptor, and what became of it. */
function syncing(target, error) {
  if (poisoned.has(target)) Atomics.add(words, RESYNCED, 1);
  if (error !== undefined) poisoned.add(target);
}

for (const name of ['openSync', 'writeSync', 'ftruncateSync', 'fstatSync', 'closeSync', 'linkSync', 'renameSync', 'unlinkSync', 'readSync', 'lstatSync', 'readdirSync', 'mkdirSync', 'statSync', 'accessSync', 'fdatasyncSync']) {
  const real = fs[name];
  fs[name] = (target, ...rest) => {
    if (!isBelow(target)) return real(target, ...rest);
    const error = errorNow(name.replace('Sync', ''), typeof target === 'string' ? target : undefined);
    if (name === 'fdatasyncSync') syncing(target, error);
    if (name === 'closeSync') closed(target);
    // A write that fails has taken a part; a close that fails has closed nevertheless.
    if (error !== undefined && name === 'writeSync') real(target, rest[0], rest[1], Math.floor(rest[2] / 2));
    if (error !== undefined && name !== 'closeSync') throw error;
    const result = real(target, ...rest);
    if (error !== undefined) throw error;
    return name === 'openSync' ? opened(result) : result;
  };
}

for (const name of ['open', 'close', 'fsync', 'fdatasync']) {
  const real = fs[name];
  fs[name] = (target, ...rest) => {
    if (!isBelow(target)) return real(target, ...rest);
    const done = rest.pop();
    const error = errorNow(name, typeof target === 'string' ? target : undefined);
    if (name === 'fdatasync') syncing(target, error);
    if (name === 'close') closed(target);
    if (error === undefined) return real(target, ...rest, (failure, result) => { done(failure, name === 'open' && !failure ? opened(result) : result); });
    return name === 'close' ? real(target, () => { done(error); }) : setImmediate(done, error);
  };
}

await import(writerUrl ?? new URL('../../../dist/worker/main.js', import.meta.url).href);
