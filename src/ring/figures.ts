/** Figures of the writer in shared words, so that stats() asks nobody: counters, histograms, the call it is in. */
import {
  BUSY_CALL_WORD, BUSY_SINCE_WORD, FIGURES, HISTOGRAM_BUCKETS, LATE_AFTER_WORD, SYNC_HISTOGRAM_WORD, WRITE_HISTOGRAM_WORD, WRITER_EXITED_WORD, WRITER_PARKED_WORD,
  type Figure,
} from './layout.js';
import type { ProducerMemory, SidecarMemory } from './memory.js';

export function addFigure(sidecar: SidecarMemory, figure: Figure, amount: number): void {
  Atomics.add(sidecar.figures, FIGURES.indexOf(figure), BigInt(amount));
}

/** By main, between a writer that is gone and its successor: what only a writer that runs can say. */
export function resetWriter({ figures, words }: SidecarMemory): void {
  for (const word of [WRITER_EXITED_WORD, WRITER_PARKED_WORD, BUSY_CALL_WORD]) Atomics.store(words, word, 0);
  for (const figure of ['filesOpen', 'bytesUnsynced'] as const) Atomics.store(figures, FIGURES.indexOf(figure), 0n);
}

export function figureOf(sidecar: SidecarMemory, figure: Figure): number {
  return Number(Atomics.load(sidecar.figures, FIGURES.indexOf(figure)));
}

/** By a producer, whatever becomes of it then: an item came after the receipt of its thread. */
export function addLateAfter({ control }: ProducerMemory, items: number): void {
  Atomics.add(control, LATE_AFTER_WORD, items);
}

/** By main: each of them is counted once. */
export function takeLateAfter({ control }: ProducerMemory): number {
  return Atomics.exchange(control, LATE_AFTER_WORD, 0);
}

/** The writer enters a system call: its index in the names of `worker/fs-ops.ts`, from 1. */
export function enterCall(sidecar: SidecarMemory, call: number, nowMs: number): void {
  Atomics.store(sidecar.words, BUSY_SINCE_WORD, nowMs | 0);
  Atomics.store(sidecar.words, BUSY_CALL_WORD, call);
}

export function leaveCall(sidecar: SidecarMemory): void {
  Atomics.store(sidecar.words, BUSY_CALL_WORD, 0);
}

/** The call the writer is in and its age in ms; undefined when in none. */
export function busyCall(sidecar: SidecarMemory, nowMs: number): { call: number; ms: number } | undefined {
  const call = Atomics.load(sidecar.words, BUSY_CALL_WORD);
  if (call === 0) return undefined;
  const since = Atomics.load(sidecar.words, BUSY_SINCE_WORD);
  return { call, ms: Math.max(0, (nowMs - since) | 0) };
}

/** Microseconds in four buckets an octave; the word behind the buckets holds the largest. */
export const WRITE_HISTOGRAM = WRITE_HISTOGRAM_WORD;
export const SYNC_HISTOGRAM = SYNC_HISTOGRAM_WORD;

export function recordLatency(words: Int32Array, histogram: number, microseconds: number): void {
  const value = Math.max(1, Math.min(0x7fff_ffff, Math.round(microseconds)));
  Atomics.add(words, histogram + bucketOf(value), 1);
  const largest = histogram + HISTOGRAM_BUCKETS;
  for (;;) {
    const seen = Atomics.load(words, largest);
    if (seen >= value || Atomics.compareExchange(words, largest, seen, value) === seen) return;
  }
}

function bucketOf(value: number): number {
  const octave = 31 - Math.clz32(value);
  return octave * 4 + (octave < 2 ? 0 : (value >> (octave - 2)) & 3);
}

/** Largest value of a bucket. */
function edgeOf(bucket: number): number {
  const octave = bucket >> 2;
  return octave < 2 ? 2 ** (octave + 1) - 1 : ((bucket & 3) + 5) * 2 ** (octave - 2) - 1;
}

/** Counts and quantiles, in milliseconds; a quantile is the upper edge of its bucket. */
export function readHistogram(words: Int32Array, histogram: number): { count: number; p50: number; p99: number; max: number } {
  const counts = Array.from({ length: HISTOGRAM_BUCKETS }, (_, bucket) => Atomics.load(words, histogram + bucket));
  const count = counts.reduce((sum, value) => sum + value, 0);
  const max = Atomics.load(words, histogram + HISTOGRAM_BUCKETS);
  const quantile = (share: number): number => {
    let left = Math.ceil(count * share);
    for (const [bucket, value] of counts.entries()) {
      left -= value;
      if (left <= 0) return Math.min(edgeOf(bucket), max) / 1000;
    }
    return 0;
  };
  return { count, p50: count === 0 ? 0 : quantile(0.5), p99: count === 0 ? 0 : quantile(0.99), max: max / 1000 };
}
