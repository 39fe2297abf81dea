/**
 * A file from its end. Read in blocks, each of them forward, since only then a line says what it is; a block reaches to
 * the end of the first whole record of the one behind it, so that every damage is seen between its neighbours, and
 * counted with the block in front.
 */
import type { FileHandle } from 'node:fs/promises';
import { RolloutScanner, type ScannedRecord } from '../rollout/scan.js';
import type { Damage } from '../types.js';
import type { Ordinal } from '../units.js';
import type { FileRange, RecordStream } from './record-stream.js';
import { RolloutSource } from './rollout-source.js';

const NEWLINE = 0x0a;
const BLOCK_BYTES = 256 << 10;

interface Entry { readonly scanned: ScannedRecord | undefined; readonly damage: Damage | undefined }

/** A place where a scan can begin. */
interface Checkpoint { readonly offset: number; readonly base: Ordinal | undefined }

/** Owns the file. `size`: where to begin. */
export class BackwardStream implements RecordStream {
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #from: number;
  readonly #onDamage: (damage: Damage) => void;
  #source: RolloutSource | undefined;
  /** What the block has left, in the order of the file. */
  #entries: Entry[] = [];
  /** The first whole record of the last block, which the block in front of it ends with. */
  #behind: ScannedRecord | undefined;
  readonly #leastBlockBytes: number;
  #blockBytes: number;
  /** Once a record without ordinal was met: only counting from the start tells what number it has. */
  #checkpoints: Checkpoint[] | undefined;
  #isEnded = false;

  constructor(file: FileHandle, size: number, { from, onDamage }: Pick<FileRange, 'from' | 'onDamage'>, blockBytes = BLOCK_BYTES) {
    this.#file = file;
    this.#leastBlockBytes = blockBytes;
    this.#blockBytes = blockBytes;
    this.#size = size;
    this.#from = from ?? 0;
    this.#onDamage = onDamage ?? (() => undefined);
    this.#isEnded = size === 0;
  }

  take(): ScannedRecord | undefined {
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      if (entry.damage !== undefined) this.#onDamage(entry.damage);
      if (entry.scanned === undefined) continue;
      if (entry.scanned.record.ordinal >= this.#from) return entry.scanned;
      this.#isEnded = true;
      this.#entries = [];
    }
    return undefined;
  }

  async fill(): Promise<boolean> {
    while (!this.#isEnded && this.#entries.length === 0) await this.#readBlock();
    return this.#entries.length > 0;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #readBlock(): Promise<void> {
    const start = this.#startOfBlock();
    const { entries, hasDropped } = await this.#scanBlock(start);
    if (this.#checkpoints === undefined && start.offset > 0 && entries.some(({ scanned }) => scanned?.isNumbered === false)) {
      this.#checkpoints = await this.#count();
      return;
    }
    if (this.#behind !== undefined && entries.at(-1)?.scanned?.offset === this.#behind.offset) entries.pop();
    const place = entries.findIndex(({ scanned }) => scanned !== undefined);
    this.#isEnded = start.offset === 0 && !hasDropped;
    if (this.#isEnded) {
      this.#entries = entries;
    } else if (place >= 0) {
      this.#entries = entries.slice(place);
      this.#behind = entries[place]?.scanned;
      this.#blockBytes = this.#leastBlockBytes;
    } else {
      // Nothing whole in it: a longer line, or damage, which is told apart only from further in front.
      this.#blockBytes *= 2;
      this.#checkpoints?.pop();
    }
  }

  #startOfBlock(): Checkpoint {
    const end = this.#behind?.offset ?? this.#size;
    const known = this.#checkpoints?.findLast(({ offset }) => offset < end);
    return known ?? { offset: Math.max(0, end - this.#blockBytes), base: undefined };
  }

  /** What stands behind `start`, the newest of it where that is more than a block. */
  async #scanBlock({ offset, base }: Checkpoint): Promise<Window> {
    const end = this.#behind === undefined ? this.#size : this.#behind.offset + this.#behind.bytes;
    const source = await this.#sourceOf(offset, end);
    const isAtLine = offset === 0 || base !== undefined;
    const first = isAtLine ? { chunk: await source.next(), startOffset: offset } : await skipLine(source, offset);
    const window = new Window(this.#leastBlockBytes);
    const scanner = new RolloutScanner({ startOffset: first.startOffset, base, onDamage: (damage) => { window.addDamage(damage); } });
    for (let { chunk } = first; chunk !== undefined; chunk = await source.next()) {
      scanner.feed(chunk);
      for (let scanned = scanner.next(); scanned !== undefined; scanned = scanner.next()) window.addRecord(scanned);
    }
    const last = scanner.end();
    if (last !== undefined) window.addRecord(last);
    return window;
  }

  async #sourceOf(start: number, end: number): Promise<RolloutSource> {
    await this.#source?.seek(start, end);
    return this.#source ??= new RolloutSource(this.#file, start, end);
  }

  /** Places in front of which everything is counted, a block apart. */
  async #count(): Promise<Checkpoint[]> {
    const source = await this.#sourceOf(0, this.#size);
    const scanner = new RolloutScanner({ from: Number.MAX_SAFE_INTEGER as Ordinal });
    const checkpoints: Checkpoint[] = [{ offset: 0, base: undefined }];
    for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) {
      scanner.feed(chunk);
      while (scanner.next() !== undefined) continue;
      const { wholeEnd, ordinalNext } = scanner;
      if (wholeEnd - (checkpoints.at(-1)?.offset ?? 0) >= this.#leastBlockBytes) checkpoints.push({ offset: wholeEnd, base: ordinalNext });
    }
    return checkpoints;
  }
}

/** The newest records of a scan, `bytesMin` of them where there are as many, and two: the one that the block ends with may be among them. */
class Window {
  readonly entries: Entry[] = [];
  hasDropped = false;
  readonly #bytesMin: number;
  #bytes = 0;
  #records = 0;

  constructor(bytesMin: number) {
    this.#bytesMin = bytesMin;
  }

  addDamage(damage: Damage): void {
    this.entries.push({ scanned: undefined, damage });
  }

  addRecord(scanned: ScannedRecord): void {
    this.entries.push({ scanned, damage: undefined });
    this.#bytes += scanned.bytes;
    this.#records += 1;
    // Half of it goes at once, so that a long scan costs no more than its records.
    if (this.#bytes >= 2 * this.#bytesMin) this.#drop();
  }

  #drop(): void {
    let dropped = 0;
    for (; this.#bytes > this.#bytesMin && this.#records > 2; dropped += 1) {
      const record = this.entries[dropped]?.scanned;
      if (record === undefined) continue;
      this.#bytes -= record.bytes;
      this.#records -= 1;
    }
    this.entries.splice(0, dropped);
    this.hasDropped ||= dropped > 0;
  }
}

/** Reads on to the first line that begins behind `offset`. */
async function skipLine(source: RolloutSource, offset: number): Promise<{ chunk: Buffer | undefined; startOffset: number }> {
  let startOffset = offset;
  for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) {
    const newline = chunk.indexOf(NEWLINE);
    if (newline >= 0) return { chunk: chunk.subarray(newline + 1), startOffset: startOffset + newline + 1 };
    startOffset += chunk.length;
  }
  return { chunk: undefined, startOffset };
}
