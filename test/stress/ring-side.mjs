/**
 * One side of the ring on a thread of its own, as `workerData.side` says: the built code, plain JavaScript. Both sides
 * draw the items from one seed, so that the consumer knows every byte that must come.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  parks, park, producerGeneration, ringDoorbell, sleepProducer, syncRequests, unpark, wakeProducer, wakeWriter, writerGeneration,
} from '../../dist/src/ring/doorbell.js';
import { frameBytes, writeItemHeader } from '../../dist/src/ring/frame.js';
import { COUNT_MAX, FRAME_BYTES_WORD, FRAME_COUNT_WORD, FRAME_HEADER_BYTES, FRAME_INCARNATION_WORD, FRAME_KIND_WORD, FRAME_ITEM } from '../../dist/src/ring/layout.js';
import { viewProducerMemory, viewSidecarMemory } from '../../dist/src/ring/memory.js';
import { createBatch, createRingConsumer, release, walk } from '../../dist/src/ring/ring-consumer.js';
import { FULL, createRingProducer, publish, tryClaim } from '../../dist/src/ring/ring-producer.js';
import { publishWritten, seal, sealWordOf, tryAccept, writtenOf } from '../../dist/src/ring/slots.js';

const SLOT = 3;
const WAIT_MAX_MS = 30_000;
const { side, buffer, sidecarBuffer, ringBytes, overflowBytes, incarnation, frames, seed } = workerData;
const memory = viewProducerMemory(buffer, ringBytes, overflowBytes);
const sidecar = viewSidecarMemory(sidecarBuffer);
const draw = drawer(seed);

// A sleep on shared memory keeps no thread alive; the port does.
parentPort.on('message', () => undefined);
parentPort.postMessage(side === 'producer' ? produce() : await consume());
parentPort.close();

function produce() {
  const producer = createRingProducer(memory, overflowBytes);
  const seen = { sleeps: 0, ringBytesPassed: 0, arenaFrames: 0 };
  for (let count = 0; count < frames; count += 1) {
    const payloadBytes = lengthOf();
    const bytes = frameBytes(payloadBytes);
    const before = producer.tail;
    const address = claim(producer, bytes, seen);
    fill(address + FRAME_HEADER_BYTES, payloadBytes, count);
    writeItemHeader(memory, address, producer.claimPosition, payloadBytes, SLOT, incarnation, count, count);
    if (!tryAccept(sidecar, SLOT, count, 1)) throw new Error(`frame ${count} was refused`);
    publish(producer);
    ringDoorbell(sidecar);
    seen.ringBytesPassed += (producer.tail - before) | 0;
    if (producer.isClaimInArena) seen.arenaFrames += 1;
    // Now and then everything is waited for, so that the consumer runs dry and parks.
    if (draw(1_000) === 0) waitUntilWritten(count + 1, seen);
  }
  const accepted = seal(sidecar, SLOT);
  wakeWriter(sidecar);
  waitUntilWritten(frames, seen);
  return { ...seen, accepted };
}

function claim(producer, bytes, seen) {
  for (;;) {
    const generation = producerGeneration(memory);
    const address = tryClaim(producer, bytes, true);
    if (address !== FULL) return address;
    wakeWriter(sidecar);
    sleep(generation, seen);
  }
}

function waitUntilWritten(count, seen) {
  for (;;) {
    const generation = producerGeneration(memory);
    if (writtenOf(sidecar, SLOT) >= count) return;
    sleep(generation, seen);
  }
}

/** A sleep that nobody ends is a wake-up lost, not a slow machine. */
function sleep(generation, seen) {
  seen.sleeps += 1;
  const start = performance.now();
  sleepProducer(memory, generation, WAIT_MAX_MS);
  if (performance.now() - start >= WAIT_MAX_MS) throw new Error('nobody woke the producer');
}

async function consume() {
  const consumer = createRingConsumer(memory);
  const batch = createBatch(512);
  let received = 0;
  for (;;) {
    const generation = writerGeneration(sidecar);
    const syncs = syncRequests(sidecar);
    walk(consumer, batch, ringBytes);
    for (let i = 0; i < batch.frames; i += 1) {
      check(batch.addresses[i], received);
      received += 1;
    }
    if (batch.head !== consumer.head || batch.arenaHead !== consumer.arenaHead) {
      publishWritten(sidecar, SLOT, received);
      release(consumer, batch);
      wakeProducer(memory);
      continue;
    }
    const word = sealWordOf(sidecar, SLOT);
    if (word < 0 && (word & COUNT_MAX) === received) return { received, parks: parks(sidecar) };
    const wait = park(sidecar, [consumer], generation, syncs);
    if (wait === undefined) continue;
    if (wait.async) await wait.value;
    unpark(sidecar);
  }
}

function check(address, count) {
  const word = address >>> 2;
  const payloadBytes = lengthOf();
  demand('kind', memory.words[word + FRAME_KIND_WORD], FRAME_ITEM, count);
  demand('count', memory.words[word + FRAME_COUNT_WORD], count, count);
  demand('incarnation', memory.words[word + FRAME_INCARNATION_WORD], incarnation, count);
  demand('length', memory.words[word + FRAME_BYTES_WORD], payloadBytes, count);
  const from = address + FRAME_HEADER_BYTES;
  for (let i = 0; i < payloadBytes; i += 1) {
    if (memory.bytes[from + i] !== byteOf(count, i)) demand(`byte ${i}`, memory.bytes[from + i], byteOf(count, i), count);
  }
  // The producer draws once more after each frame.
  draw(1_000);
}

function demand(what, actual, expected, count) {
  if (actual !== expected) throw new Error(`frame ${count}: ${what} is ${actual}, not ${expected}`);
}

/** Mostly small, some that fill a good part of the ring, a few that only the overflow takes. */
function lengthOf() {
  const kind = draw(1_000);
  if (kind < 3) return ringBytes / 4 + draw(overflowBytes / 2);
  return kind < 20 ? draw(ringBytes / 4 - FRAME_HEADER_BYTES) : draw(400);
}

function fill(from, bytes, count) {
  for (let i = 0; i < bytes; i += 1) memory.bytes[from + i] = byteOf(count, i);
}

function byteOf(count, i) {
  return (Math.imul(count, 31) + Math.imul(i, 7) + (i >>> 8)) & 0xff;
}

/** Integers below a bound; the same from the same seed. */
function drawer(start) {
  let state = start >>> 0;
  return (bound) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}
