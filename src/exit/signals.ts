import { onExit } from './process-end.js';

/** Signals on which sidecars close before the process ends by them. One listener a signal, however many sidecars. */

export interface SignalListener {
  /** Closes, however that ends. */
  close(): Promise<unknown>;
}

const listeners = new Map<NodeJS.Signals, Set<SignalListener>>();
const ending = new Set<NodeJS.Signals>();

/** Until the returned function is called. */
export function hearOfSignals(signals: readonly NodeJS.Signals[], listener: SignalListener): () => void {
  for (const signal of signals) {
    const heard = listeners.get(signal);
    if (heard !== undefined) heard.add(listener);
    else {
      listeners.set(signal, new Set([listener]));
      process.on(signal, onSignal);
    }
  }
  return () => {
    for (const signal of signals) {
      const heard = listeners.get(signal);
      heard?.delete(listener);
      // While the process ends by it, the signal must not end it before the others have closed.
      if (heard?.size === 0 && !ending.has(signal)) stopHearing(signal);
    }
  };
}

function stopHearing(signal: NodeJS.Signals): void {
  listeners.delete(signal);
  process.off(signal, onSignal);
}

function onSignal(signal: NodeJS.Signals): void {
  // A second time: now, with nothing lost but patience.
  if (ending.has(signal)) {
    raise(signal);
    return;
  }
  ending.add(signal);
  const heard = [...(listeners.get(signal) ?? [])];
  void Promise.allSettled(heard.map((listener) => listener.close())).then(() => { raise(signal); });
}

/** Ends the process by the signal, unless the host listens to it too: then it has heard of it, and decides. */
function raise(signal: NodeJS.Signals): void {
  ending.delete(signal);
  stopHearing(signal);
  if (process.listenerCount(signal) > 0) return;
  // What a close could not finish, and sidecars that do not listen to this signal.
  onExit();
  process.kill(process.pid, signal);
}
