import { crc32 } from 'node:zlib';
import { DEFINITIONS_OFFSET } from '../../src/ring/layout.js';

interface Exports {
  init(scratch: number, definitions: number): void;
  initWriter(): void;
  levels(payload: number, bytes: number): number;
  line(payload: number, bytes: number, timestampMs: number, ordinal: number, out: number, outEnd: number): number;
  resume(out: number, outEnd: number): number;
}

/** What the module asks of its host: texts that JavaScript makes, and zlib's checksum for long lines. */
class Host {
  readonly #bytes: Buffer;
  #digits = '';

  constructor(memory: WebAssembly.Memory) {
    this.#bytes = Buffer.from(memory.buffer);
  }

  readonly imports = {
    double: (value: number, to: number): number => this.#bytes.write(String(value), to >>> 0, 'latin1'),
    bigint: (from: number, bytes: number): void => { this.#digits = bigintAt(this.#bytes.subarray(from >>> 0, (from >>> 0) + bytes)); },
    /** Bytes written; their complement while more are to come. */
    bigintPiece: (to: number, room: number): number => {
      const piece = this.#digits.slice(0, room);
      this.#digits = this.#digits.slice(piece.length);
      this.#bytes.write(piece, to >>> 0, 'latin1');
      return this.#digits === '' ? piece.length : ~piece.length;
    },
    crc32: (from: number, bytes: number, crc: number): number => crc32(this.#bytes.subarray(from >>> 0, (from >>> 0) + bytes), crc >>> 0),
  };
}

/** Decimal digits of a big-endian integer in two's complement. */
function bigintAt(bytes: Buffer): string {
  if (bytes.byteLength === 0) return '0';
  return BigInt.asIntN(bytes.byteLength * 8, BigInt(`0x${bytes.toString('hex')}`)).toString();
}

/** Payload, its bytes, timestamp, ordinal. */
type Pending = [number, number, number, number];

/** Least output that a line can begin in. */
const STEP_BYTES = 96;

/** msgpack to JSON lines over one shared memory. Every method ends where it began to write, or throws: the payload is none. */
export class Transcoder {
  readonly #wasm: Exports;
  #isWriter = false;
  #finished = true;
  #lineBytes = 0;
  /** A line whose envelope did not fit: it begins with the next output. */
  #pending: Pending | undefined;

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, scratchOffset: number) {
    const host = new Host(memory);
    const instance = new WebAssembly.Instance(module, { env: { memory }, host: host.imports });
    this.#wasm = instance.exports as unknown as Exports;
    this.#wasm.init(scratchOffset, DEFINITIONS_OFFSET);
  }

  /** Whether the line is whole. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Bytes of the line so far. */
  get lineBytes(): number {
    return this.#lineBytes;
  }

  /** Begins a line and writes as much of it as fits. Returns the end. */
  line(payloadOffset: number, payloadBytes: number, timestampMs: number, ordinal: number, out: number, outEnd: number): number {
    if (!this.#isWriter) {
      this.#wasm.initWriter();
      this.#isWriter = true;
    }
    this.#lineBytes = 0;
    if (outEnd - out < STEP_BYTES) {
      this.#pending = [payloadOffset, payloadBytes, timestampMs, ordinal];
      this.#finished = false;
      return out;
    }
    return this.#took(this.#wasm.line(payloadOffset, payloadBytes, timestampMs, ordinal, out, outEnd), out);
  }

  /** Goes on with the unfinished line. */
  resume(out: number, outEnd: number): number {
    if (this.#pending !== undefined) {
      const [payloadOffset, payloadBytes, timestampMs, ordinal] = this.#pending;
      this.#pending = undefined;
      return this.line(payloadOffset, payloadBytes, timestampMs, ordinal, out, outEnd);
    }
    return this.#took(this.#wasm.resume(out, outEnd), out);
  }

  /** Levels of nested containers; an item without any inside is one. */
  depth(payloadOffset: number, payloadBytes: number): number {
    const levels = this.#wasm.levels(payloadOffset, payloadBytes);
    if (levels < 0) throw new Error('the payload is no msgpack');
    return levels;
  }

  #took(result: number, out: number): number {
    if (result === 0) {
      this.#finished = true;
      throw new Error('the payload is no msgpack');
    }
    this.#finished = result > 0;
    const end = Math.abs(result);
    this.#lineBytes += end - out;
    return end;
  }
}
