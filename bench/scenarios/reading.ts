import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { openSidecar, readRollout, verifyRollout, type ReadOptions, type Sidecar, type Thread } from 'lastword';
import { bytesText, figure, table, whole } from '../format.js';
import { ShapeSource } from '../load/shapes.js';
import { collectGarbage, median, withDirectory } from './support.js';

const FILE_BYTES = 48e6;
const LARGE_BYTES = { quick: 200e6, full: 1e9 } as const;
/** What comes behind the compaction. */
const TAIL_ITEMS = 100;
const FOLLOWED_ITEMS = 300;
const CHILD = fileURLToPath(new URL('reading-child.js', import.meta.url));

export interface ReadingRow {
  readonly what: string;
  readonly ours: string;
  readonly beside: string;
  readonly target: string;
}

/** Reading back: all of a file, the end of a large one, checking it, and hearing of what is written. */
export function runReading(repetitions: number, isQuick: boolean, seed: number): Promise<ReadingRow[]> {
  return withDirectory(async (directory) => {
    await using sidecar = await openSidecar({ directory, overflowBytes: 512 << 20 });
    const thread = await fill(sidecar, FILE_BYTES, seed);
    await thread.flush();
    return [
      ...await runFull(thread, repetitions),
      await runVerify(thread, repetitions),
      ...await runLarge(sidecar, isQuick, seed),
      await runFollow(thread),
    ];
  });
}

async function fill(sidecar: Sidecar, bytes: number, seed: number): Promise<Thread> {
  const thread = await sidecar.createThread();
  const source = new ShapeSource(seed);
  const before = sidecar.stats().bytes.written;
  while (sidecar.stats().bytes.written - before < bytes) {
    for (let count = 0; count < 200; count += 1) thread.append(source.item());
    if (sidecar.needsDrain) await sidecar.drained();
    else await thread.flush();
  }
  return thread;
}

async function countRecords(path: string, options: ReadOptions = {}): Promise<number> {
  let records = 0;
  for await (const record of readRollout(path, options)) records += record.ordinal >= 0 ? 1 : 0;
  return records;
}

async function millisecondsOf(body: () => unknown): Promise<number> {
  collectGarbage();
  const begin = performance.now();
  await body();
  return performance.now() - begin;
}

async function runFull({ path }: Thread, repetitions: number): Promise<ReadingRow[]> {
  const bytes = readFileSync(path);
  // What JSON.parse itself costs: the lines are strings already.
  const lines = bytes.toString().split('\n').slice(0, -1);
  const times = { parse: [] as number[], forward: [] as number[], backward: [] as number[] };
  for (let round = -1; round < repetitions; round += 1) {
    const parse = await millisecondsOf(() => { for (const line of lines) JSON.parse(line); });
    const forward = await millisecondsOf(async () => { if (await countRecords(path) !== lines.length) throw new Error('records are missing'); });
    const backward = await millisecondsOf(async () => { if (await countRecords(path, { reverse: true }) !== lines.length) throw new Error('records are missing'); });
    if (round < 0) continue;
    times.parse.push(parse);
    times.forward.push(forward);
    times.backward.push(backward);
  }
  const speed = (ms: number): string => `${figure(bytes.length / 1e3 / ms)} MB/s`;
  const parse = median(times.parse);
  return (['forward', 'backward'] as const).map((direction) => {
    const ratio = parse / median(times[direction]);
    const verdict = direction === 'forward' ? `≥ 0.6 × ${ratio >= 0.6 ? 'met' : 'MISSED'}` : '–';
    return { what: `read all, ${direction}`, ours: speed(median(times[direction])), beside: `JSON.parse alone ${speed(parse)}: ${figure(ratio)} ×`, target: verdict };
  });
}

async function runVerify({ path }: Thread, repetitions: number): Promise<ReadingRow> {
  const bytes = readFileSync(path).length;
  const times = { verify: [] as number[], bare: [] as number[] };
  for (let round = -1; round < repetitions; round += 1) {
    const bare = await millisecondsOf(() => crc32(readFileSync(path)));
    const verify = await millisecondsOf(() => verifyRollout(path));
    if (round < 0) continue;
    times.bare.push(bare);
    times.verify.push(verify);
  }
  const speed = (ms: number): string => `${figure(bytes / 1e3 / ms)} MB/s`;
  return {
    what: 'verify', ours: speed(median(times.verify)),
    beside: `readFile and one crc32 ${speed(median(times.bare))}: ${figure(median(times.bare) / median(times.verify))} ×`, target: '–',
  };
}

/** In processes of their own, for the memory. */
async function runLarge(sidecar: Sidecar, isQuick: boolean, seed: number): Promise<ReadingRow[]> {
  const bytes = LARGE_BYTES[isQuick ? 'quick' : 'full'];
  const thread = await fill(sidecar, bytes, seed);
  thread.append({ type: 'compacted', payload: { message: '', replacement_history: [{ type: 'message', role: 'user', content: [] }] } });
  const source = new ShapeSource(seed + 1);
  for (let count = 0; count < TAIL_ITEMS;) {
    const item = source.item();
    // The mix has compactions of its own, now and then.
    if (item.type === 'compacted') continue;
    thread.append(item);
    count += 1;
  }
  const { accepted } = thread;
  await thread.close();
  const [resume, all] = [await inChild(thread, 'resume', TAIL_ITEMS + 1), await inChild(thread, 'raw', accepted)];
  return [
    {
      what: `resume view of ${bytesText(bytes)}`, ours: `${figure(resume.ms)} ms, ${memoryText(resume)}`, beside: `${TAIL_ITEMS + 1} of ${whole(accepted)} records`,
      target: `< 50 ms, < 32 MiB ${resume.ms < 50 && resume.bytes < 32 * 2 ** 20 ? 'met' : 'MISSED'}`,
    },
    { what: `read all of ${bytesText(bytes)}`, ours: `${figure(all.ms / 1000)} s, ${memoryText(all)}`, beside: `${whole(accepted)} records`, target: 'memory flat' },
  ];

  async function inChild({ id }: Thread, view: string, expected: number): Promise<Child> {
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, sidecar.directory, id, view]);
    const child = JSON.parse(stdout) as Child & { records: number };
    if (child.records !== expected) throw new Error(`the ${view} view has ${child.records} records, not ${expected}`);
    return child;
  }
}

/** `bytes`: resident, above what the process had when it was idle. */
interface Child { readonly ms: number; readonly bytes: number }

const memoryText = ({ bytes }: Child): string => `+${figure(bytes / 2 ** 20)} MiB`;

/** From append() to the record in the loop of a reader that goes by the file alone. */
async function runFollow(thread: Thread): Promise<ReadingRow> {
  const began: number[] = [];
  const times: number[] = [];
  const stop = new AbortController();
  const first = thread.accepted;
  let heard: () => void = () => undefined;
  const reading = (async () => {
    for await (const { ordinal } of readRollout(thread.path, { from: first, follow: true, signal: stop.signal })) {
      times.push(performance.now() - (began[ordinal - first] ?? NaN));
      heard();
    }
  })();
  for (let index = 0; index < FOLLOWED_ITEMS; index += 1) {
    const next = new Promise<void>((resolve) => { heard = resolve; });
    began.push(performance.now());
    thread.append({ type: 'event_msg', payload: { type: 'agent_message_delta', delta: 'word' } });
    await next;
  }
  stop.abort();
  await reading;
  const sorted = times.toSorted((one, other) => one - other);
  const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? NaN;
  return { what: 'follow: append() to the reader', ours: `${figure(median(times))} ms, p99 ${figure(p99)} ms`, beside: `${FOLLOWED_ITEMS} items, one at a time`, target: `< 50 ms ${p99 < 50 ? 'met' : 'MISSED'}` };
}

export function readingTable(rows: readonly ReadingRow[]): string {
  return table([['', 'ours', 'beside', 'target'], ...rows.map(({ what, ours, beside, target }) => [what, ours, beside, target])]);
}
