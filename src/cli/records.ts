/** The records of a thread as a person asked for them. */
import { openThread } from '../reader/read-thread.js';
import { checkReadOptions } from '../reader/options.js';
import { readRollout } from '../reader/read.js';
import { recordsOf } from '../reader/record-stream.js';
import type { ReadOptions, RolloutRecord } from '../types.js';
import type { FoundThread } from './find-thread.js';
import type { Terminal } from './terminal.js';
import { counted } from './text.js';
import { transcriptOf } from './transcript.js';

export interface Shown {
  /** Every record of the file, in place of the effective view. */
  readonly isRaw: boolean;
  readonly isJson: boolean;
}

/** Reads, prints, and counts what is damaged. */
export class Records {
  damaged = 0;
  readonly #found: FoundThread;
  readonly #shown: Shown;
  readonly #terminal: Terminal;

  constructor(found: FoundThread, shown: Shown, terminal: Terminal) {
    this.#found = found;
    this.#shown = shown;
    this.#terminal = terminal;
  }

  read(options: ReadOptions): AsyncGenerator<RolloutRecord, void, undefined> {
    const { path, thread } = this.#found;
    const checked = { ...options, signal: this.#terminal.signal, onDamage: () => { this.damaged += 1; } };
    if (thread === undefined || this.#shown.isRaw) return readRollout(path, checked);
    return recordsOf(() => checkReadOptions(checked), (all) => openThread(thread.directory, thread.id, all));
  }

  /** The last few, in their order. */
  async last(count: number, from?: number): Promise<RolloutRecord[]> {
    const records: RolloutRecord[] = [];
    for await (const record of this.read({ reverse: true, limit: count, from })) records.push(record);
    return records.reverse();
  }

  async print(record: RolloutRecord): Promise<void> {
    if (this.#shown.isJson) await this.#terminal.json(record);
    else for (const line of transcriptOf(record, this.#terminal)) await this.#terminal.line(line);
  }

  warnOfDamage(): void {
    if (this.damaged > 0) this.#terminal.warn(`${counted(this.damaged, 'damaged place')} stepped over in ${this.#found.path}: lastword verify says which`);
  }
}
