// Lists of keys: those in the definitions area, and those that an item defines for itself.
import { OWN_LISTS, at, definitions, end, fail, has, readLength, scratch, setAt } from './state';

/** What `findRecord` and `define` found: how many keys, where the first one is, and from where a shared key's offset counts. */
export let keyCount: u32 = 0;
export let firstKey: u32 = 0;
export let keyBase: u32 = 0;
export let isOwn: bool = false;

/** Ids that are in the definitions area, unless the item redefines one of the first 32. */
const SHARED_IDS: u32 = 8160;
const LOW_IDS: u32 = 32;
const HIGH_IDS: u32 = 32;
const ENTRY_HEADER_BYTES: u32 = 16;

/** Which ids this item has defined: one bit each. */
let lowDefined: u32 = 0;
let highDefined: u32 = 0;

export function forgetOwnLists(): void {
  lowDefined = 0;
  highDefined = 0;
}

/** The record whose head begins with `byte`, 0x40 to 0x7f, which has been read. False when there is none. */
export function findRecord(byte: u32): bool {
  let id = byte & 31;
  if (byte >= 0x60) {
    if (!has(1)) return false;
    id += 32 + (<u32>load<u8>(at) << 5);
    setAt(at + 1);
    if (id >= SHARED_IDS) {
      const own = id - SHARED_IDS;
      return findOwn(own + LOW_IDS, own < HIGH_IDS ? (highDefined >> own) & 1 : 0);
    }
  } else if (((lowDefined >> id) & 1) != 0) {
    return findOwn(id, 1);
  }
  const offset = load<u32>(definitions + (id << 2));
  if (offset == 0) {
    fail();
    return false;
  }
  keyBase = definitions + offset;
  keyCount = load<u32>(keyBase);
  firstKey = keyBase + ENTRY_HEADER_BYTES;
  isOwn = false;
  return true;
}

function findOwn(list: u32, isDefined: u32): bool {
  if (isDefined == 0) {
    fail();
    return false;
  }
  const entry = scratch + OWN_LISTS + (list << 3);
  firstKey = load<u32>(entry);
  keyCount = load<u32>(entry, 4);
  isOwn = true;
  return true;
}

/** A definition: its id, of one byte or two, at the place, then an array of strings. Becomes the record found. */
export function define(idBytes: u32): bool {
  if (idBytes - 1 > 1) fail();
  if (!has(idBytes)) return false;
  const low = <u32>load<u8>(at);
  const id = idBytes == 1 ? low - 0x40 : (low & 31) + 32 + (<u32>load<u8>(at, 1) << 5);
  setAt(at + idBytes);
  const isLow = id < LOW_IDS;
  if (!isLow && id - SHARED_IDS >= HIGH_IDS) {
    fail();
    return false;
  }
  const count = readKeyCount();
  const entry = scratch + OWN_LISTS + ((isLow ? id : id - SHARED_IDS + LOW_IDS) << 3);
  store<u32>(entry, at);
  store<u32>(entry, count, 4);
  for (let key: u32 = 0; key < count && at < end; key += 1) {
    const bytes = readKeyHead();
    if (has(bytes)) setAt(at + bytes);
  }
  if (isLow) lowDefined |= 1 << id;
  else highDefined |= 1 << (id - SHARED_IDS);
  return findOwn(isLow ? id : id - SHARED_IDS + LOW_IDS, 1);
}

function readKeyCount(): u32 {
  if (!has(1)) return 0;
  const byte = <u32>load<u8>(at);
  setAt(at + 1);
  if (byte >= 0x90 && byte < 0xa0) return byte & 15;
  if (byte == 0xdc) return readLength(2);
  if (byte == 0xdd) return readLength(4);
  fail();
  return 0;
}

/** The head of a string at the place, which moves behind it. Returns its bytes. */
export function readKeyHead(): u32 {
  if (!has(1)) return 0;
  const byte = <u32>load<u8>(at);
  setAt(at + 1);
  if (byte >= 0xa0 && byte < 0xc0) return byte & 31;
  if (byte >= 0xd9 && byte <= 0xdb) return readLength(1 << (byte - 0xd9));
  fail();
  return 0;
}
