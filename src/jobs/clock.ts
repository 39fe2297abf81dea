/** Time as a job sees it. Tests give their own. */
export interface JobClock {
  /** Wall clock, ms since the epoch: data only. */
  nowMs(): number;
  /** Monotonic, ms: for durations. */
  monotonicMs(): number;
  /** Calls back once, unless cancelled; keeps the process alive. What had arrived by then has been heard before. */
  after(ms: number, callback: () => void): () => void;
}

/** A host that was busy finds a bound expired and messages waiting: its event loop turns once, so that these come first. */
export const systemClock: JobClock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, callback) => {
    let turn: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => { turn = setImmediate(callback); }, ms);
    return () => {
      clearTimeout(timer);
      clearImmediate(turn);
    };
  },
};

/** Whoever does much in a row lets the host have its turn. */
export function hostTurn(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}
