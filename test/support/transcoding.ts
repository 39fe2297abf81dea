/** Encoder and transcoder over one memory, without ring or writer. */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { Encoder } from '../../src/producer/encode.js';
import { MIB, OUTPUT_BYTES, OUTPUT_OFFSET, RING_OFFSET, WRITER_SCRATCH_OFFSET } from '../../src/ring/layout.js';
import { createProducerWasmMemory } from '../../src/ring/memory.js';
import { Transcoder } from '../../worker/transcode/transcoder.js';

const WASM = new URL('../../dist/worker/transcode/transcoder.wasm', import.meta.url);
const TIME = Date.UTC(2026, 10, 21, 2, 35, 23, 58);
const ENVELOPE = '{"timestamp":"2026-11-21T02:35:23.058Z","ordinal":7,';

/** The bench of the transcoder's tests. */
export class Transcoding {
  readonly memory = createProducerWasmMemory(64 * MIB, 64 * MIB);
  readonly bytes = Buffer.from(this.memory.buffer);
  readonly encoder = new Encoder({ itemBytesMax: 60 * MIB, memory: this.memory.buffer });
  readonly transcoder = new Transcoder(new WebAssembly.Module(readFileSync(WASM)), this.memory, WRITER_SCRATCH_OFFSET);

  /** The payload of an item, copied to where the ring would hold it. */
  pack(item: object): Buffer {
    return this.place(this.encoder.encode(item));
  }

  place(payload: Uint8Array): Buffer {
    this.bytes.set(payload, RING_OFFSET);
    // What follows a payload in the ring is anybody's.
    this.bytes.fill(0x22, RING_OFFSET + payload.byteLength, RING_OFFSET + payload.byteLength + 64);
    return this.bytes.subarray(RING_OFFSET, RING_OFFSET + payload.byteLength);
  }

  /** The line of a payload at the ring's beginning, written into outputs of the given size one after the other. */
  line(payloadBytes: number, outputBytes = OUTPUT_BYTES): Buffer {
    const limit = OUTPUT_OFFSET + outputBytes;
    const pieces: Buffer[] = [];
    let end = this.transcoder.line(RING_OFFSET, payloadBytes, TIME, 7, OUTPUT_OFFSET, limit);
    for (;;) {
      if (end > limit) throw new Error(`the output ends at ${limit}, and ${end} was written`);
      pieces.push(Buffer.from(this.bytes.subarray(OUTPUT_OFFSET, end)));
      if (this.transcoder.finished) break;
      end = this.transcoder.resume(OUTPUT_OFFSET, limit);
    }
    const line = Buffer.concat(pieces);
    if (line.byteLength !== this.transcoder.lineBytes) throw new Error('lineBytes is not what was written');
    return line;
  }

  /** What stands between envelope and checksum, as the JSON of the item; throws where envelope, checksum or end are wrong. */
  json(payloadBytes: number, outputBytes?: number): string {
    const line = this.line(payloadBytes, outputBytes);
    const body = line.subarray(0, line.byteLength - 19);
    const expected = `,"crc":"${crc32(body).toString(16).padStart(8, '0')}"}\n`;
    const end = line.subarray(-19).toString();
    if (end !== expected) throw new Error(`the line ends in ${JSON.stringify(end)}, not in ${JSON.stringify(expected)}`);
    const text = body.toString();
    if (!text.startsWith(ENVELOPE)) throw new Error(`the line begins with ${text.slice(0, 60)}`);
    return `{${text.slice(ENVELOPE.length)}}`;
  }

  /** The JSON text of an item by way of msgpack. */
  through(item: object, outputBytes?: number): string {
    return this.json(this.pack(item).byteLength, outputBytes);
  }
}

/** What JSON.stringify writes, with the differences that every string has. */
export function expectedJson(item: unknown): string {
  return JSON.stringify(item)
    .replace(/\\u(d[89a-f][0-9a-f]{2})/g, (escaped, _digits, at: number, whole: string) => isEscaped(whole, at) ? escaped : '\ufffd')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}

/** Whether the backslash at a place is itself escaped. */
function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}
