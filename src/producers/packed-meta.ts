/** Metadata on its way between JavaScript threads: whatever the host put in, a port carries it. */
import { decodePlain } from '../producer/decode.js';
import type { ItemProducer } from '../producer/item-producer.js';

/** @throws LASTWORD_ITEM_INVALID, LASTWORD_ITEM_TOO_LARGE */
export function packMeta(producer: ItemProducer, payload: Readonly<Record<string, unknown>>): Uint8Array {
  return producer.encode({ type: 'session_meta', payload });
}

export function unpackMeta(packed: Uint8Array): Record<string, unknown> {
  const { payload } = decodePlain(packed) as { payload: Record<string, unknown> };
  return payload;
}
