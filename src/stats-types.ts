/** Figures of a sidecar, as stats() gives them. */

/** Figures of a sidecar since openSidecar(), but for those that are of this moment. */
export interface SidecarStats {
  /** Open and closing at this moment, and closed so far. */
  threads: { open: number; closing: number; closed: number };
  /** Items so far, headers not counted. `late`: refused behind a seal. */
  items: { accepted: number; written: number; late: number };
  /**
   * `written`: to files, so far. At this moment: `unsynced`, written and not yet synced; `ringUsed` and `overflow`, what waits in memory for the
   * writer. `ringCapacity` is the option ringBytes.
   */
  bytes: { written: number; unsynced: number; ringUsed: number; ringCapacity: number; overflow: number };
  /** `open`: held at this moment. `opened`, and `evicted` to make room for others: so far. */
  files: { open: number; opened: number; evicted: number };
  /** Milliseconds: of a write() call, of a data sync, and of a flush() until it resolved. */
  latency: { write: Histogram; sync: Histogram; flush: Histogram };
  /** The system call the writer is in, and for how long; undefined when in none. */
  busy: { call: string; ms: number } | undefined;
  /** How often the writer died and was started again. */
  writerRestarts: number;
  /** What crossed between host and writer beside items: commands sent, times the host woke the writer after an append, times the writer slept. */
  signals: { commands: number; notifies: number; parks: number };
}
/** A distribution: how many, quantiles, and the largest; 0 where there is none yet. */
export interface Histogram { count: number; p50: number; p99: number; max: number }
