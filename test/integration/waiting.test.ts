/** Calls that are pending when a program ends, or that come when everything is closed or not open yet: they settle, and nothing hangs. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LATE, openSidecar, type Sidecar } from 'lastword';
import { describe, expect, test } from 'vitest';
import { runProgram, type Ended } from '../support/exits/run.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { itemsOf, numbered, openTestSidecar, temporaryFolder, upTo } from '../support/sidecars.js';
import { deferred, outcomeOf, turn, within } from '../support/steps.js';

const TIMES = 20;
const SHIPPED = new URL('../../dist/src/index.js', import.meta.url).href;

/** What a program calls and does not wait for: twenty of each. `thread` is open, `stored` is closed. */
const PENDING: Record<string, string> = {
  'flush()': 'thread.flush()',
  'flush() of what is synced': 'thread.flush({ durability: "synced" })',
  'publish()': 'thread.publish(item, { durability: "synced" })',
  'drained()': 'sidecar.drained()',
  'close() of a thread': 'thread.close()',
  'close() of the sidecar': 'sidecar.close({ durability: "synced" })',
  'createThread()': 'sidecar.createThread()',
  'resumeThread()': 'sidecar.resumeThread(stored)',
  'forkThread()': 'sidecar.forkThread(thread.id)',
  'setThreadMeta()': 'sidecar.setThreadMeta(stored, { title: "x" })',
  'getThread()': 'sidecar.getThread(stored)',
  'listThreads()': 'sidecar.listThreads({ sort: "updated" })',
  'archiveThread() and back': 'Promise.all([sidecar.archiveThread(stored), sidecar.unarchiveThread(stored)])',
  'readThread()': '{ for await (const record of sidecar.readThread(thread.id)) break; }',
  'verifyRollouts()': 'verifyRollouts(sidecar.directory)',
  'openSidecar()': 'openSidecar({ directory: sidecar.directory, logger: false })',
};

async function endsWith(call: string, patches: readonly Patch[] = []): Promise<Ended & { settled: unknown }> {
  const lastword = patches.length === 0 ? SHIPPED : mutantPackage(...patches).lastwordUrl;
  const ended = await runProgram(['--input-type=module', '-e', `
    import { openSidecar, verifyRollouts } from ${JSON.stringify(lastword)};
    import { writeSync } from 'node:fs';
    const item = { type: 'x', payload: 'y'.repeat(100) };
    const sidecar = await openSidecar({ directory: ${JSON.stringify(temporaryFolder())}, logger: false, closeTimeoutMs: 600_000 });
    let settled = 0;
    process.on('exit', () => { writeSync(3, JSON.stringify({ settled }) + '\\n'); });
    const threads = [];
    for (let time = 0; time < ${TIMES}; time += 1) {
      const [thread, other] = [await sidecar.createThread(), await sidecar.createThread()];
      await other.close();
      threads.push([thread, other.id]);
    }
    const call = async (thread, stored) => ${call};
    for (const [thread, stored] of threads) {
      thread.append(item);
      call(thread, stored).then(() => { settled += 1; }, (error) => { settled += error.code === undefined ? 0 : 1; });
    }`]);
  return { ...ended, settled: (ended.told as { settled?: number }).settled };
}

describe('calls that nobody waits for at the end of a program', () => {
  test.each(Object.entries(PENDING))('P21: %s: each settles, and then the program ends', async (_what, call) => {
    expect(await endsWith(call)).toMatchObject({ code: 0, isOverdue: false, stderr: '', stdout: '', settled: TIMES });
  });

  test('P21: a read that follows a thread ends with its thread', async () => {
    const ended = await endsWith('{ for await (const record of sidecar.readThread(thread.id, { follow: true })) if (record.ordinal === 1) void thread.close(); }');
    expect(ended).toMatchObject({ code: 0, isOverdue: false, stderr: '', settled: TIMES });
  });

  test('the control: the same finds a library that keeps no process alive', async () => {
    const ended = await endsWith('thread.flush({ durability: "synced" })', [
      { file: 'src/producer/waiters.js', find: 'this.#release ??= this.#hold();', replace: '' },
      { file: 'src/producer/waiters.js', find: 'const timer = setTimeout(onTimeout, timeoutMs);', replace: 'const timer = setTimeout(onTimeout, timeoutMs).unref();' },
    ]);
    expect(ended.settled).toBeLessThan(TIMES);
  });
});

describe('a close', () => {
  /** Every lease given back, and nothing that settles otherwise than by a value or a code. */
  function expectLetGo(directory: string, outcomes: readonly string[]): void {
    expect(readdirSync(join(directory, 'locks'))).toEqual([]);
    for (const outcome of outcomes) expect(outcome).toMatch(/^(opened|done|LASTWORD_(NOT_OPEN|THREAD_CLOSED|THREAD_BUSY|DRAIN_INCOMPLETE))$/);
  }

  test(`P21: behind which items come: each is LATE and counted, ${TIMES} times, and nothing else happens`, async () => {
    const sidecar = await openTestSidecar();
    for (const round of upTo(TIMES)) {
      const thread = await sidecar.createThread();
      thread.append(numbered(0));
      const closing = thread.close();
      if (round % 2 === 0) await closing;
      const receipt = await closing;
      expect([thread.append(numbered(1)), thread.appendAll([numbered(1), numbered(2)]), await thread.publish(numbered(3)), thread.rollback(1), thread.setMeta({ a: 1 })]).toEqual([LATE, LATE, LATE, LATE, LATE]);
      expect(await thread.flush({ durability: 'synced' })).toEqual(receipt);
      expect(await itemsOf(thread.path)).toEqual([numbered(0)]);
    }
    expect(sidecar.stats().items.late).toBe(TIMES * 6);
    await sidecar.close();
    expect(sidecar.stats().items.late).toBe(TIMES * 6);
  });

  async function closedTwice(open: typeof openSidecar): Promise<boolean[]> {
    const same: boolean[] = [];
    for (const round of upTo(TIMES)) {
      const directory = temporaryFolder();
      const sidecar = await open({ directory, logger: false });
      const thread = await sidecar.createThread();
      thread.append(numbered(0));
      const [one, other] = [thread.close(), thread.close({ timeoutMs: 1, durability: 'synced' })];
      const [first, second] = [sidecar.close(), sidecar.close({ timeoutMs: 1 })];
      if (round % 2 === 0) await turn();
      const receipts = await within(Promise.all([one, other, thread.close(), first, second, sidecar.close()]), 'every close');
      same.push(receipts[0] === receipts[1] && receipts[0] === receipts[2] && receipts[3] === receipts[4] && receipts[3] === receipts[5]);
      expect(await thread.close()).toBe(receipts[0]);
      expect(await sidecar.close()).toBe(receipts[3]);
      expectLetGo(directory, []);
    }
    return same;
  }

  test(`P21: that is called again, by whomever and with whatever options: one receipt, ${TIMES} times`, async () => {
    expect(await closedTwice(openSidecar)).toEqual(upTo(TIMES).map(() => true));
  });

  test('the control: the same finds a library whose second close is another one', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'src/open-thread.js', find: 'return this.#closing.get(async () => this.#steps.run(planClose(options, this.#host.options)));', replace: 'return this.#closing.get(async () => ({ ...await this.#steps.run(planClose(options, this.#host.options)) })).then((receipt) => ({ ...receipt }));' });
    const mutant = await import(lastwordUrl) as { openSidecar: typeof openSidecar };
    await expect(closedTwice(mutant.openSidecar)).rejects.toThrow();
  });

  const OPENINGS: Record<string, (sidecar: Sidecar, stored: string) => Promise<unknown>> = {
    createThread: (sidecar) => sidecar.createThread(),
    resumeThread: (sidecar, stored) => sidecar.resumeThread(stored),
    forkThread: (sidecar, stored) => sidecar.forkThread(stored),
    'resumeThread, option ifMissing': (sidecar) => sidecar.resumeThread('01936c1e-7b2a-7000-8000-000000000001', { ifMissing: 'create' }),
  };
  test.each(Object.entries(OPENINGS))(`P21: while %s is under way: both settle, at any of ${TIMES} moments, and no lease is left`, async (_name, open) => {
    for (const turns of upTo(TIMES)) {
      const directory = temporaryFolder();
      const sidecar = await openSidecar({ directory, logger: false });
      const stored = await sidecar.createThread();
      await stored.close();
      const opening = outcomeOf(open(sidecar, stored.id), () => 'opened');
      for (let taken = 0; taken < turns; taken += 1) await turn();
      const closing = outcomeOf(sidecar.close(), () => 'done');
      const outcomes = await within(Promise.all([opening, closing]), `both, after ${turns} turns`);
      expect(sidecar.state).toBe('closed');
      expectLetGo(directory, outcomes);
    }
  });

  test(`P21: while the sidecar itself is being opened: the close comes when it is open, ${TIMES} times`, async () => {
    const directory = temporaryFolder();
    const states = await Promise.all(upTo(TIMES).map(async () => {
      const opened = deferred<Sidecar>();
      const closing = opened.promise.then((sidecar) => sidecar.close().then(() => sidecar.state));
      opened.resolve(await openSidecar({ directory, logger: false }));
      return within(closing, 'the close');
    }));
    expect(states).toEqual(upTo(TIMES).map(() => 'closed'));
  });
});
