export const FAULTY: Readonly<Record<'CALLS' | 'FAILS_AT' | 'IS_PERSISTENT' | 'ERROR' | 'FAILED' | 'RESYNCED' | 'KINDS', number>>;
export const DYING: Readonly<Record<'CALLS' | 'DIES_AT' | 'WAY' | 'COUNTS_WRITES', number>>;
