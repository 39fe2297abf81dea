/** Threads of one contender, opened and closed: lifecycle-child.js <name> <directory> <threads>. Prints what LifecycleFigures says. */
import { openSidecar, type Sidecar, type Thread } from 'lastword';
import { liveBytes, liveBytesOfWriter, WEIGHED_WRITER } from '../cells/weight.js';
import { CONTENDERS, OURS } from '../peers/all.js';
import { batched } from '../peers/lastword.js';
import type { LifecycleFigures } from './lifecycle.js';

const [name = '', directory = '', count = ''] = process.argv.slice(2);
const threads = Number(count);

async function usPerThread(body: () => Promise<unknown>, of = threads): Promise<number> {
  const begin = performance.now();
  await body();
  return ((performance.now() - begin) * 1000) / of;
}

/** Words of a thread in shared memory, which no heap counts. */
const SHARED_BYTES = 128;

interface Memory { readonly live: number; readonly resident: number }

async function memory(ofWriter = (): Promise<number> => Promise.resolve(0)): Promise<Memory> {
  const live = liveBytes() + await ofWriter();
  return { live, resident: process.memoryUsage.rss() };
}

const grown = (before: Memory, after: Memory, of: number): Pick<LifecycleFigures, 'idleBytes' | 'residentBytes'> =>
  ({ idleBytes: (after.live - before.live) / of, residentBytes: (after.resident - before.resident) / of });

/** What a tenth of the threads cost the first time is not counted: code, rings and tables. */
async function ours(): Promise<LifecycleFigures> {
  let sidecar: Sidecar | undefined;
  const open = async (): Promise<Sidecar> => (sidecar = await openSidecar({ directory, logger: false, openFilesMax: 512, writerUrl: WEIGHED_WRITER }));
  const openUs = await usPerThread(open, 1);
  const first = await batched(threads / 10, () => sidecar?.createThread());
  // Nothing waits for a sync while it is weighed.
  const weighed = async (): Promise<Memory> => {
    await sidecar?.flush({ durability: 'synced' });
    return memory(liveBytesOfWriter);
  };
  const before = await weighed();
  let rest: (Thread | undefined)[] = [];
  const createUs = await usPerThread(async () => {
    rest = await batched(threads - first.length, () => sidecar?.createThread());
  }, threads - first.length);
  const { idleBytes, residentBytes } = grown(before, await weighed(), rest.length);
  const all = [...first, ...rest];
  const closeUs = await usPerThread(() => batched(threads, (index) => all[index]?.close()));
  await sidecar?.close();
  await open();
  const resumeUs = await usPerThread(() => batched(threads, (index) => sidecar?.resumeThread(all[index]?.id ?? '')));
  await sidecar?.close();
  return { openUs, createUs, idleBytes: idleBytes + SHARED_BYTES, residentBytes, closeUs, resumeUs };
}

async function peer(): Promise<LifecycleFigures> {
  const contender = CONTENDERS.find((each) => each.name === name);
  if (contender === undefined) throw new Error(`nobody is called ${name}`);
  let recording = await contender.open(directory, threads / 10);
  await recording.close();
  const before = await memory();
  const open = async (): Promise<void> => { recording = await contender.open(directory, threads); };
  const createUs = await usPerThread(open);
  const figures = grown(before, await memory(), threads);
  const closeUs = await usPerThread(() => recording.close());
  const resumeUs = await usPerThread(open);
  await recording.close();
  return { createUs, ...figures, closeUs, resumeUs };
}

const alive = setInterval(() => undefined, 60_000);   // a peer's worker may be unreferenced
try {
  process.stdout.write(JSON.stringify(await (name === OURS ? ours() : peer())));
} catch (error) {
  const { code } = error as { code?: unknown };
  if (code !== 'EMFILE') throw error;
  process.stdout.write(JSON.stringify({ unavailable: `cannot hold ${threads} descriptors (EMFILE)` }));
} finally {
  clearInterval(alive);
}
