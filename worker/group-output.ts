import { addFigure, recordLatency, WRITE_HISTOGRAM } from '../src/ring/figures.js';
import { OUTPUT_BYTES, OUTPUT_OFFSET } from '../src/ring/layout.js';
import type { ProducerMemory, SidecarMemory } from '../src/ring/memory.js';
import { publishWritten } from '../src/ring/slots.js';
import { LastwordError } from '../src/errors.js';
import { LINE_BYTES_MAX } from '../src/rollout/scan.js';
import type { RolloutFile } from './rollout-file.js';
import type { Clock, FsOps } from './seams.js';
import { NO_ORDINAL, type Transcoder } from './transcode/transcoder.js';

interface OutputParts { readonly fs: FsOps; readonly clock: Clock; readonly sidecar: SidecarMemory }

/** The output area on its way to one file. */
export class GroupOutput {
  readonly descriptor: number;
  readonly #parts: OutputParts;
  readonly #memory: ProducerMemory;
  readonly #file: RolloutFile;
  #end = OUTPUT_OFFSET;
  /** Bytes of an unfinished line that stand in the file behind the last whole record. */
  #carried = 0;
  /** Whole records in the output, not yet written. */
  items = 0;
  /** Where the last of them ends. */
  #wholeEnd = OUTPUT_OFFSET;

  constructor(parts: OutputParts, memory: ProducerMemory, file: RolloutFile, descriptor: number) {
    this.#parts = parts;
    this.#memory = memory;
    this.#file = file;
    this.descriptor = descriptor;
  }

  line(transcoder: Transcoder, payloadOffset: number, payloadBytes: number, timestampMs: number, ordinal: number): void {
    const limit = OUTPUT_OFFSET + OUTPUT_BYTES;
    const stated = this.#file.isNumbered ? ordinal : NO_ORDINAL;
    this.#step(() => transcoder.line(payloadOffset, payloadBytes, timestampMs, stated, this.#end, limit));
    while (!transcoder.finished) {
      if (transcoder.lineBytes > LINE_BYTES_MAX) {
        this.#dropLine();
        throw new LastwordError('LASTWORD_WRITE_FAILED', `the line of ordinal ${ordinal} is longer than ${LINE_BYTES_MAX} bytes`);
      }
      this.write();
      this.#step(() => transcoder.resume(this.#end, limit));
    }
    this.items += 1;
    this.#wholeEnd = this.#end;
  }

  /** One step of the transcoder, which throws where the payload is none. */
  #step(transcode: () => number): void {
    try {
      this.#end = transcode();
    } catch (error) {
      this.#dropLine();
      throw error;
    }
  }

  /** The line cannot be written: the whole records before it are, and what stands of it in the file is cut off. */
  #dropLine(): void {
    this.#end = this.#wholeEnd;
    if (this.items > 0) this.write();
    else if (this.#carried > 0) this.#file.cutBack(this.#parts.fs, this.descriptor);
  }

  /** Writes what is there; then, and only then, says what is whole. */
  write(): void {
    const length = this.#end - OUTPUT_OFFSET;
    if (length === 0) return;
    const { fs, clock, sidecar } = this.#parts;
    const file = this.#file;
    const startUs = clock.monotonicUs();
    file.append(fs, this.descriptor, this.#memory.bytes, OUTPUT_OFFSET, length);
    const nowUs = clock.monotonicUs();
    recordLatency(sidecar.words, WRITE_HISTOGRAM, nowUs - startUs);
    const whole = this.items === 0 ? 0 : this.#carried + this.#wholeEnd - OUTPUT_OFFSET;
    this.#carried = this.items === 0 ? this.#carried + length : this.#end - this.#wholeEnd;
    if (whole > 0) {
      file.commit(whole, nowUs);
      file.written += this.items;
      publishWritten(sidecar, file.slot, file.written);
      addFigure(sidecar, 'itemsWritten', this.items);
      addFigure(sidecar, 'bytesWritten', whole);
      addFigure(sidecar, 'bytesUnsynced', whole);
    }
    this.items = 0;
    this.#end = OUTPUT_OFFSET;
    this.#wholeEnd = OUTPUT_OFFSET;
  }
}
