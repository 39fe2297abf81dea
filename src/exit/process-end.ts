/** Hears of the end of the process, for every sidecar in it, with one listener of each kind however many there are. */

export interface EndListener {
  /** The process ends after this: nothing that is asynchronous runs any more. The bounds of all listeners begin at once. */
  onExit(beganMs: number): void;
  /** An exception that nobody caught: the process may survive it, or end without a further word. */
  onException(beganMs: number): void;
}

const listeners = new Set<EndListener>();

/** Also for a process that ends without an 'exit', by a signal. */
export function onExit(): void {
  const beganMs = performance.now();
  for (const listener of listeners) guarded(() => { listener.onExit(beganMs); });
}

function onException(): void {
  const beganMs = performance.now();
  for (const listener of listeners) guarded(() => { listener.onException(beganMs); });
}

/**
 * A host's logger may throw. What is thrown here would end the process with another code and keep the other sidecars from
 * draining; whom could it be told, when the logger is what failed?
 */
function guarded(drain: () => void): boolean {
  try {
    drain();
    return true;
  } catch {
    return false;
  }
}

/** Until the returned function is called. */
export function hearOfEnd(listener: EndListener): () => void {
  listeners.add(listener);
  if (listeners.size === 1) {
    // First: a listener that throws keeps the later ones from being called.
    process.prependListener('exit', onExit);
    process.prependListener('uncaughtExceptionMonitor', onException);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    process.off('exit', onExit);
    process.off('uncaughtExceptionMonitor', onException);
  };
}
