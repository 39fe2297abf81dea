import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { Encoder } from '../../src/producer/encode.js';
import { OUTPUT_BYTES, OUTPUT_OFFSET, PRODUCER_SCRATCH_OFFSET, RING_OFFSET, WRITER_SCRATCH_OFFSET } from '../../src/ring/layout.js';
import { createProducerWasmMemory } from '../../src/ring/memory.js';
import { Transcoder } from '../../worker/transcode/transcoder.js';

const MIB = 2 ** 20;
export const TIMESTAMP_MS = Date.parse('2026-11-21T02:35:23.058Z');
export const ITEM_BYTES_MAX = 4 * MIB;
const HEAD = '{"timestamp":"2026-11-21T02:35:23.058Z","ordinal":3,';

const module_ = new WebAssembly.Module(readFileSync(new URL('../../dist/worker/transcode/transcoder.wasm', import.meta.url)));

/** One producer's memory with what stands at both ends of it. */
export interface Rig {
  readonly bytes: Buffer<SharedArrayBuffer>;
  readonly memory: SharedArrayBuffer;
  readonly encoder: Encoder;
  readonly window: Buffer<SharedArrayBuffer>;
  readonly windowOffset: number;
  readonly writer: Transcoder;
  readonly reader: Transcoder;
}

export function createRig(itemBytesMax = ITEM_BYTES_MAX): Rig {
  const memory = createProducerWasmMemory(16 * MIB, 16 * MIB);
  const { buffer } = memory;
  return {
    bytes: Buffer.from(buffer),
    memory: buffer,
    encoder: new Encoder({ itemBytesMax, memory: buffer }),
    window: Buffer.from(buffer, RING_OFFSET, 8 * MIB),
    windowOffset: RING_OFFSET,
    writer: new Transcoder(module_, memory, WRITER_SCRATCH_OFFSET),
    reader: new Transcoder(module_, memory, PRODUCER_SCRATCH_OFFSET),
  };
}

/** Where the item's payload lies, and its bytes. */
export function encodeAt(rig: Rig, item: object, offset = 32): { offset: number; bytes: number } {
  const bytes = rig.encoder.encodeInto(item, rig.window, offset);
  if (bytes >= 0) return { offset: rig.windowOffset + offset, bytes };
  return put(rig, rig.encoder.spilled, offset);
}

export function put(rig: Rig, payload: Uint8Array, offset = 32): { offset: number; bytes: number } {
  rig.window.set(payload, offset);
  return { offset: rig.windowOffset + offset, bytes: payload.byteLength };
}

/** The line, transcoded into outputs of `areaBytes` each. */
export function transcode(rig: Rig, payload: { offset: number; bytes: number }, areaBytes = OUTPUT_BYTES, firstBytes = areaBytes): Buffer {
  const pieces: Buffer[] = [];
  const { writer } = rig;
  const take = (end: number): void => { pieces.push(Buffer.from(rig.bytes.subarray(OUTPUT_OFFSET, end))); };
  take(writer.line(payload.offset, payload.bytes, TIMESTAMP_MS, 3, OUTPUT_OFFSET, OUTPUT_OFFSET + firstBytes));
  while (!writer.finished) take(writer.resume(OUTPUT_OFFSET, OUTPUT_OFFSET + areaBytes));
  return Buffer.concat(pieces);
}

export function lineOf(rig: Rig, item: object): string {
  return transcode(rig, encodeAt(rig, item)).toString();
}

/** The line that belongs to the item's own members, as JSON text with its braces. */
export function lineAround(json: string): string {
  const members = json.slice(1, -1);
  // A line without members keeps the comma of its envelope out.
  const open = members === '' ? HEAD.slice(0, -1) : HEAD + members;
  return `${open},"crc":"${crc32(open).toString(16).padStart(8, '0')}"}\n`;
}

/** What JSON.stringify writes, with the differences that docs/format.md lists for strings. */
export function jsonOf(item: object): string {
  return escapedAsOurs(JSON.stringify(item));
}

export function escapedAsOurs(json: string): string {
  return json
    .replace(/\\\\|\\ud[89a-f][0-9a-f]{2}/g, (found) => (found === '\\\\' ? found : '\ufffd'))
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}

export function expectedLine(item: object): string {
  return lineAround(jsonOf(item));
}
