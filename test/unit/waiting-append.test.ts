/** An item that waits for room, while somebody who is told of it appends another. */
import { describe, expect, test } from 'vitest';
import { unpack } from 'msgpackr';
import { Encoder } from '../../src/producer/encode.js';
import { ItemProducer } from '../../src/producer/item-producer.js';
import { markWriterExited, wakeProducer } from '../../src/ring/doorbell.js';
import { FRAME_BYTES_WORD, FRAME_HEADER_BYTES } from '../../src/ring/layout.js';
import { createProducerWasmMemory, createSidecarMemory, viewProducerMemory } from '../../src/ring/memory.js';
import { createBatch, createRingConsumer, hasPublished, release, walk } from '../../src/ring/ring-consumer.js';
import { SlotTable } from '../../src/slot-table.js';

const RING_BYTES = 64 << 10;
const OVERFLOW_BYTES = 64 << 10;

/** A producer that is full, and what drains it: the `name` of every item, in order. */
function full() {
  const memory = viewProducerMemory(createProducerWasmMemory(RING_BYTES, OVERFLOW_BYTES).buffer, RING_BYTES, OVERFLOW_BYTES);
  const sidecar = createSidecarMemory();
  const producer = new ItemProducer(memory, sidecar, new Encoder({ itemBytesMax: OVERFLOW_BYTES, memory: memory.buffer }), {
    itemBytesMax: OVERFLOW_BYTES, overflowBytes: OVERFLOW_BYTES, whenFull: 'wait', fullTimeoutMs: 1_000, depth: () => 2,
  });
  const { slot, incarnation } = new SlotTable(sidecar).take();
  const append = (name: string, bytes: number): number => producer.append(slot, incarnation, new Map([['name', name], ['text', name.slice(0, 1).repeat(bytes)]]));
  const consumer = createRingConsumer(memory);
  const batch = createBatch(1_000);
  const names: string[] = [];
  const drainSome = (): void => {
    walk(consumer, batch, RING_BYTES + OVERFLOW_BYTES / 2);
    for (const address of batch.addresses.subarray(0, batch.frames)) {
      const { name, text } = unpack(memory.bytes.slice(address + FRAME_HEADER_BYTES, address + FRAME_HEADER_BYTES + (memory.words[(address >>> 2) + FRAME_BYTES_WORD] ?? 0))) as { name: string; text: string };
      names.push(new Set(text).size === 1 && text.startsWith(name.slice(0, 1)) ? name : 'mixed up');
    }
    release(consumer, batch);
    wakeProducer(memory);
  };
  const drain = (): string[] => {
    while (hasPublished(consumer)) drainSome();
    return names;
  };
  while (OVERFLOW_BYTES - producer.used.overflow >= 12_000) append('filler', 10_000);
  // Whoever waits is told of it.
  markWriterExited(sidecar);
  return { append, drain, drainSome, producer };
}

describe('an item that waits for room', () => {
  test.each([
    ['in memory that is used again', 12_000],
    ['in memory of its own', 25_000],
  ])('is stored as it is, %s, whoever appends meanwhile', (_where, bytes) => {
    const { append, drain, drainSome, producer } = full();
    producer.onWriterGone = () => {
      producer.onWriterGone = undefined;
      // The overflow is not empty yet: what comes now goes there too.
      drainSome();
      append('inner', 12_000);
    };
    append('outer', bytes);
    expect(drain().slice(-2)).toEqual(['inner', 'outer']);
  });
});
