/** The field reports that docs/design.md begins with, sentence by sentence. Their races are in `reports-races`. */
import { describe, expect, test } from 'vitest';
import { AGENT_STEPS, closeTrace, HOST_STEPS, WRITER_STEPS } from '../support/close-trace.js';
import type { Patch } from '../support/mutants.js';

const of = (name: string, ...steps: readonly (readonly string[])[]): string[] => steps.flat().map((step) => `${name}: ${step}`);

describe('a sub-agent is closed, and its thread is not found', () => {
  const ALONE = of('root', AGENT_STEPS, WRITER_STEPS, HOST_STEPS);
  const TREE = [
    ...AGENT_STEPS.flatMap((step) => ['root', 'child', 'leaf'].map((name) => `${name}: ${step}`)),
    ...['leaf', 'child', 'root'].flatMap((name) => of(name, WRITER_STEPS, HOST_STEPS)),
  ];

  test('a thread leaves the registry last: its session is quiet, its items are written, acknowledged and synced, its lease is released', async () => {
    expect(await closeTrace(['root'])).toEqual(ALONE);
  });

  test('in a tree every signal aborts first, then each thread is closed to its end, leaves first', async () => {
    expect(await closeTrace(['root', 'child', 'leaf'])).toEqual(TREE);
  });

  const CLOSE = 'src/lifecycle/thread-close.js';
  const RELEASE = "await this.#release(durability === 'synced', plan.deadline);";
  test.each<[string, Patch[], string]>([
    ['that is removed from the registry first', [
      { file: CLOSE, find: 'thread.abort();', replace: 'this.#host.registry.remove(thread); thread.abort();' },
      { file: 'src/sidecar.js', find: 'this.registry.remove(thread);', replace: '' },
    ], 'root: out of the registry'],
    ['that is sealed before its tracked work', [
      { file: CLOSE, find: 'const mayWait =', replace: 'seal(memory, thread.slot); const mayWait =' },
    ], 'root: tracked work settles, late'],
    ['that is not sealed', [{ file: CLOSE, find: 'seal(memory, this.#thread.slot);', replace: '' }], 'root: not sealed, drain begins'],
    ['whose holds are not waited for', [{ file: CLOSE, find: 'const mayWait =', replace: 'const mayWait = false &&' }], 'root: tracked work settles, late'],
    ['whose lease is released when it is gone', [
      { file: CLOSE, find: RELEASE, replace: '' },
      { file: CLOSE, find: 'this.#host.threadReleased(thread, receipt);', replace: `this.#host.threadReleased(thread, receipt); ${RELEASE}` },
    ], 'root: threadClosed, its lease, its descriptor, unsynced records left'],
    ['that is told of before it is out of the registry', [
      { file: 'src/sidecar.js', find: 'this.registry.remove(thread);', replace: "this.tell('threadClosed', receipt); this.registry.remove(thread);" },
    ], 'root: threadClosed, its place in the registry left'],
  ])('the control: a thread %s is seen', async (_what, patches, step) => {
    const trace = await closeTrace(['root'], ...patches);
    expect(trace).toContain(step);
    expect(trace).not.toEqual(ALONE);
  });

  test('the control: a parent that does not wait for its children is seen', async () => {
    const trace = await closeTrace(['root', 'child', 'leaf'], { file: CLOSE, find: 'children.length > 0 ? await failuresOf(children) : []', replace: '[]' });
    expect(trace).not.toEqual(TREE);
    expect(trace.toSorted()).toEqual(TREE.toSorted());
  });
});
