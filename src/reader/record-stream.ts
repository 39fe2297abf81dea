import type { FileHandle } from 'node:fs/promises';
import { RolloutScanner, type ScannedRecord, type ScanOptions } from '../rollout/scan.js';
import type { RolloutRecord } from '../types.js';
import type { CheckedReadOptions } from './options.js';
import { RolloutSource } from './rollout-source.js';

/** Records in some order, pulled without a promise for each. */
export interface RecordStream {
  /** The next one of those that were read, or undefined when more must be. */
  take(): ScannedRecord | undefined;
  /** Reads more. False when there is nothing more. */
  fill(): Promise<boolean>;
  /** Also before the end. */
  close(): Promise<void>;
}

/**
 * Checks and opens with the first next(), and closes when the loop is left, so that every failure is a rejection of
 * next(). @throws what check() and open() throw, the signal's reason unless it follows
 */
export async function* recordsOf(check: () => CheckedReadOptions, open: (options: CheckedReadOptions) => Promise<RecordStream>): AsyncGenerator<RolloutRecord, void, undefined> {
  const options = check();
  const { limit, signal, follow } = options;
  // An abort is how following ends, and for every other read a failure.
  const isOver = (): boolean => {
    if (!follow) signal?.throwIfAborted();
    return signal?.aborted === true;
  };
  if (isOver()) return;
  const stream = await open(options);
  try {
    for (let left = limit; left > 0 && await stream.fill();) {
      if (isOver()) return;
      for (let taken = stream.take(); taken !== undefined; taken = stream.take()) {
        yield taken.record;
        left -= 1;
        if (left === 0 || isOver()) return;
      }
    }
  } finally {
    await stream.close();
  }
}

/** What part of a file is read. */
export interface FileRange extends Omit<ScanOptions, 'lineBytesMax'> {
  /** Where to end; left out: at the end that the file has when the reader comes there. */
  readonly endOffset?: number | undefined;
}

/** A file from its start, in bounded memory. What `endOffset` cuts off is neither a record nor damage. Owns the file. */
export class ForwardStream implements RecordStream {
  readonly #file: FileHandle;
  readonly #source: RolloutSource;
  readonly #scanner: RolloutScanner;
  readonly #endOffset: number | undefined;
  #last: ScannedRecord | undefined;
  #isEnded = false;

  constructor(file: FileHandle, { endOffset, ...options }: FileRange) {
    this.#file = file;
    this.#endOffset = endOffset;
    this.#source = new RolloutSource(file, options.startOffset, endOffset);
    this.#scanner = new RolloutScanner(options);
  }

  take(): ScannedRecord | undefined {
    if (!this.#isEnded) return this.#scanner.next();
    const last = this.#last;
    this.#last = undefined;
    return last;
  }

  async fill(): Promise<boolean> {
    if (this.#isEnded) return false;
    const chunk = await this.#source.next();
    if (chunk !== undefined) this.#scanner.feed(chunk);
    else if (this.#endOffset === undefined || (await this.#file.stat()).size <= this.#endOffset) this.#last = this.#scanner.end();
    this.#isEnded = chunk === undefined;
    return chunk !== undefined || this.#last !== undefined;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
