/** Four producers that append to a thousand threads, are closed from both sides and end in every way, and what must be on disk then. */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { openSidecar, readRollout, verifyRollouts, type RolloutRecord, type ThreadCloseReceipt } from 'lastword';
import { mutantPackage, type Patch } from '../mutants.js';
import { randomFrom } from '../random.js';
import { temporaryFolder, until } from '../sidecars.js';
import { within } from '../steps.js';

// Node aborts, seldom, where a thread is terminated whose code is just being compiled on another: "NodePlatform::ForIsolate: Assertion failed".
setFlagsFromString('--no-concurrent-recompilation');

const PRODUCERS = 4;
const THREADS = 250;
const OPERATIONS = 2_000;
/** How a producer ends: closed, with its loop, by process.exit(), terminated anywhere, and terminated between exchange and publish. */
const ENDS = ['close', 'loop', 'exit', 'terminate', 'between'] as const;
type End = (typeof ENDS)[number];

/** The producer's thread stops for good between an exchange and its publish. */
export const STOPS: Patch = {
  file: 'src/producer/item-producer.js', find: '    #publish() {',
  replace: `    #publish() {
        if (globalThis.stopsAt !== undefined && --globalThis.stopsAt.left === 0) {
            Atomics.store(globalThis.stopsAt.word, 0, 1);
            Atomics.notify(globalThis.stopsAt.word, 0);
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        }`,
};

interface Side { readonly end: End; readonly returned: Int32Array; readonly exited: Promise<unknown> }
interface Payload { readonly producer: number; readonly thread: number; readonly n: number }

export interface Stressed { readonly complaints: string[]; readonly items: number; readonly threads: number; readonly late: number; readonly ends: readonly End[] }

/** `ends`: of every producer, where they are not drawn. */
export async function stress(seed: number, lastwordUrl: string, { writerUrl, ends }: { writerUrl?: URL; ends?: End } = {}): Promise<Stressed> {
  const below = randomFrom(seed);
  const complaints: string[] = [];
  const quiet = (): void => undefined;
  const logger = { debug: quiet, info: quiet, warn: quiet, error: (members: object, message?: string) => { complaints.push(`${message}: ${JSON.stringify(members)}`); } };
  const sidecar = await openSidecar({ directory: temporaryFolder(), logger, ringBytes: 64 * 1024, overflowBytes: 1024 * 1024, syncIntervalMs: 0, closeTimeoutMs: 60_000, fullTimeoutMs: 30_000, writerUrl });
  const receipts = new Map<string, ThreadCloseReceipt>();
  sidecar.on('threadClosed', (receipt) => {
    if (receipts.has(receipt.threadId)) complaints.push(`${receipt.threadId} was closed twice`);
    receipts.set(receipt.threadId, receipt);
  });
  const sides = Array.from({ length: PRODUCERS }, (_, number): Side => {
    const end = ends ?? ENDS[below(ENDS.length)] ?? 'close';
    const { port } = sidecar.createProducerPort();
    const returned = new Int32Array(new SharedArrayBuffer(THREADS * 4));
    const word = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { lastwordUrl, port, seed: below(2 ** 31), number, threads: THREADS, operations: 200 + below(OPERATIONS), end, returned, word };
    const worker = new Worker(new URL('stress-side.mjs', import.meta.url), { workerData, transferList: [port] });
    worker.on('error', (error: Error) => { complaints.push(`producer ${number}: ${error.message}`); });
    // The other side closes, too, whoever appends there.
    worker.on('message', () => {
      const live = [...sidecar.liveThreads()];
      const thread = live[below(Math.max(1, live.length))];
      if (thread?.state === 'open' && below(2) === 0) thread.close().catch((error: unknown) => { complaints.push(String(error)); });
    });
    if (end === 'terminate' || end === 'between') void Promise.resolve(Atomics.waitAsync(word, 0, 0).value).then(() => worker.terminate());
    return { end, returned, exited: new Promise((resolve) => { worker.once('exit', resolve); }) };
  });
  const exits = Promise.all(sides.map(({ exited }) => exited));
  await within(exits, 'the end of every producer', 60_000);
  await until(() => [...sidecar.liveThreads()].length === 0 || complaints.length > 0, 'the close of every thread', 60_000);
  const { accepted, written, late } = sidecar.stats().items;
  if (accepted !== written) complaints.push(`${accepted} accepted, ${written} written`);
  await sidecar.close({ abandon: true }).catch((error: unknown) => { complaints.push(String(error)); });
  complaints.push(...await check(sidecar.directory, receipts, sides));
  return { complaints, items: written, threads: receipts.size, late, ends: sides.map(({ end }) => end) };
}

/** Every file holds the numbers from 0 on, as many as its receipt says, and no fewer than its producer was promised. */
async function check(directory: string, receipts: ReadonlyMap<string, ThreadCloseReceipt>, sides: readonly Side[]): Promise<string[]> {
  const complaints: string[] = [];
  const found = sides.map(({ returned }) => new Int32Array(returned.length));
  for (const { path, damage, end } of await verifyRollouts(directory, { concurrency: 1 })) {
    if (damage.length > 0 || end !== 'clean') complaints.push(`${path} is damaged`);
    const id = /[0-9a-f-]{36}(?=\.jsonl$)/.exec(path)?.[0] ?? '';
    let next = 0;
    let last: Payload | undefined;
    for await (const { ordinal, payload } of readRollout(path) as AsyncIterable<RolloutRecord & { payload: Payload }>) {
      if (ordinal === 0) continue;
      if (payload.n !== next || ordinal !== next + 1) complaints.push(`${path}: item ${payload.n} has ordinal ${ordinal}, behind ${next} items`);
      next += 1;
      last = payload;
    }
    if (receipts.get(id)?.items !== next) complaints.push(`${path}: ${next} items, and the receipt says ${receipts.get(id)?.items ?? 'nothing'}`);
    const counts = last === undefined ? undefined : found[last.producer];
    if (last !== undefined && counts !== undefined) counts[last.thread] = next;
  }
  for (const [producer, { returned, end }] of sides.entries()) {
    for (const [thread, promised] of returned.entries()) {
      if ((found[producer]?.[thread] ?? 0) < promised) complaints.push(`producer ${producer} (${end}), thread ${thread}: ${promised} were accepted, ${found[producer]?.[thread] ?? 0} are on disk`);
    }
  }
  return complaints;
}

export function stressedPackage(...more: Patch[]): string {
  return mutantPackage(STOPS, ...more).lastwordUrl;
}
