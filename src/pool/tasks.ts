import type { Query } from '../reader/lists/query.js';
import type { ImportReport, ThreadId, VerifyReport } from '../types.js';

/** What threads of a pool are asked to do with files, by the name of the module in worker/tasks that does it. */
export interface FileTasks {
  readonly 'import-salvage': { readonly input: { readonly path: string; readonly directory: string }; readonly output: ImportReport };
  readonly repair: { readonly input: Repair; readonly output: RepairReport };
  readonly 'select-rollouts': { readonly input: SelectRollouts; readonly output: SelectedRollouts };
  /** Input: a path. */
  readonly verify: { readonly input: string; readonly output: VerifyReport };
}
export type FileTask = keyof FileTasks;

/** Asks for the end of a rollout to be made whole. */
export interface Repair {
  readonly path: string;
  /** Undefined for a file that lies in no directory of rollouts: nobody can hold a lease of it. */
  readonly place: { readonly directory: string; readonly id: ThreadId } | undefined;
  /** False: only looked at. */
  readonly isToWrite: boolean;
}

/** What there is to be done, and with `isRepaired` was done. */
export interface RepairReport {
  readonly path: string;
  readonly isWhole: boolean;
  readonly isRepaired: boolean;
  /** Where the last whole record ends. */
  readonly wholeBytes: number;
  /** Behind it: to be cut. */
  readonly tornBytes: number;
  readonly lacksNewline: boolean;
  /** A sync of the file failed, and it was not made anew since. */
  readonly isUnsynced: boolean;
  /** Where the torn bytes were kept. */
  readonly keptAt: string | undefined;
}

/** Asks for rollouts in an order, by the catalogue. */
export interface SelectRollouts extends Omit<Query, 'limit'> {
  readonly directory: string;
  /** At most so many. */
  readonly count: number;
  /** Rollouts that may have changed, however lately the catalogue was compared with the files. */
  readonly changed: readonly string[];
}

export interface SelectedRollouts {
  /** In order; `folder` is from the directory, `key` what they are sorted by. */
  readonly rollouts: readonly { readonly folder: string; readonly name: string; readonly key: number; readonly problem: string | undefined }[];
  /** There are others behind them. */
  readonly isMore: boolean;
  /** Why the catalogue could not be written; nothing else depends on it. */
  readonly unsaved: string | undefined;
}
