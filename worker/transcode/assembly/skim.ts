// Passing over a value without writing it.
import { define, findRecord, keyCount } from './records';
import { LEVELS, LEVELS_MAX, at, end, fail, has, isFaulty, readLength, scratch, setAt } from './state';

/** What a head says of the values inside, beside their number. */
const NO_CONTAINER: u32 = 0xffffffff;
/** Only says how the next value is meant. */
const TAG: u32 = 0xfffffffe;

/**
 * Passes over one value, keeping the lists of keys it defines. Returns how many levels it has: 0 for one that is no
 * container. Stops early at LEVELS_MAX.
 */
export function skim(): u32 {
  const levels = scratch + LEVELS;
  let level: u32 = 0;
  let deepest: u32 = 0;
  let left: u32 = 1;
  while (true) {
    while (left == 0) {
      if (level == 0) return deepest;
      level -= 1;
      left = load<u32>(levels + (level << 2));
    }
    left -= 1;
    const inside = skimHead();
    if (isFaulty) return deepest;
    if (inside == NO_CONTAINER) continue;
    if (inside == TAG) {
      left += 1;
      continue;
    }
    store<u32>(levels + (level << 2), left);
    left = inside;
    level += 1;
    if (level > deepest) deepest = level;
    if (level >= LEVELS_MAX) return deepest;
  }
}

/** Passes over a head and the bytes that belong to it. */
function skimHead(): u32 {
  if (!has(1)) return NO_CONTAINER;
  const byte = <u32>load<u8>(at);
  setAt(at + 1);
  if (byte < 0x40 || byte >= 0xe0) return NO_CONTAINER;
  if (byte < 0x80) return findRecord(byte) ? keyCount : NO_CONTAINER;
  if (byte < 0x90) return (byte & 15) << 1;
  if (byte < 0xa0) return byte & 15;
  if (byte < 0xc0) return pass(byte & 31);
  if (byte >= 0xdc) return byte < 0xde ? counted(readLength(byte == 0xdc ? 2 : 4), 1) : counted(readLength(byte == 0xde ? 2 : 4), 2);
  if (byte >= 0xd9) return pass(readLength(1 << (byte - 0xd9)));
  if (byte >= 0xd4) return skimExtension(1 << (byte - 0xd4));
  if (byte >= 0xca) return pass(byte < 0xcc ? 4 << (byte - 0xca) : 1 << ((byte - 0xcc) & 3));
  if (byte >= 0xc7) return skimExtension(readLength(1 << (byte - 0xc7)));
  return byte >= 0xc4 ? pass(readLength(1 << (byte - 0xc4))) : NO_CONTAINER;
}

function pass(bytes: u32): u32 {
  if (has(bytes)) setAt(at + bytes);
  return NO_CONTAINER;
}

/** A value takes a byte at least: more of them than bytes are left are none. */
function counted(count: u32, values: u32): u32 {
  if (count > end - at) fail();
  return count * values;
}

function skimExtension(bytes: u32): u32 {
  if (!has(1)) return NO_CONTAINER;
  const type = <u32>load<u8>(at);
  setAt(at + 1);
  if (type == 0x72) return define(bytes) ? keyCount : NO_CONTAINER;
  if (!has(bytes)) return NO_CONTAINER;
  const first = bytes == 1 ? <u32>load<u8>(at) : 1;
  setAt(at + bytes);
  return isTag(type, first) ? TAG : NO_CONTAINER;
}

/**
 * Whether an extension of one byte, `first`, says how the next value is meant: Set, Error, RegExp, and what an extension of
 * the host with `write` is; not undefined, nor an invalid Date.
 */
export function isTag(type: u32, first: u32): bool {
  return first == 0 && type != 0 && type != 0xff && type != 0x42 && type != 0x74;
}
