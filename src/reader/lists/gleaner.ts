import { patchedMeta, RESERVED_META } from '../../lifecycle/markers.js';
import { decodeLine, verifyChecksum, type DecodedLine } from '../../rollout/envelope.js';
import { userMessageIn } from './user-message.js';

type Members = Readonly<Record<string, unknown>>;

const NEWLINE = 0x0a;
/** As long as a header may be, which later ones repeat. */
const LINE_BYTES_MAX = 16 << 20;
/** Changes of metadata that a rollback can still take back. */
const CHANGES_MAX = 256;
const PREVIEW_LENGTH = 200;
/** In lines that change metadata. */
const OF_METADATA = ['"session_meta"', '"thread_rolled_back"'] as const;
/** In lines in which a user may speak. */
const OF_USERS = ['"user_message"', '"UserMessage"', '"user"'] as const;

/**
 * Finds the few lines that say what a thread is called and how it began, among all the others: by what they must contain,
 * five searches over the bytes in place of a parse of every line.
 */
export class Gleaner {
  /** As the header has it; undefined where it has none. */
  readonly #id: unknown;
  #settled: Members;
  /** Changes on top of that, in order. */
  #changes: { readonly ordinal: number; readonly members: Members }[] = [];
  #preview: string | undefined;
  #sought: readonly string[] = [...OF_METADATA, ...OF_USERS];
  /** The line that the bytes so far end in. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #isPassedOver = false;

  constructor(header: Members) {
    this.#id = header['id'];
    this.#settled = withoutReserved(header);
  }

  /** Bytes that follow those before. They are not kept. */
  feed(bytes: Buffer): void {
    let start = 0;
    if (this.#begunBytes > 0 || this.#isPassedOver) {
      const end = bytes.indexOf(NEWLINE);
      this.#begin(end < 0 ? bytes : bytes.subarray(0, end));
      if (end < 0) return;
      this.end();
      start = end + 1;
    }
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > start) this.#look(bytes.subarray(start, end));
    if (Math.max(start, end) < bytes.length) this.#begin(bytes.subarray(Math.max(start, end)));
  }

  /** What follows begins anywhere: nobody knows which user spoke first before it. */
  jump(): void {
    this.end();
    this.#isPassedOver = true;
    this.#sought = OF_METADATA;
  }

  /** What was fed ends with a line, its newline there or not. */
  end(): void {
    if (!this.#isPassedOver && this.#begunBytes > 0) this.#look(Buffer.concat(this.#begun));
    this.#begun = [];
    this.#begunBytes = 0;
    this.#isPassedOver = false;
  }

  /** The first user's message, at most 200 characters of it. */
  get preview(): string | undefined {
    return this.#preview;
  }

  /** What header and later changes have set, as far as they were seen. */
  get meta(): Record<string, unknown> {
    return this.#changes.reduce<Record<string, unknown>>((meta, { members }) => patchedMeta(meta, members), patchedMeta(this.#settled, {}));
  }

  #begin(bytes: Buffer): void {
    if (this.#isPassedOver) return;
    this.#begunBytes += bytes.length;
    this.#begun.push(Buffer.from(bytes));
    if (this.#begunBytes <= LINE_BYTES_MAX) return;
    this.#isPassedOver = true;
    this.#begun = [];
  }

  /** Whole lines. */
  #look(lines: Buffer): void {
    const places = new Map(this.#sought.map((text) => [text, lines.indexOf(text, 0, 'latin1')]));
    for (;;) {
      const found = [...places.values()].filter((place) => place >= 0);
      if (found.length === 0) return;
      const place = Math.min(...found);
      const newline = lines.indexOf(NEWLINE, place);
      const end = newline < 0 ? lines.length : newline;
      this.#take(lines.subarray(lines.lastIndexOf(NEWLINE, place) + 1, end));
      for (const [text, next] of places) {
        if (!this.#sought.includes(text)) places.delete(text);
        else if (next >= 0 && next < end) places.set(text, lines.indexOf(text, end, 'latin1'));
      }
    }
  }

  #take(line: Buffer): void {
    const record = verifyChecksum(line) === 'wrong' ? undefined : decodeLine(line);
    const payload = record?.['payload'];
    if (record === undefined || typeof payload !== 'object' || payload === null) return;
    const members = payload as Members;
    if (record.type === 'session_meta') this.#change(record.ordinal ?? -1, members);
    else if (record.type === 'event_msg' && members['type'] === 'thread_rolled_back') this.#rollBack(members['to_ordinal']);
    else this.#hear(record);
  }

  /** Those of another thread were copied by a fork. */
  #change(ordinal: number, members: Members): void {
    if (members['id'] !== this.#id) return;
    this.#changes.push({ ordinal, members: withoutReserved(members) });
    if (this.#changes.length <= CHANGES_MAX) return;
    const [first, ...others] = this.#changes;
    this.#settled = patchedMeta(this.#settled, first?.members ?? {});
    this.#changes = others;
  }

  #rollBack(to: unknown): void {
    if (typeof to === 'number') this.#changes = this.#changes.filter(({ ordinal }) => ordinal < to);
  }

  #hear(record: DecodedLine): void {
    if (this.#preview !== undefined) return;
    const text = userMessageIn(record);
    if (text === undefined) return;
    // Never half of a pair.
    this.#preview = text.slice(0, PREVIEW_LENGTH).replace(/[\ud800-\udbff]$/, '');
    this.#sought = OF_METADATA;
  }
}

function withoutReserved(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !(RESERVED_META as readonly string[]).includes(name)));
}
