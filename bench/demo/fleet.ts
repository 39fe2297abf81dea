import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RolloutItem, Sidecar } from 'lastword';
import { Prng } from '../load/prng.js';
import { IN_FLIGHT_MAX, runAgent, runStraggler, type AgentOptions, type Part } from './agent.js';
import { Witness } from './witness.js';

export interface FleetResult {
  /** Root first. */
  readonly witnesses: readonly Witness[];
  /** Taken by append(). */
  readonly items: number;
  readonly takenWhileClosing: number;
  readonly late: number;
  readonly forced: number;
  /** Receipts and figures that are not what the agents saw, in words. */
  readonly disagreements: readonly string[];
  /** Of the files, headers and checksums included. */
  readonly bytes: number;
  /** From the first thread's creation until close() had proof that everything is written. */
  readonly seconds: number;
  readonly appendMs: number;
  /** What the host's event loop was late by. */
  readonly delayP99Ms: number;
  readonly filesEvicted: number;
}

const DELAY_RESOLUTION_MS = 1;
/** Of each child: that it was spawned, and that it was closed. */
const ROOT_ITEMS = 2;

/**
 * A root, and a child for each part. The children speak side by side; each is closed while it still speaks, then the root,
 * then the sidecar. `onBurst` is called often, with how many items were taken so far.
 */
export async function playFleet(
  sidecar: Sidecar, parts: readonly Part[], seed: number, onBurst: (taken: () => number) => void,
): Promise<FleetResult> {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  const begin = performance.now();
  const root = new Witness(await sidecar.createThread());
  const children = await Promise.all(parts.map(() => spawn(sidecar, root)));
  const witnesses = [root, ...children];
  const sum = (count: (witness: Witness) => number): number => witnesses.reduce((total, witness) => total + count(witness), 0);
  const taken = (): number => sum((witness) => witness.taken.length);

  await Promise.all(children.map(async (child, index) => {
    const part = parts[index] ?? { items: [], count: 0 };
    await superviseChild(child, { sidecar, part, prng: new Prng(seed + index), onBurst: () => { onBurst(taken); } });
    root.append([collab('collab_close_end', root, child)]);
  }));
  await root.close();
  const receipt = await sidecar.close();
  const seconds = (performance.now() - begin) / 1000;
  delay.disable();
  const { bytes, files, items } = sidecar.stats();
  const late = sum((witness) => witness.late);
  const forced = sum((witness) => Number(witness.forced));
  return {
    witnesses, items: taken(), late, forced, seconds,
    takenWhileClosing: sum((witness) => witness.takenWhileClosing),
    disagreements: [
      ...witnesses.flatMap((witness) => witness.disagreements),
      ...compared({
        'receipt.threads': [receipt.threads, witnesses.length], 'receipt.items': [receipt.items, taken()], 'receipt.late': [receipt.late, late],
        'receipt.forced': [receipt.forced, forced], 'stats().items.late': [items.late, late], 'stats().items.written': [items.written, taken()],
      }),
    ],
    bytes: bytes.written,
    appendMs: sum((witness) => witness.appendMs),
    filesEvicted: files.evicted,
    // The monitor's figure is the time between two ticks of its timer.
    delayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - DELAY_RESOLUTION_MS),
  };
}

/** How many items are taken unless a close is forced: the parts, each agent's last word, and what the root records of each. */
export function itemsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { count }) => sum + count + 1 + ROOT_ITEMS, 0);
}

async function spawn(sidecar: Sidecar, root: Witness): Promise<Witness> {
  const child = new Witness(await sidecar.createThread({ parentId: root.thread.id }));
  root.append([collab('collab_agent_spawn_end', root, child)]);
  return child;
}

/** What hosts do: the child is closed as soon as it looks done, and its last events are still in flight. */
async function superviseChild(child: Witness, options: AgentOptions): Promise<void> {
  const { prng } = options;
  const inFlight = 1 + prng.below(IN_FLIGHT_MAX);
  let onNearlyDone = (): void => undefined;
  const nearlyDone = new Promise<void>((resolve) => { onNearlyDone = resolve; });
  const onBurst = (left: number): void => {
    options.onBurst(left);
    if (left <= inFlight) onNearlyDone();
  };
  const agent = child.thread.track(runAgent(child, { ...options, onBurst }));
  await Promise.race([nearlyDone, agent]);
  const closing = child.close();
  await Promise.all([closing, agent, runStraggler(child, agent, closing, prng)]);
}

function collab(type: string, root: Witness, child: Witness): RolloutItem {
  return { type: 'event_msg', payload: { type, sender_thread_id: root.thread.id, receiver_thread_id: child.thread.id } };
}

function compared(figures: Record<string, [said: number, seen: number]>): string[] {
  return Object.entries(figures).flatMap(([what, [said, seen]]) => (said === seen ? [] : [`sidecar: ${what} is ${said}, and should be ${seen}`]));
}
