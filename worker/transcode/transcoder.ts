import { crc32 } from 'node:zlib';
import { DEFINITIONS_OFFSET, WRITER_SCRATCH_OFFSET } from '../../src/ring/layout.js';

interface Exports {
  init(scratchOffset: number, definitionsOffset: number, isWriter: boolean): void;
  levels(payloadOffset: number, payloadBytes: number): number;
  line(payloadOffset: number, payloadBytes: number, timestampMs: number, ordinal: number, out: number, outEnd: number): number;
  resume(out: number, outEnd: number): number;
}

/** In place of an ordinal: the line has none, as in files of Codex from before it numbered records. */
export const NO_ORDINAL = -1;

/**
 * msgpack to JSON lines over one shared memory; the work is done in WebAssembly. Output is bounded: a line stops at the end
 * of its output, at any byte, and goes on in the next one. Vector stores may run OUTPUT_SLACK_BYTES past that end.
 * A payload that is no msgpack of an object ends in an error, after which the next line is as good as any.
 */
export class Transcoder {
  readonly #wasm: Exports;
  #isFinished = true;
  #lineBytes = 0;

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, scratchOffset: number) {
    const instance = new WebAssembly.Instance(module, { env: { memory }, host: createHost(memory) });
    this.#wasm = instance.exports as unknown as Exports;
    this.#wasm.init(scratchOffset, DEFINITIONS_OFFSET, scratchOffset === WRITER_SCRATCH_OFFSET);
  }

  /** Whether the line is whole. */
  get finished(): boolean {
    return this.#isFinished;
  }

  /** Bytes of the line so far. */
  get lineBytes(): number {
    return this.#lineBytes;
  }

  /**
   * Begins a line and writes as much of it as fits. Returns the end of what is written.
   * @throws an Error when the payload is none: a bug
   */
  line(payloadOffset: number, payloadBytes: number, timestampMs: number, ordinal: number, out: number, outEnd: number): number {
    this.#lineBytes = 0;
    return this.#took(this.#wasm.line(payloadOffset, payloadBytes, timestampMs, ordinal, out, outEnd), out);
  }

  /** Goes on with the unfinished line. */
  resume(out: number, outEnd: number): number {
    if (this.#isFinished) throw new Error('no line is unfinished');
    return this.#took(this.#wasm.resume(out, outEnd), out);
  }

  /**
   * Levels of nesting: the item is one, and so is each object, array, Map, Set, Error and RegExp inside another.
   * @throws an Error when the payload is none: a bug
   */
  depth(payloadOffset: number, payloadBytes: number): number {
    const levels = this.#wasm.levels(payloadOffset, payloadBytes);
    if (levels < 0) throw notMsgpack();
    return levels;
  }

  #took(result: number, out: number): number {
    if (result > 0) {
      this.#isFinished = true;
      this.#lineBytes += result - out;
      return result;
    }
    this.#isFinished = result === 0;
    if (result === 0) throw notMsgpack();
    this.#lineBytes -= result + out;
    return -result;
  }
}

/** No line can be made of the payload. */
class NotTranscoded extends Error {}

function notMsgpack(): Error {
  return new NotTranscoded('the payload is no msgpack');
}

/** Whether the transcoder threw it, or the module it runs trapped. */
export function isNotTranscoded(error: unknown): boolean {
  return error instanceof NotTranscoded || error instanceof WebAssembly.RuntimeError;
}

/** What the module asks of JavaScript: texts that only it can make fast enough, and zlib's checksum for long lines. */
function createHost(memory: WebAssembly.Memory): Record<string, (...numbers: number[]) => number> {
  const bytes = Buffer.from(memory.buffer);
  let digits = '';
  const at = (from: number, length: number): Buffer => bytes.subarray(from >>> 0, (from >>> 0) + length);
  return {
    double: (value = 0, to = 0) => bytes.write(String(value), to >>> 0, 'latin1'),
    bigint: (from = 0, length = 0) => {
      digits = digitsOf(at(from, length));
      return digits.length;
    },
    digits: (from = 0, count = 0, to = 0) => bytes.write(digits.slice(from, from + count), to >>> 0, 'latin1'),
    crc32: (from = 0, length = 0, crc = 0) => crc32(at(from, length), crc >>> 0),
  };
}

/** Decimal digits of a big-endian integer in two's complement. */
function digitsOf(bytes: Buffer): string {
  if (bytes.byteLength === 0) return '0';
  return BigInt.asIntN(bytes.byteLength * 8, BigInt(`0x${bytes.toString('hex')}`)).toString();
}
