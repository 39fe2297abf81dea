/** Hears of the end of the process, for every sidecar in it, with one listener of each kind however many there are. */

export interface EndListener {
  /** The process ends after this: nothing that is asynchronous runs any more. */
  onExit(): void;
  /** An exception that nobody caught: the process may survive it, or end without a further word. */
  onException(): void;
}

const listeners = new Set<EndListener>();

function onExit(): void {
  for (const listener of listeners) listener.onExit();
}

function onException(): void {
  for (const listener of listeners) listener.onException();
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
