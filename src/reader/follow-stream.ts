import type { FileHandle } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import { RolloutScanner, type ScannedRecord } from '../rollout/scan.js';
import type { Ordinal } from '../units.js';
import { FileChanges } from './file-changes.js';
import { isHeld, leasePath, placeOf } from './lease-holder.js';
import type { FileRange, RecordStream } from './record-stream.js';
import { openRollout, RolloutSource } from './rollout-source.js';

export interface FollowOptions extends Omit<FileRange, 'endOffset'> {
  readonly signal: AbortSignal | undefined;
}

/**
 * A file from its start, and then what is written to it, until nobody may write to it any more. A line that has been
 * begun is read again when there is more of it: its writer may have cut it off meanwhile. When another file takes the
 * name, that one is read on from the same ordinal. Takes no lease, and writes nothing.
 */
export class FollowStream implements RecordStream {
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #changes = new FileChanges();
  #file: FileHandle;
  #source: RolloutSource;
  #scanner: RolloutScanner;
  /** What the scanner was fed ends here. */
  #position: number;
  #last: ScannedRecord | undefined;
  #isEnded = false;

  constructor(path: string, file: FileHandle, options: FollowOptions) {
    this.#path = path;
    this.#options = options;
    this.#file = file;
    this.#position = options.startOffset ?? 0;
    this.#source = new RolloutSource(file, this.#position);
    this.#scanner = new RolloutScanner(options);
    this.#watch();
  }

  take(): ScannedRecord | undefined {
    if (!this.#isEnded) return this.#scanner.next();
    const last = this.#last;
    this.#last = undefined;
    return last;
  }

  async fill(): Promise<boolean> {
    while (!this.#isEnded) {
      const { count } = this.#changes;
      const chunk = await this.#source.next();
      if (chunk !== undefined) {
        this.#scanner.feed(chunk);
        this.#position += chunk.length;
        return true;
      }
      if (this.#options.signal?.aborted === true) return false;
      // Before the last look, so that what the holder wrote at the end is seen.
      const mayGrow = await isHeld(this.#path);
      if (await this.#goOn()) continue;
      this.#isEnded = !mayGrow;
      if (mayGrow) await this.#changes.since(count, this.#options.signal);
      else this.#last = this.#scanner.end();
    }
    return this.#last !== undefined;
  }

  async close(): Promise<void> {
    this.#changes.close();
    await this.#file.close();
  }

  /** False when there is nothing new. */
  async #goOn(): Promise<boolean> {
    const { size, ino, dev } = await this.#file.stat();
    if (size !== this.#position) {
      const lineStart = this.#scanner.rewind();
      if (size >= lineStart) {
        this.#position = lineStart;
        await this.#source.seek(lineStart);
      } else {
        await this.#readFromStart(this.#file);
      }
      return true;
    }
    const stats = await stat(this.#path).catch(() => undefined);
    if (stats === undefined || (stats.ino === ino && stats.dev === dev)) return false;
    const before = this.#file;
    await this.#readFromStart(await openRollout(this.#path));
    this.#watch();
    await before.close();
    return true;
  }

  async #readFromStart(file: FileHandle): Promise<void> {
    const { from, onDamage } = this.#options;
    const next = Math.max(this.#scanner.ordinalNext ?? 0, from ?? 0) as Ordinal;
    this.#scanner = new RolloutScanner({ from: next, onDamage });
    this.#position = 0;
    if (file === this.#file) await this.#source.seek(0);
    else this.#source = new RolloutSource(file);
    this.#file = file;
  }

  #watch(): void {
    this.#changes.unwatch();
    const place = placeOf(this.#path);
    this.#changes.watch(this.#path);
    if (place !== undefined) this.#changes.watch(leasePath(place.directory, place.id));
  }
}
