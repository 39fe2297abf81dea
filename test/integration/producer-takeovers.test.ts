/** P10: writers that die while other JavaScript threads append, attach and leave: nothing is lost, nothing is doubled, and nobody waits for ever. */
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSidecar as open, type Sidecar } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mutantPackage, mutantWriter, type Patch } from '../support/mutants.js';
import { HostWorker } from '../support/producers/workers.js';
import { IS_FIRST_WRITER, itemsOf, lostLibrary, numbered, openTestSidecar, temporaryFolder, thrown, until, upTo } from '../support/sidecars.js';
import { ordinalsIn } from '../support/salvage.js';
import { outcomeOf, within } from '../support/steps.js';

/** Every writer dies of what holds the word BREAK, when so much of it is written. */
function diesAfter(share: number): Patch {
  return {
    file: 'worker/fs-ops.js', find: 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),',
    replace: `write: (descriptor, bytes, offset, length) => {
        if (!Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).includes('BREAK')) return fs.writeSync(descriptor, bytes, offset, length);
        fs.writeSync(descriptor, bytes, offset, Math.floor(length * ${share}));
        process.exit(1);
      },`,
  };
}

const ITEMS = 300;

/** Two producers that append, flush and close until nobody is left to write but the sidecar's own thread, and on. Returns what is not as it should be. */
async function standIn(share: number, breaks: number, { openSidecar = open, closeTimeoutMs = 20_000 } = {}): Promise<string[]> {
  const complaints: string[] = [];
  const sidecar = await openSidecar({
    directory: temporaryFolder(), logger: false, writerUrl: mutantWriter(diesAfter(share)), ringBytes: 64 * 1024, overflowBytes: 64 * 1024, closeTimeoutMs,
  });
  onTestFinished(() => sidecar.close({ abandon: true }).then(() => undefined, () => undefined));
  const workers = [await HostWorker.attached(sidecar), await HostWorker.attached(sidecar)];
  const standsIn = once(sidecar, 'degraded');
  const paths = await Promise.all(workers.map((worker, which) => worker.tell(async (state, given) => {
    const threads = await Promise.all([0, 1, 2].map(() => state.producer.createThread()));
    state.threads.push(...threads);
    for (let index = 0; index < given.items; index += 1) {
      for (const thread of threads) thread.append({ type: 'event_msg', payload: { index, text: `item ${index}` } });
      if (index % 75 !== 20) continue;
      // The writer may die of one of these; whoever waits then is served by a successor.
      if (given.which === 0 && index / 75 < given.breaks) threads[0]?.append({ type: 'BREAK' });
      await (index % 2 === 0 ? state.producer.flush() : threads[1]?.flush({ durability: 'synced' }));
      if (index > 200) await threads[2]?.close();
    }
    return threads.map(({ path }) => path);
  }, { which, breaks, items: ITEMS }).catch((error: unknown) => { complaints.push(`producer ${which}: ${String(error)}`); return []; })));
  if (complaints.length > 0) return complaints;
  const [{ error }] = await within(standsIn, 'the end of the last writer') as [{ error: { code: string } }];
  if (error.code !== 'LASTWORD_WRITER_EXITED') complaints.push(error.code);
  // Behind it, too: one that attaches now, one that is closed, one that is terminated.
  const later = await HostWorker.attached(sidecar);
  const path = await later.tell(async ({ producer }) => {
    const thread = await producer.createThread();
    for (let index = 0; index < 300; index += 1) thread.append({ type: 'event_msg', payload: { index, text: `item ${index}` } });
    await thread.flush({ durability: 'synced' });
    return thread.path;
  });
  const closed = once(sidecar, 'threadClosed');
  await later.worker.terminate();
  await closed;
  await workers[0]?.tell(({ producer }) => producer.close());
  await sidecar.close().catch((reason: unknown) => { complaints.push(String(reason)); });
  for (const [which, one] of [...paths.flat(), path].entries()) {
    const items = await itemsOf(one).catch((reason: unknown) => [{ type: String(reason) }]);
    const isRight = JSON.stringify(items.filter((item) => (item as { type: string }).type !== 'BREAK')) === JSON.stringify(upTo(which % 3 === 2 ? 246 : ITEMS).map(numbered));
    if (!isRight || items.filter((item) => (item as { type: string }).type === 'BREAK').length !== (which === 0 ? breaks : 0)) complaints.push(`thread ${which} has ${items.length} items`);
  }
  return complaints;
}

describe('P10: the sidecar\'s own thread that writes, since three writers died in ten seconds', () => {
  test.each([['behind a write each', 1, 3], ['within the same write', 0.5, 1]] as const)(
    'serves producers that append, flush, close, attach and end: writers that died %s', async (_what, share, breaks) => {
      expect(await standIn(share, breaks)).toEqual([]);
    },
  );

  test.each<[string, string, number, Patch]>([
    ['that knows of no ring but its own', 'LASTWORD_TIMEOUT', 1_000, { file: 'worker/standby.js', find: 'createEngine(this.#data,', replace: 'createEngine({ ...this.#data, rings: this.#data.rings.slice(0, 1) },' }],
    ['that believes the watermark', 'thread 0 has', 20_000, { file: 'worker/takeover.js', find: 'const written = end.nextOrdinal - file.base;', replace: 'const { written } = file;' }],
  ])('P10, the control: the same check hears of one %s', async (_what, heard, closeTimeoutMs, patch) => {
    const { openSidecar } = await import(mutantPackage(patch).lastwordUrl) as { openSidecar: typeof open };
    expect((await standIn(1, 3, { openSidecar, closeTimeoutMs })).join()).toContain(heard);
  });
});

/** Where the first writer ends: within the command, when it has done nothing of it, or all but the answer. */
const DEATHS: readonly [string, Patch][] = (['addRing(ring) {', 'removeRing(producer) {'] as const).flatMap((find): [string, Patch][] => {
  const act = find.startsWith('add') ? 'this.#parts.addRing(ring);' : 'this.#parts.writer.removeRing(producer);';
  const dies = `if (${IS_FIRST_WRITER}) process.exit(7);`;
  return [
    [`${find.split('(')[0] ?? ''}(), nothing done`, { file: 'worker/control.js', find, replace: `${find}\n${dies}` }],
    [`${find.split('(')[0] ?? ''}(), all done but the answer`, { file: 'worker/control.js', find: act, replace: `${act}\n${dies}` }],
  ];
});

/** Every writer says which producers it has, whenever that changes. */
function saysRings(said: string): Patch[] {
  const say = 'queueMicrotask(() => { this.say(); });';
  return [
    { file: 'worker/writer.js', find: 'removeRing(producer) {', replace: `removeRing(producer) {\n${say}` },
    { file: 'worker/writer.js', find: 'addRing(consumer, transcoder, producer) {', replace: `say() {
        process.getBuiltinModule('node:fs').appendFileSync(${JSON.stringify(said)}, this.#rings.map(({ producer }) => producer).join() + '\\n');
    }
    addRing(consumer, transcoder, producer) {\n${say}` },
  ];
}

/** Two producers in one worker, one after the other, each with records of its own kinds. Returns what is not as it should be. */
async function comeAndGo(sidecar: Sidecar, said: string, deadlineMs?: number): Promise<string[]> {
  const complaints: string[] = [];
  const worker = await HostWorker.start();
  for (const which of upTo(2)) {
    const outcome = await outcomeOf((async () => {
      await worker.attach(sidecar.createProducerPort());
      const { path, isClosed } = await worker.tell(async ({ producer }, kind) => {
        const thread = await producer.createThread();
        for (let index = 0; index < 100; index += 1) {
          thread.append({ type: 'event_msg', [`kind ${kind}`]: { [`member ${kind}`]: index, [`other ${index % 5}`]: kind } });
          if (index === 50) await thread.flush();
        }
        const { items } = await thread.close();
        await producer.close();
        return { path: thread.path, isClosed: items === 100 };
      }, which);
      const expected = upTo(100).map((index) => ({ type: 'event_msg', [`kind ${which}`]: { [`member ${which}`]: index, [`other ${index % 5}`]: which } }));
      return isClosed && JSON.stringify(await itemsOf(path)) === JSON.stringify(expected);
    })(), (isRight) => (isRight ? 'right' : 'wrong'));
    if (outcome !== 'right') complaints.push(`producer ${which}: ${outcome}`);
  }
  const rings = (): string[] => readFileSync(said, 'utf8').trim().split('\n');
  await until(() => rings().at(-1) === '0', 'the end of every ring', deadlineMs).catch((error: unknown) => { complaints.push(String(error)); });
  return [...complaints, ...rings().filter((has) => new Set(has.split(',')).size < has.split(',').length).map((has) => `rings ${has}`)];
}

describe('P10: a writer that dies while a producer comes or goes', () => {
  test.each(DEATHS)('within %s: the successor is asked again, and has each ring once', async (_what, patch) => {
    const said = join(temporaryFolder(), 'said');
    const sidecar = await openTestSidecar({ writerUrl: mutantWriter(patch, ...saysRings(said)), ringBytes: 64 * 1024 });
    expect(await comeAndGo(sidecar, said)).toEqual([]);
    expect(sidecar.stats().writerRestarts).toBe(1);
  });

  test.each<[string, number, string, Patch]>([
    ['a successor that has a ring twice', 1, 'rings 0,1,1', { file: 'worker/engine.js', find: 'if (writer.rings.some((ring) => ring.producer === producer))', replace: 'if (false)' }],
    ['a successor that keeps a ring', 2, 'the end of every ring', { file: 'worker/writer.js', find: 'if (index >= 0)\n            this.#rings.splice(index, 1);', replace: '' }],
  ])('P10, the control: the same check hears of %s', async (_what, death, heard, patch) => {
    const said = join(temporaryFolder(), 'said');
    const dies = DEATHS[death]?.[1] as Patch;
    const { lastwordUrl, writerUrl } = mutantPackage(dies, patch, ...saysRings(said));
    const { openSidecar } = await import(lastwordUrl) as { openSidecar: typeof open };
    const sidecar = await openSidecar({ directory: temporaryFolder(), logger: false, writerUrl: new URL(writerUrl), ringBytes: 64 * 1024, closeTimeoutMs: 2_000 });
    onTestFinished(() => sidecar.close({ abandon: true }).then(() => undefined, () => undefined));
    expect((await comeAndGo(sidecar, said, 1_000)).join()).toContain(heard);
  });
});

test('P10: where nobody can write any more, producers are told so, and what they had accepted can be salvaged', async () => {
  const { lastwordUrl, writerUrl } = lostLibrary();
  const { openSidecar } = await import(lastwordUrl) as { openSidecar: typeof open };
  const sidecar = await openSidecar({ directory: temporaryFolder(), logger: false, writerUrl });
  onTestFinished(() => sidecar.close({ abandon: true }).then(() => undefined));
  const [worker, other] = [await HostWorker.attached(sidecar), await HostWorker.start()];
  const kept = sidecar.createProducerPort();
  const seen = await worker.tell(async (state) => {
    const thread = await state.producer.createThread();
    state.threads.push(thread);
    for (let index = 0; index < 10; index += 1) thread.append({ type: 'event_msg', payload: index });
    await thread.flush();
    thread.appendAll([{ type: 'BREAK' }, { type: 'event_msg' }, { type: 'event_msg' }]);
    const codeOf = (error: unknown): unknown => (error as { code?: string }).code;
    const refusals = [await thread.flush().catch(codeOf), await state.producer.flush().catch(codeOf), await state.producer.createThread().catch(codeOf), await thread.close().catch(codeOf)];
    return { refusals, late: thread.append({ type: 'event_msg' }), state: thread.state };
  });
  expect(seen).toEqual({ refusals: Array.from({ length: 4 }, () => 'LASTWORD_WRITER_EXITED'), late: -1, state: 'failed' });
  expect(thrown(() => sidecar.createProducerPort())).toMatchObject({ code: 'LASTWORD_WRITER_EXITED' });
  expect(await outcomeOf(other.attach(kept), () => 'attached')).toBe('LASTWORD_WRITER_EXITED');
  const receipt = await worker.tell(({ threads: [thread] }) => thread?.close({ abandon: true }));
  expect(receipt).toMatchObject({ items: 13, nextOrdinal: 11, late: 1 });
  expect(ordinalsIn(receipt?.salvage ?? '')).toEqual([11, 12, 13]);
});

describe('a producer that ends while the writer makes room for it', () => {
  /** True when no writer has a ring of it in the end. */
  async function isForgotten(deadlineMs: number, ...patches: Patch[]): Promise<boolean> {
    const folder = temporaryFolder();
    const [said, gate] = [join(folder, 'said'), join(folder, 'gate')];
    const { lastwordUrl, writerUrl } = mutantPackage(...patches, ...saysRings(said), {
      file: 'worker/control.js', find: '    addRing(ring) {', replace: `    async addRing(ring) {
        const reply = await this.added(ring);
        const { existsSync } = await import('node:fs');
        while (existsSync(${JSON.stringify(gate)})) await new Promise((resolve) => { setImmediate(resolve); });
        return reply;
    }
    added(ring) {`,
    });
    const { openSidecar } = await import(lastwordUrl) as { openSidecar: typeof open };
    const sidecar = await openSidecar({ directory: folder, logger: false, writerUrl: new URL(writerUrl), ringBytes: 64 * 1024 });
    onTestFinished(() => sidecar.close().then(() => undefined));
    const worker = await HostWorker.start();
    const port = sidecar.createProducerPort();
    writeFileSync(gate, '');
    void worker.told(async ({ attachProducer }, given) => { await attachProducer(given); }, port, [port.port]);
    const has = (): string => readFileSync(said, 'utf8').trim().split('\n').at(-1) ?? '';
    await until(() => has() === '0,1', 'its ring');
    await worker.worker.terminate();
    rmSync(gate);
    return until(() => has() === '0', 'the end of its ring', deadlineMs).then(() => true, () => false);
  }

  test('leaves no ring behind', async () => {
    expect(await isForgotten(10_000)).toBe(true);
  });

  test('the control: one whose end nobody hears of does', async () => {
    expect(await isForgotten(1_000, { file: 'src/control/producer-server.js', find: "port.once('close', () => { served.ended(); });", replace: '' })).toBe(false);
  });
});
