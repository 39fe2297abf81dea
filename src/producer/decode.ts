import { Unpackr } from 'msgpackr/unpack';

/** What Encoder.encodePlain() has packed, as plain values, where it is to go on to something else than the ring. */
export function decodePlain(packed: Uint8Array): unknown {
  return new Unpackr({ useRecords: false, mapsAsObjects: true }).unpack(packed);
}
