/**
 * Agents on a pool of threads: each one is a Piscina task that appends by itself, without a hop over the main thread, which
 * closes all of them while they stream. Nothing that an agent was told is recorded is lost.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';
import { attachProducer, LATE, openSidecar, type ProducerPort } from 'lastword';
import { Piscina } from 'piscina';

const AGENTS = 64;
const ITEMS = 2_000;
/** When one of them has said so much, the host has heard enough. */
const ENOUGH = ITEMS / 4;

interface Task { readonly producer: ProducerPort; readonly agent: number }
interface Outcome { readonly agent: number; readonly path: string; readonly taken: number; readonly late: number }

/** The task: an agent that says 2,000 things, in small bursts as its model streams them. */
export default async function runAgent({ producer: port, agent }: Task): Promise<Outcome> {
  // Whichever thread the pool picks: the first task there attaches it, the others find it attached.
  const producer = await attachProducer(port);
  const thread = await producer.createThread({ meta: { title: `agent ${agent}` } });
  const progress = new BroadcastChannel('progress');
  let [taken, late] = [0, 0];
  for (let index = 0; index < ITEMS; index += 1) {
    const ordinal = thread.append({ type: 'event_msg', payload: { type: 'agent_message_delta', agent, index, delta: `word ${index} ` } });
    if (ordinal === LATE) late += 1;
    else taken += 1;
    if (index === ENOUGH) progress.postMessage(agent);
    if (index % 20 === 19) await new Promise((resolve) => { setImmediate(resolve); });
  }
  progress.close();
  // Closed already by the host, or now by its agent: the same receipt.
  const { items } = await thread.close();
  if (items !== taken) throw new Error(`agent ${agent}: ${taken} items were taken, and the receipt says ${items}`);
  return { agent, path: thread.path, taken, late };
}

async function main(): Promise<void> {
  await using sidecar = await openSidecar({ directory: 'rollouts' });
  const threads = availableParallelism();
  // An idle thread of the pool is to hear what the sidecar tells it: it must not be blocked.
  const pool = new Piscina({ filename: fileURLToPath(import.meta.url), minThreads: threads, maxThreads: threads, concurrentTasksPerWorker: Math.ceil(AGENTS / threads), atomics: 'disabled' });
  const tasks = Array.from({ length: AGENTS }, (_, agent) => {
    const producer = sidecar.createProducerPort();
    return pool.run({ producer, agent } satisfies Task, { transferList: [producer.port] }) as Promise<Outcome>;
  });

  // In the middle of what they say, the host ends them all.
  const progress = new BroadcastChannel('progress');
  await new Promise((resolve) => { progress.onmessage = resolve; });
  progress.close();
  await Promise.all([...sidecar.liveThreads()].map((thread) => thread.close()));

  const outcomes = await Promise.all(tasks);
  await pool.close();
  for (const { agent, path, taken } of outcomes.toSorted((one, other) => one.agent - other.agent)) console.log(`agent ${agent}: ${taken} items on disk, ${path}`);
  const { threads: closed, items, late, forced } = await sidecar.close();
  console.log(`all: ${closed} agents on ${threads} threads, ${items} items on disk, ${late} late, ${forced} forced`);
}

if (isMainThread) await main();
