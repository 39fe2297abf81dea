/**
 * Seeing that a promise has settled without attaching to it. A handler of ours would count as handling its rejection,
 * and passing that on would report one that its owner handles. So a promise is asked for its state, and V8 tells when
 * promises settle, only while somebody waits for that.
 */
import { inspect } from 'node:util';
import { promiseHooks } from 'node:v8';

/** Runs nothing of the value: no getters, no inspection of its own. */
const STATE_ONLY = { depth: 0, customInspect: false, getters: false, maxArrayLength: 0, maxStringLength: 0, breakLength: Infinity } as const;

const waiting = new Map<Promise<unknown>, Set<() => void>>();
let stopHook: (() => void) | undefined;

export function isPending(promise: Promise<unknown>): boolean {
  return /\{ <pending>/.test(inspect(promise, STATE_ONLY).slice(0, 200));
}

/** Calls back, in a microtask, whenever the promise may have settled; until the returned function is called. */
export function watchSettled(promise: Promise<unknown>, onSettled: () => void): () => void {
  const callbacks = waiting.get(promise) ?? new Set();
  callbacks.add(onSettled);
  waiting.set(promise, callbacks);
  // The hook is called before the state changes.
  stopHook ??= promiseHooks.onSettled((settling: Promise<unknown>) => {
    for (const callback of waiting.get(settling) ?? []) queueMicrotask(callback);
  }) as () => void;
  return () => {
    callbacks.delete(onSettled);
    if (callbacks.size === 0) waiting.delete(promise);
    if (waiting.size > 0) return;
    stopHook?.();
    stopHook = undefined;
  };
}
