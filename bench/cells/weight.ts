import { once } from 'node:events';
import { BroadcastChannel } from 'node:worker_threads';
import { collectGarbage } from '../scenarios/support.js';

/** How a writer is asked what it holds. */
export const WEIGHING = { channel: 'lastword-bench-weight', question: 'how much' } as const;
export const WEIGHED_WRITER = new URL('weighed-writer.js', import.meta.url);

/** What this thread's heap holds, and what hangs on it outside, once it is rid of garbage. */
export function liveBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The same of the one writer of this process. */
export async function liveBytesOfWriter(): Promise<number> {
  const channel = new BroadcastChannel(WEIGHING.channel);
  try {
    const answer = once(channel as unknown as EventTarget, 'message') as Promise<[{ data: number }]>;
    channel.postMessage(WEIGHING.question);
    return (await answer)[0].data;
  } finally {
    channel.close();
  }
}
