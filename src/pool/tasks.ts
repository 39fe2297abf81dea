import type { VerifyReport } from '../types.js';

/** What threads of a pool are asked to do with files, by the name of the module in worker/tasks that does it. */
export interface FileTasks {
  verify: { input: string; output: VerifyReport };
}
export type FileTask = keyof FileTasks;
