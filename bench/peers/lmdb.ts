import { installed, recordLine, type Contender } from './contender.js';

/** Puts that may wait for their commit. */
const QUEUED_MAX = 16_384;

/**
 * One store for all threads, a line under its thread and ordinal. Its README: `put` "executes the database's write operation
 * entirely in separate worker thread", `db.committed` "resolves when all previous writes have been committed", and `noSync`
 * "Does not explicitly flush data to disk at all": the kernel has the data, as with every other contender.
 */
export const lmdb: Contender = {
  name: 'lmdb',
  kind: 'store',
  async open(directory) {
    const { open } = await installed('lmdb', () => import('lmdb'));
    const store = open<string, [number, number]>({ path: `${directory}/store`, encoding: 'string', noSync: true });
    let queued = 0;
    const committed = async (): Promise<void> => {
      await store.committed;
      queued = 0;
    };
    return {
      paths: [],
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        void store.put([thread, ordinal], recordLine(ordinal, item));
        queued += 1;
        return queued < QUEUED_MAX;
      },
      drained: committed,
      complete: committed,
      lines: (thread: number, ordinal: number) =>
        Promise.resolve([...store.getRange({ start: [thread, ordinal], end: [thread + 1, 0] })].map(({ value }) => value)),
      close: () => store.close(),
    };
  },
};
