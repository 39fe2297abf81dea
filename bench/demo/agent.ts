import { setImmediate as turn } from 'node:timers/promises';
import type { RolloutItem, Sidecar } from 'lastword';
import type { Prng } from '../load/prng.js';
import { drawBurst } from '../load/shapes.js';
import type { Witness } from './witness.js';

/** What one agent has to say: these items, over and over, `count` in all. */
export interface Part { readonly items: readonly RolloutItem[]; readonly count: number }

export interface AgentOptions {
  readonly sidecar: Sidecar;
  readonly part: Part;
  readonly prng: Prng;
  /** Hears after each burst how many items are left. */
  readonly onBurst: (left: number) => void;
}

/** Events on their way when an agent is told to stop, at most: they come all the same. */
export const IN_FLIGHT_MAX = 12;
/** What a tool says that nobody waited for, at most. */
const STRAGGLERS_MAX = 4;

/**
 * Says its part in bursts; the event loop gets its turn in between. Told to stop by the thread's signal, it says what is in
 * flight and, as every agent does, a last word.
 */
export async function runAgent(witness: Witness, { sidecar, part, prng, onBurst }: AgentOptions): Promise<void> {
  const { signal } = witness.thread;
  let end = part.count;
  for (let next = 0; next < end;) {
    while (sidecar.needsDrain) await sidecar.drained();
    const burst = burstOf(part, next, Math.min(drawBurst(prng), end - next));
    witness.append(burst);
    next += burst.length;
    onBurst(end - next);
    await turn();
    if (signal.aborted) end = Math.min(end, next + IN_FLIGHT_MAX);
  }
  witness.append([{ type: 'event_msg', payload: { type: 'turn_aborted', reason: 'interrupted' } }]);
}

/** A tool that the agent left running, and that nobody tracked: its output comes after the seal. */
export async function runStraggler(witness: Witness, agent: Promise<void>, closing: Promise<void>, prng: Prng): Promise<void> {
  await agent;
  for (let left = prng.below(STRAGGLERS_MAX); left > 0; left -= 1) {
    await turn();
    witness.append([outputOf('still running')]);
  }
  await closing;
  witness.append([outputOf('done')]);
}

function burstOf({ items }: Part, from: number, length: number): RolloutItem[] {
  return Array.from({ length }, (_none, index) => items[(from + index) % items.length]).filter((item) => item !== undefined);
}

function outputOf(text: string): RolloutItem {
  return { type: 'event_msg', payload: { type: 'exec_command_output_delta', stream: 'stdout', chunk: text } };
}
