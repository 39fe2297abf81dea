/**
 * Record definitions, where the transcoder finds them: for each list of keys the bytes that JSON has before each value,
 * escaped once. Append-only, written by the producer before the first frame that uses it is published; what publishes
 * the frame publishes its definitions.
 *
 *   index    u32 for each id: where the entry begins, from the area's start; 0: none
 *   entry    u32 number of keys, 12 bytes unused
 *            for each key: u32 where its prefix begins, from the entry's start; u32 its bytes
 *            the prefixes, `,"key":`, each beginning on 16 bytes and padded to 16 with zeros
 */
import { assert } from '../assert.js';
import { DEFINITIONS_BYTES, DEFINITIONS_INDEX_BYTES, DEFINITIONS_OFFSET } from '../ring/layout.js';

/** Ids msgpackr shares: 0x40 to 0x5f in one byte, the rest in two. */
export const DEFINITION_IDS_MAX = 8160;
/** A list with more of them is more often a dictionary than a kind of record. */
const ENTRY_BYTES_MAX = 16 * 1024;
const ENTRY_ALIGN_BYTES = 16;
const ENTRY_HEADER_BYTES = 16;
const KEY_BYTES = 8;

const align = (bytes: number): number => (bytes + ENTRY_ALIGN_BYTES - 1) & -ENTRY_ALIGN_BYTES;

export class Definitions {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  #end = DEFINITIONS_INDEX_BYTES;
  #published = 0;
  /** What the item being packed needs and is not published yet. */
  #promisedBytes = 0;
  #promisedLists = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#bytes = new Uint8Array(memory, DEFINITIONS_OFFSET, DEFINITIONS_BYTES);
    this.#words = new Uint32Array(memory, DEFINITIONS_OFFSET, DEFINITIONS_BYTES / 4);
  }

  /** A new item is about to be packed, and none is being packed. */
  begin(): void {
    this.#promisedBytes = 0;
    this.#promisedLists = 0;
  }

  /** Whether there is room for one more; if so it is kept until begin(). The last id is never given: msgpackr would no longer ask. */
  hasRoomFor(keys: readonly string[]): boolean {
    if (this.#published + this.#promisedLists >= DEFINITION_IDS_MAX - 1) return false;
    const bytes = entryBytes(keys.map(prefixOf));
    if (bytes > ENTRY_BYTES_MAX || this.#end + this.#promisedBytes + bytes > DEFINITIONS_BYTES) return false;
    this.#promisedBytes += bytes;
    this.#promisedLists += 1;
    return true;
  }

  /** Writes the entries of the first `count` lists that are not there yet. */
  publish(lists: readonly (readonly string[])[], count: number): void {
    for (; this.#published < count; this.#published += 1) {
      const prefixes = (lists[this.#published] ?? []).map(prefixOf);
      const bytes = entryBytes(prefixes);
      assert(this.#end + bytes <= DEFINITIONS_BYTES, 'a definition has room that was promised');
      this.#write(this.#end, prefixes);
      this.#words[this.#published] = this.#end;
      this.#end += bytes;
    }
    this.begin();
  }

  #write(entry: number, prefixes: readonly Buffer[]): void {
    const words = this.#words;
    words[entry >>> 2] = prefixes.length;
    let offset = align(ENTRY_HEADER_BYTES + prefixes.length * KEY_BYTES);
    for (const [index, prefix] of prefixes.entries()) {
      const key = (entry + ENTRY_HEADER_BYTES + index * KEY_BYTES) >>> 2;
      words[key] = offset;
      words[key + 1] = prefix.byteLength;
      this.#bytes.set(prefix, entry + offset);
      offset += align(prefix.byteLength);
    }
  }
}

/** The lists of keys, by id, for whoever has a payload and no transcoder. */
export function readDefinitions(memory: SharedArrayBuffer): string[][] {
  const bytes = Buffer.from(memory, DEFINITIONS_OFFSET, DEFINITIONS_BYTES);
  const lists: string[][] = [];
  for (let entry = bytes.readUInt32LE(0); entry !== 0; entry = bytes.readUInt32LE(lists.length * 4)) {
    const count = bytes.readUInt32LE(entry);
    lists.push(Array.from({ length: count }, (_, index) => {
      const key = entry + ENTRY_HEADER_BYTES + index * KEY_BYTES;
      const start = entry + bytes.readUInt32LE(key);
      // Without the comma before and the colon behind.
      return JSON.parse(bytes.toString('utf8', start + 1, start + bytes.readUInt32LE(key + 4) - 1)) as string;
    }));
  }
  return lists;
}

function entryBytes(prefixes: readonly Buffer[]): number {
  const keys = align(ENTRY_HEADER_BYTES + prefixes.length * KEY_BYTES);
  return prefixes.reduce((sum, prefix) => sum + align(prefix.byteLength), keys);
}

/** The rules for strings of docs/format.md, for a key: a lone surrogate becomes U+FFFD, U+2028 and U+2029 are escaped. */
function prefixOf(key: string): Buffer {
  const text = JSON.stringify(wellFormed(key)).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  return Buffer.from(`,${text}:`);
}

/** As String.prototype.toWellFormed, which the declarations for Node 20 lack. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
