import type { Patch } from '../mutants.js';

const file = 'worker/fs-ops.js';

/** A writer that says synced without having synced: the control of every loss of power. */
export const NEVER_SYNCS: readonly Patch[] = [
  { file, find: 'syncFile: (descriptor) => datasync(descriptor),', replace: 'syncFile: () => Promise.resolve(),' },
  { file, find: 'syncDirectory: async (path) => {', replace: 'syncDirectory: async (path) => {\n        if (path) return;' },
];
