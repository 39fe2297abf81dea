import { join } from 'node:path';
import { tieOf, type Position } from './order.js';

/** Where rollouts are, below a sidecar's directory. */
export const ROOTS = { active: 'sessions', archived: 'archived_sessions' } as const;

/** A rollout, or what looks like one, somewhere below a sidecar's directory. */
export class Place implements Position {
  /** From the directory. */
  readonly folder: string;
  readonly name: string;
  readonly key: number;
  /** Why nothing is known of what is here. */
  readonly problem: string | undefined;
  #tie: string | undefined;

  constructor(folder: string, name: string, key: number, problem?: string) {
    this.folder = folder;
    this.name = name;
    this.key = key;
    this.problem = problem;
  }

  get tie(): string {
    this.#tie ??= tieOf(this.folder, this.name);
    return this.#tie;
  }

  get isArchived(): boolean {
    return this.folder.startsWith(ROOTS.archived);
  }

  pathIn(directory: string): string {
    return join(directory, this.folder, this.name);
  }
}
