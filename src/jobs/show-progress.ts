import type { Job, JobProgress } from './types.js';

/** Where a progress line goes: process.stderr, for one. */
export interface ProgressStream {
  /** Takes a line, or what replaces the last one. */
  readonly write: (text: string) => unknown;
  /** The line is rewritten in place. */
  readonly isTTY?: boolean | undefined;
  /** Longer lines are cut. */
  readonly columns?: number | undefined;
}

/** Least time between two lines, ms: rewritten in place, and one below the other. */
const REWRITE_MS = 100;
const LINE_MS = 5000;
const [MINUTE_S, HOUR_S] = [60, 3600];

/**
 * One line that says how far a job is: done, failed, rate, time left. In place on a terminal, else a plain line every five seconds, and
 * when the job has ended. Written as the job moves; nothing ticks. Resolves at the end of the job, and rejects as its `result` does.
 */
export async function showProgress(job: Job<unknown>, stream: ProgressStream, nowMs: () => number = () => performance.now()): Promise<void> {
  const isInPlace = stream.isTTY === true;
  const startedMs = nowMs();
  const before = endedOf(job.progress);
  let shownMs = -Infinity;
  let shown: string | undefined;
  const show = (): void => {
    shownMs = nowMs();
    const text = progressLine(job.progress, { ended: endedOf(job.progress) - before, elapsedMs: shownMs - startedMs });
    if (text === shown) return;
    shown = text;
    // A terminal breaks a line that fills it.
    stream.write(isInPlace ? `\r\u001b[2K${text.slice(0, Math.max(1, (stream.columns ?? Infinity) - 1))}` : `${text}\n`);
  };
  try {
    for await (const { type } of job) {
      if (type === 'progress' && nowMs() - shownMs >= (isInPlace ? REWRITE_MS : LINE_MS)) show();
    }
  } finally {
    show();
    if (isInPlace) stream.write('\n');
  }
}

/** `ended`: items that ended in `elapsedMs`. */
export function progressLine({ total, completed, failed, cancelled, running, etaMs }: JobProgress, { ended, elapsedMs }: { ended: number; elapsedMs: number }): string {
  const isOver = completed + failed + cancelled === total;
  const parts = [
    `${completed} done`, `${failed} failed`, ...(cancelled > 0 ? [`${cancelled} cancelled`] : []), ...(isOver ? [] : [`${running} running`]),
    ...(ended > 0 && elapsedMs > 0 ? [`${rateOf(ended / (elapsedMs / 1000))}/s`] : []), ...(isOver || etaMs === undefined ? [] : [`${durationOf(etaMs)} left`]),
  ];
  return `[${completed + failed + cancelled}/${total}] ${parts.join(', ')}`;
}

function endedOf({ completed, failed, cancelled }: JobProgress): number {
  return completed + failed + cancelled;
}

function rateOf(perSecond: number): string {
  return perSecond >= 10 ? String(Math.round(perSecond)) : perSecond.toPrecision(2);
}

function durationOf(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < MINUTE_S) return `${seconds} s`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min ${seconds % MINUTE_S} s`;
  return `${Math.floor(seconds / HOUR_S)} h ${Math.floor((seconds % HOUR_S) / MINUTE_S)} min`;
}
