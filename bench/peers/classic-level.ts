import { installed, recordLine, type Contender } from './contender.js';

/** Lines that are given to one batch(). */
const BATCH_MAX = 512;
const QUEUED_MAX = 16_384;
const DIGITS = 8;

const keyOf = (thread: number, ordinal: number): string =>
  `${String(thread).padStart(DIGITS, '0')}:${String(ordinal).padStart(DIGITS, '0')}`;

/**
 * One store for all threads. `sync` stays false: "Normally, LevelDB passes the data to the operating system for writing and
 * returns immediately" (its README). What comes while a batch() is under way goes into the next ones: batch()
 * is there to "Perform multiple put and/or del operations in bulk" (abstract-level's README).
 */
export const classicLevel: Contender = {
  name: 'classic-level',
  kind: 'store',
  async open(directory) {
    const { ClassicLevel } = await installed('classic-level', () => import('classic-level'));
    const store = new ClassicLevel<string, string>(`${directory}/store`);
    await store.open();
    let queue: { readonly type: 'put'; readonly key: string; readonly value: string }[] = [];
    let running: Promise<void> | undefined;
    const commit = async (): Promise<void> => {
      for (let batch = queue.splice(0, BATCH_MAX); batch.length > 0; batch = queue.splice(0, BATCH_MAX)) await store.batch(batch);
      running = undefined;
    };
    const complete = (): Promise<void> => (running ??= commit());
    return {
      paths: [],
      headerLines: 0,
      append(thread: number, ordinal: number, item): boolean {
        queue.push({ type: 'put', key: keyOf(thread, ordinal), value: recordLine(ordinal, item) });
        if (queue.length >= BATCH_MAX) running ??= commit();
        return queue.length < QUEUED_MAX;
      },
      drained: complete,
      complete,
      lines: (thread: number, ordinal: number) => store.values({ gte: keyOf(thread, ordinal), lt: keyOf(thread + 1, 0) }).all(),
      async close(): Promise<void> {
        await store.close();
        queue = [];
      },
    };
  },
};
