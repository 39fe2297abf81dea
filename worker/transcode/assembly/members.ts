// Open containers, and what stands before each of their values.
import { firstKey, isOwn, keyBase, keyCount, readKeyHead } from './records';
import { STACK, STACK_MAX, at, end, fail, scratch, setAt } from './state';
import { KEY, PREFIX, beginPiece } from './pieces';

/** Kinds of container. */
export const IN_RECORD: u32 = 0;
export const IN_ARRAY: u32 = 1;
export const IN_OWN_RECORD: u32 = 2;
export const IN_MAP: u32 = 3;
export const IN_ERROR: u32 = 4;

const COMMA: u32 = 0x2c;
const OPEN_BRACE: u32 = 0x7b;
const OPEN_BRACKET: u32 = 0x5b;

/** The container that is open: its kind, values left, its next key, and from where a shared key's offset counts. */
export let form: u32 = IN_RECORD;
export let left: u32 = 0;
let keys: u32 = 0;
let base: u32 = 0;
/** The character before the next member: a comma, or what opens the container while nothing of it is written. */
let lead: u32 = COMMA;
export let depth: u32 = 0;

/** The item itself: its members go on with those of the envelope. */
export function openItem(kind: u32, count: u32): void {
  depth = 0;
  become(kind, count);
  lead = COMMA;
}

function become(kind: u32, count: u32): void {
  form = kind;
  left = count;
  keys = firstKey;
  base = keyBase;
  lead = kind == IN_ARRAY ? OPEN_BRACKET : OPEN_BRACE;
}

/** Opens a container; the one that was open waits. Nothing is written yet. */
export function open(kind: u32, count: u32): void {
  if (depth == STACK_MAX) {
    fail();
    return;
  }
  const entry = scratch + STACK + (depth << 4);
  store<u32>(entry, form | (lead << 8));
  store<u32>(entry, left, 4);
  store<u32>(entry, keys, 8);
  store<u32>(entry, base, 12);
  depth += 1;
  become(kind, count);
}

/** Opens the record that was found. */
// @ts-ignore: decorator
@inline
export function openRecord(): void {
  open(isOwn ? IN_OWN_RECORD : IN_RECORD, keyCount);
}

/** Closes the container; the one around it is open again. */
export function close(out: u32): u32 {
  if (lead != COMMA) {
    store<u8>(out, lead);
    out += 1;
  }
  store<u8>(out, form == IN_ARRAY ? 0x5d : 0x7d);
  depth -= 1;
  const entry = scratch + STACK + (depth << 4);
  const word = load<u32>(entry);
  form = word & 255;
  lead = word >> 8;
  left = load<u32>(entry, 4);
  keys = load<u32>(entry, 8);
  base = load<u32>(entry, 12);
  return out + 1;
}

/** One value less. */
// @ts-ignore: decorator
@inline
export function takeOne(): void {
  left -= 1;
}

// @ts-ignore: decorator
@inline
export function putLead(out: u32): u32 {
  store<u8>(out, lead);
  lead = COMMA;
  return out + 1;
}

/** Whether undefined comes next; then it is passed over. */
// @ts-ignore: decorator
@inline
export function passedUndefined(): bool {
  if (at >= end || load<u8>(at) != 0xd4) return false;
  if (end - at < 3 || load<u16>(at, 1) != 0) return false;
  setAt(at + 3);
  return true;
}

/** Longest prefix that is written in one step. */
const PREFIX_BYTES: u32 = 64;

/** Comma or brace, key and colon of a record's next member; or the first of them, and the rest is a piece. */
// @ts-ignore: decorator
@inline
export function putPrefix(out: u32): u32 {
  const key = keys;
  keys = key + 8;
  const from = base + load<u32>(key);
  const bytes = load<u32>(key, 4);
  v128.store(out, v128.load(from));
  if (bytes > 16) {
    if (bytes > PREFIX_BYTES) return putLongPrefix(out, from, bytes);
    v128.store(out, v128.load(from, 16), 16);
    if (bytes > 32) {
      v128.store(out, v128.load(from, 32), 32);
      v128.store(out, v128.load(from, 48), 48);
    }
  }
  store<u8>(out, lead);
  lead = COMMA;
  return out + bytes;
}

/** A prefix that may take several outputs: its first character now, the rest as a piece. */
function putLongPrefix(out: u32, from: u32, bytes: u32): u32 {
  beginPiece(PREFIX, from + 1, bytes - 1);
  return putLead(out);
}

/** Passes over the key of a member that is left out. */
// @ts-ignore: decorator
@inline
export function passKey(): void {
  keys += 8;
}

/** The next key of a record that the item defines itself, as a piece. */
export function beginOwnKey(): void {
  const value = at;
  setAt(keys);
  const bytes = readKeyHead();
  beginPiece(KEY, at, bytes);
  keys = at + bytes;
  setAt(value);
}
