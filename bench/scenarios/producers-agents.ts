/** Agents in a JavaScript thread of their own. Told by messages what to do, one at a time: see Ask. */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { attachProducer, type Producer, type ProducerPort, type RolloutItem, type Thread } from 'lastword';
import { Prng } from '../load/prng.js';
import { poolOf, type Load } from '../load/pool.js';

export type Way = 'producer' | 'messages';

export interface AgentsData {
  readonly way: Way;
  readonly port: ProducerPort;
  readonly agents: number;
  readonly load: Load;
  readonly seed: number;
}

export type Ask =
  /** So many items in turn over all agents, until they are written (as a producer), or taken by main (as messages). */
  | { readonly ask: 'run'; readonly items: number }
  /** Items as fast as they are taken, until asked for something else. */
  | { readonly ask: 'flood' }
  | { readonly ask: 'rest' }
  /** From append() until write() has returned, one item at a time, with pauses of 1 to 4 ms. */
  | { readonly ask: 'latencies'; readonly samples: number };

export type Told =
  | { readonly told: 'ready'; readonly paths: readonly string[] }
  | { readonly told: 'items'; readonly agent: number; readonly item: RolloutItem }
  | { readonly told: 'done'; readonly latencies: readonly number[] };

/** Items under way to main. */
const UNDER_WAY_MAX = 4096;
/** A host's agents give the loop a turn now and then. */
const ITEMS_A_TURN = 200;
const PAUSE_MS = { least: 1, spread: 3 } as const;

const main = parentPort;
if (main === null) throw new Error('agents run beside a main thread');
const { way, port, agents, load, seed } = workerData as AgentsData;
const pool = poolOf(load, seed);
const prng = new Prng(seed);
const tell = (told: Told): void => { main.postMessage(told); };
const nextTurn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

let [turn, acknowledged, sent, isFlooding] = [0, 0, 0, false];
let wake: (() => void) | undefined;

async function send(agent: number, item: RolloutItem): Promise<void> {
  tell({ told: 'items', agent, item });
  sent += 1;
  while (sent - acknowledged >= UNDER_WAY_MAX) await new Promise<void>((resolve) => { wake = resolve; });
}

/** How an item is appended, and how to wait until the last one is written. */
async function openAgents(): Promise<{ append(agent: number, item: RolloutItem): Promise<void> | undefined; written(): Promise<unknown>; paths: string[] }> {
  if (way === 'messages') return { append: send, written: () => Promise.resolve(), paths: [] };
  const producer: Producer = await attachProducer(port);
  const threads: Thread[] = [];
  while (threads.length < agents) threads.push(await producer.createThread());
  return {
    append(agent, item) {
      threads[agent]?.append(item);
      return producer.needsDrain ? producer.drained() : undefined;
    },
    written: () => producer.flush(),
    paths: threads.map(({ path }) => path),
  };
}

const { append, written, paths } = await openAgents();

async function give(isMore: (given: number) => boolean): Promise<void> {
  for (let given = 0; isMore(given); given += 1) {
    const item = pool[turn % pool.length];
    const wait = item === undefined ? undefined : append(turn % agents, item);
    turn += 1;
    if (wait !== undefined) await wait;
    if (given % ITEMS_A_TURN === ITEMS_A_TURN - 1) await nextTurn();
  }
  await written();
}

async function latenciesOf(samples: number): Promise<number[]> {
  const latencies: number[] = [];
  while (latencies.length < samples) {
    await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS.least + prng.below(PAUSE_MS.spread)); });
    const begin = performance.now();
    await give((given) => given < 1);
    latencies.push(performance.now() - begin);
  }
  return latencies;
}

main.on('message', (message: Ask | number) => {
  if (typeof message === 'number') {
    acknowledged += message;
    wake?.();
    wake = undefined;
    return;
  }
  isFlooding = message.ask === 'flood';
  if (message.ask === 'rest') return;
  const doing = message.ask === 'run' ? give((given) => given < message.items) : message.ask === 'flood' ? give(() => isFlooding) : latenciesOf(message.samples);
  void doing.then((latencies) => { tell({ told: 'done', latencies: latencies ?? [] }); });
});
tell({ told: 'ready', paths });
await once(main, 'close');
