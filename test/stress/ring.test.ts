/** Two threads, one ring: every frame arrives, whole and in order, wherever positions begin. LASTWORD_SEED repeats a run. */
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { ARENA_HEAD_WORD, ARENA_TAIL_WORD, HEAD_WORD, KIB, TAIL_WORD, layOut } from '../../src/ring/layout.js';
import { createSidecarMemory, viewProducerMemory } from '../../src/ring/memory.js';
import { takeSlot } from '../../src/ring/slots.js';
import { SEED } from '../support/random.js';

const RING_BYTES = 64 * KIB;
const OVERFLOW_BYTES = 64 * KIB;
const FRAMES = 300_000;
const SLOT = 3;

interface Answers {
  producer: { accepted: number; sleeps: number; ringBytesPassed: number; arenaFrames: number };
  consumer: { received: number; parks: number };
}

async function run(origin: number, seed: number): Promise<Answers> {
  const { pages } = layOut(RING_BYTES, OVERFLOW_BYTES);
  const buffer = new SharedArrayBuffer(pages * 64 * KIB);
  const { control } = viewProducerMemory(buffer, RING_BYTES, OVERFLOW_BYTES);
  for (const word of [TAIL_WORD, HEAD_WORD, ARENA_TAIL_WORD, ARENA_HEAD_WORD]) control[word] = origin;
  const sidecar = createSidecarMemory();
  const incarnation = takeSlot(sidecar, SLOT);
  const shared = {
    buffer, sidecarBuffer: sidecar.buffer, ringBytes: RING_BYTES, overflowBytes: OVERFLOW_BYTES, incarnation, frames: FRAMES, seed,
  };
  const [consumer, producer] = await Promise.all([answerOf('consumer', shared), answerOf('producer', shared)]);
  return { consumer, producer } as Answers;
}

function answerOf(side: string, shared: object): Promise<unknown> {
  const worker = new Worker(new URL('./ring-side.mjs', import.meta.url), { workerData: { side, ...shared } });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
    worker.once('exit', (code) => { reject(new Error(`the ${side} ended with code ${code} and no answer`)); });
  });
}

describe('the ring under load', () => {
  test.each([
    ['zero', 0],
    ['2^31, where positions turn negative', 2 ** 31 - 64],
    ['2^32, where they begin again', 2 ** 32 - 64],
  ])('P11: keeps every byte and the order of frames of all sizes, with positions from just before %s', async (_name, origin) => {
    const { producer, consumer } = await run(origin, SEED);
    expect(producer.accepted).toBe(FRAMES);
    expect(consumer.received).toBe(FRAMES);
    // It did something: both sides slept, the ring wrapped, the overflow was used.
    expect(producer.ringBytesPassed / RING_BYTES, 'the ring wrapped').toBeGreaterThan(100);
    expect(producer.arenaFrames, 'frames went through the overflow').toBeGreaterThan(100);
    expect(producer.sleeps, 'the producer parked').toBeGreaterThan(10);
    expect(consumer.parks, 'the consumer parked').toBeGreaterThan(10);
    console.log(JSON.stringify({ producer, consumer }));
  });
});
