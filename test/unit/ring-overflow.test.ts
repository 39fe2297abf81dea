/** Room in the overflow, on one thread: what a claim says where nothing waits. */
import { expect, test } from 'vitest';
import { frameBytes, writeItemHeader } from '../../src/ring/frame.js';
import { layOut } from '../../src/ring/layout.js';
import { viewProducerMemory, type ProducerMemory } from '../../src/ring/memory.js';
import { createBatch, createRingConsumer, hasPublished, release, walk, type RingConsumer } from '../../src/ring/ring-consumer.js';
import { FULL, createRingProducer, publish, tryClaim, type RingProducer } from '../../src/ring/ring-producer.js';

const RING_BYTES = 4_096;
const OVERFLOW_BYTES = 128 * 1_024;

function createMemory(): ProducerMemory {
  const { pages } = layOut(RING_BYTES, OVERFLOW_BYTES);
  return viewProducerMemory(new SharedArrayBuffer(pages * 65_536), RING_BYTES, OVERFLOW_BYTES);
}

/** False where the claim found no room. */
function tryAppend(producer: RingProducer, payloadBytes: number): boolean {
  const address = tryClaim(producer, frameBytes(payloadBytes), true);
  if (address === FULL) return false;
  writeItemHeader(producer.memory, address, producer.claimPosition, payloadBytes, 0, 1, 0, 0);
  publish(producer);
  return true;
}

/** Lets go of everything published; returns how many frames it was. */
function drain(consumer: RingConsumer): number {
  const batch = createBatch(64);
  let frames = 0;
  while (hasPublished(consumer)) {
    walk(consumer, batch, OVERFLOW_BYTES);
    frames += batch.frames;
    release(consumer, batch);
  }
  return frames;
}

// A host with whenFull 'throw' hears of a full overflow only when something waits in it, or it would never come back:
// a refused append rings no doorbell.
test.each([2_000, OVERFLOW_BYTES / 2, OVERFLOW_BYTES])('P11: a drained overflow takes an item of %i bytes, however often it was used', (bytes) => {
  const memory = createMemory();
  const producer = createRingProducer(memory, OVERFLOW_BYTES);
  const consumer = createRingConsumer(memory);
  for (let round = 0; round < 20; round += 1) {
    expect(tryAppend(producer, bytes), `round ${round}`).toBe(true);
    expect(drain(consumer), `round ${round}`).toBe(1);
  }
});
