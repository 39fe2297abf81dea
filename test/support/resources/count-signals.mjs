/** Loaded first into every JavaScript thread of a process: counts what each sends the others, messages and notifies. */
import { MessagePort, getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

if (isMainThread) setEnvironmentData('counts', new Int32Array(new SharedArrayBuffer(16)));
/** Messages and notifies of main, then those of all others. */
export const counts = getEnvironmentData('counts');
const first = isMainThread ? 0 : 2;
const { notify } = Atomics;
const { postMessage } = MessagePort.prototype;
Atomics.notify = (...args) => {
  counts[first + 1] += 1;
  return notify(...args);
};
MessagePort.prototype.postMessage = function counted(...args) {
  counts[first] += 1;
  return postMessage.apply(this, args);
};
