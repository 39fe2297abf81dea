import { setImmediate as turn } from 'node:timers/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RolloutItem, Sidecar, SidecarCloseReceipt, Thread } from 'lastword';
import { Prng } from '../load/prng.js';
import { drawBurst } from '../load/shapes.js';

/** What one thread of the fleet records: these items, `repeat` times over. */
export interface Part { readonly items: readonly RolloutItem[]; readonly repeat: number }

/** A part with the rollout that it went to. */
export interface Played extends Part { readonly path: string }

export interface FleetResult {
  readonly played: Played[];
  readonly items: number;
  /** Of the files, headers and checksums included. */
  readonly bytes: number;
  /** From the first append until close() had proof that everything is written. */
  readonly seconds: number;
  /** Spent inside append calls. */
  readonly appendMs: number;
  /** What the host's event loop was late by. */
  readonly delayP99Ms: number;
  readonly filesEvicted: number;
  readonly receipt: SidecarCloseReceipt;
}

const DELAY_RESOLUTION_MS = 1;

/**
 * Replays the parts side by side, each as an agent would: a burst of items, then the event loop gets its turn. Closes
 * the sidecar at the end. `onItems` hears how many items were recorded so far.
 */
export async function playFleet(
  sidecar: Sidecar, parts: readonly Part[], seed: number, onItems: (items: number) => void,
): Promise<FleetResult> {
  const threads = await Promise.all(parts.map(() => sidecar.createThread()));
  const prng = new Prng(seed);
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  const begin = performance.now();
  let items = 0;
  let appendMs = 0;

  const agent = async (thread: Thread, part: Part): Promise<void> => {
    const total = part.items.length * part.repeat;
    for (let next = 0; next < total;) {
      const end = Math.min(next + drawBurst(prng), total);
      const before = performance.now();
      for (let index = next; index < end; index += 1) {
        const item = part.items[index % part.items.length];
        if (item !== undefined) thread.append(item);
      }
      appendMs += performance.now() - before;
      items += end - next;
      next = end;
      onItems(items);
      if (sidecar.needsDrain) await sidecar.drained();
      await turn();
    }
  };
  await Promise.all(threads.map((thread, index) => agent(thread, parts[index] ?? { items: [], repeat: 0 })));
  const played = threads.map(({ path }, index) => ({ path, ...(parts[index] ?? { items: [], repeat: 0 }) }));
  const receipt = await sidecar.close();
  const seconds = (performance.now() - begin) / 1000;
  delay.disable();
  const stats = sidecar.stats();
  return {
    played, items, appendMs, seconds, receipt,
    bytes: stats.bytes.written,
    filesEvicted: stats.files.evicted,
    // The monitor's figure is the time between two ticks of its timer.
    delayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - DELAY_RESOLUTION_MS),
  };
}
