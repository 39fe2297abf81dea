/** What the parts of a history act on. */
import type { Host } from './host.js';
import type { Machine } from './machine.js';
import type { Truth } from './truth.js';

/** Who dies: the writer, and with it the process, and with that what the machine has in its caches. */
export const DEATHS = ['writer', 'process', 'power'] as const;
export type Death = (typeof DEATHS)[number];

export interface Stage {
  readonly host: Host;
  readonly machine: Machine;
  /** Who dies with the writer, once its calls are used up. */
  death: Death | undefined;
  /** Lets happen what needs no further step, and looks whether anything is wrong. */
  rest(): Promise<void>;
}

export function nameOf({ threadId }: Truth): string {
  return threadId.slice(-4);
}
