import { markedFrame, type MarkedFrame } from '../src/ring/mark.js';
import { Parking } from '../src/ring/parking.js';
import type { RingConsumer } from '../src/ring/ring-consumer.js';
import type { Transcoder } from './transcode/transcoder.js';

/** A producer's ring, with the transcoder over its memory. */
export interface WriterRing {
  /** 0: the thread of the sidecar itself. */
  readonly producer: number;
  readonly consumer: RingConsumer;
  readonly transcoder: Transcoder;
  readonly parking: Parking;
  /** What a writer that died was in. */
  readonly marked: MarkedFrame | undefined;
  /** Its head waits, because the parking area is full. */
  isStalled: boolean;
}

/** Finds in the memory what a writer that died has left there. */
export function createWriterRing(consumer: RingConsumer, transcoder: Transcoder, producer: number): WriterRing {
  const { memory } = consumer;
  return { producer, consumer, transcoder, parking: new Parking(memory), marked: markedFrame(memory), isStalled: false };
}
