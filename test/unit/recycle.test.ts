/** The memory of a producer that has ended, when it is the next one's. */
import { expect, test } from 'vitest';
import { frameBytes, writeItemHeader } from '../../src/ring/frame.js';
import { FRAME_STAMP_WORD } from '../../src/ring/layout.js';
import { createProducerWasmMemory, viewProducerMemory, type ProducerMemory } from '../../src/ring/memory.js';
import { recycleProducerMemory } from '../../src/ring/recycle.js';
import { createRingProducer, publish, tryClaim } from '../../src/ring/ring-producer.js';

const RING_BYTES = 1 << 16;
const OVERFLOW_BYTES = 1 << 16;
const PAYLOADS = [8, 100, 40];

function newMemory(): ProducerMemory {
  return viewProducerMemory(createProducerWasmMemory(RING_BYTES, OVERFLOW_BYTES).buffer, RING_BYTES, OVERFLOW_BYTES);
}

/** Frames that are whole, in one claim that nobody publishes. */
function leaveUnpublished(memory: ProducerMemory, mayUseRing: boolean): number[] {
  const producer = createRingProducer(memory, OVERFLOW_BYTES);
  // One that is published comes first, and opens the run where they are to lie in the arena.
  writeItemHeader(memory, tryClaim(producer, frameBytes(8), mayUseRing), producer.claimPosition, 8, 0, 1, 0, 0);
  publish(producer);
  const addresses: number[] = [];
  let address = tryClaim(producer, PAYLOADS.reduce((sum, bytes) => sum + frameBytes(bytes), 0), mayUseRing);
  let position = producer.claimPosition;
  for (const [index, bytes] of PAYLOADS.entries()) {
    writeItemHeader(memory, address, position, bytes, 0, 1, 0, index + 1);
    addresses.push(address);
    address += frameBytes(bytes);
    position += frameBytes(bytes);
  }
  return addresses;
}

test.each([['ring', true], ['arena', false]])('nothing in its %s is taken for a frame that the last producer had accepted', (_area, mayUseRing) => {
  const memory = newMemory();
  const stamps = leaveUnpublished(memory, mayUseRing).map((address) => (address >>> 2) + FRAME_STAMP_WORD);
  expect(stamps.filter((word) => memory.words[word] === 0)).toEqual([]);
  recycleProducerMemory(memory);
  expect(stamps.filter((word) => memory.words[word] !== 0)).toEqual([]);
});
