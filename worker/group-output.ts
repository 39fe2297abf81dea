import type { SetAsideReason, WriterEvent } from '../src/control/protocol.js';
import { addFigure, recordLatency, WRITE_HISTOGRAM } from '../src/ring/figures.js';
import { FRAME_HEADER_BYTES, OUTPUT_BYTES, OUTPUT_OFFSET } from '../src/ring/layout.js';
import { clearMark, markFrame, timesBegun } from '../src/ring/mark.js';
import type { ProducerMemory, SidecarMemory } from '../src/ring/memory.js';
import { publishWritten } from '../src/ring/slots.js';
import { LINE_BYTES_MAX } from '../src/rollout/scan.js';
import type { RolloutFile } from './rollout-file.js';
import type { SalvageParts } from './salvage.js';
import { setAside, type UnwritableFrame } from './set-aside.js';
import { isNotTranscoded, NO_ORDINAL } from './transcode/transcoder.js';
import type { WriterRing } from './writer-ring.js';

/** Writers that die of a frame, before it is given up. */
const DEATHS_MAX = 2;

interface OutputParts extends SalvageParts { readonly sidecar: SidecarMemory; readonly tell: (event: WriterEvent) => void }

/** The output area on its way to one file. */
export class GroupOutput {
  readonly descriptor: number;
  readonly #parts: OutputParts;
  readonly #ring: WriterRing;
  readonly #memory: ProducerMemory;
  readonly #file: RolloutFile;
  #end = OUTPUT_OFFSET;
  /** Bytes of an unfinished line that stand in the file behind the last whole record. */
  #carried = 0;
  /** Whole records in the output, not yet written. */
  items = 0;
  /** Where the last of them ends. */
  #wholeEnd = OUTPUT_OFFSET;

  constructor(parts: OutputParts, ring: WriterRing, file: RolloutFile, descriptor: number) {
    this.#parts = parts;
    this.#ring = ring;
    this.#memory = ring.consumer.memory;
    this.#file = file;
    this.descriptor = descriptor;
  }

  /** The line of a frame, or of what takes its place. */
  line(payloadOffset: number, payloadBytes: number, timestampMs: number, ordinal: number): void {
    const { marked, transcoder } = this.#ring;
    const address = payloadOffset - FRAME_HEADER_BYTES;
    const begun = timesBegun(this.#memory, address, marked);
    if (begun >= DEATHS_MAX) {
      this.#setAside({ payloadOffset, payloadBytes, timestampMs, ordinal }, 'writer died');
      return;
    }
    const limit = OUTPUT_OFFSET + OUTPUT_BYTES;
    const stated = this.#file.isNumbered ? ordinal : NO_ORDINAL;
    markFrame(this.#memory, address, begun + 1);
    try {
      this.#end = transcoder.line(payloadOffset, payloadBytes, timestampMs, stated, this.#end, limit);
      while (!transcoder.finished && transcoder.lineBytes <= LINE_BYTES_MAX) {
        clearMark(this.#memory);
        this.write();
        markFrame(this.#memory, address, begun + 1);
        this.#end = transcoder.resume(this.#end, limit);
      }
    } catch (error) {
      if (!isNotTranscoded(error)) throw error;
      this.#setAside({ payloadOffset, payloadBytes, timestampMs, ordinal }, 'not transcoded');
      return;
    }
    clearMark(this.#memory);
    if (transcoder.finished) {
      this.items += 1;
      this.#wholeEnd = this.#end;
    } else this.#setAside({ payloadOffset, payloadBytes, timestampMs, ordinal }, 'line too long');
  }

  /** The frame stays marked until its record is in the file. */
  #setAside(frame: UnwritableFrame, reason: SetAsideReason): void {
    this.#dropLine();
    markFrame(this.#memory, frame.payloadOffset - FRAME_HEADER_BYTES, DEATHS_MAX);
    const { fs, tell } = this.#parts;
    const { slot, incarnation } = this.#file;
    const { path, line } = setAside(this.#parts, this.#memory, this.#file, frame, reason);
    try {
      this.#memory.bytes.set(line, this.#end);
      this.#end += line.byteLength;
      this.items = 1;
      this.#wholeEnd = this.#end;
      this.write();
    } catch (error) {
      // It is tried again, with another file.
      fs.unlink(path);
      throw error;
    }
    clearMark(this.#memory);
    tell({ event: 'recordSetAside', slot, incarnation, ordinal: frame.ordinal, reason, path });
  }

  /** The line cannot be written: the whole records before it are, and what stands of it in the file is cut off. */
  #dropLine(): void {
    this.#end = this.#wholeEnd;
    if (this.items > 0) this.write();
    else if (this.#carried > 0) this.#file.cutBack(this.#parts.fs, this.descriptor);
    this.#carried = 0;
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
      addFigure(sidecar, 'bytesWritten', whole);
      addFigure(sidecar, 'bytesUnsynced', whole);
    }
    this.items = 0;
    this.#end = OUTPUT_OFFSET;
    this.#wholeEnd = OUTPUT_OFFSET;
  }
}
