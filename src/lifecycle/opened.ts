import type { Thread, ThreadId } from '../types.js';

/** What the writer says of a rollout that it has opened. */
export interface Opened {
  readonly path: string;
  /** Ordinal of the first item of this opening. */
  readonly base: number;
  readonly recovery: Thread['recovery'];
  readonly parentId: ThreadId | undefined;
  /** Metadata that the header, and this opening since, have set. */
  readonly meta: Readonly<Record<string, unknown>>;
}
