// One token of msgpack, as msgpackr writes it: the head of a value, and all of it where it holds no bytes or values.
import { OWN_LISTS, at, end, has, read16, read32, read64, scratch, setAt, setFault } from './state';

/** Kinds of token. */
export const NIL: u32 = 0;
export const FALSE: u32 = 1;
export const TRUE: u32 = 2;
export const UNDEFINED: u32 = 3;
/** In `integer`; SIGNED: its two's complement. */
export const UNSIGNED: u32 = 4;
export const SIGNED: u32 = 5;
/** In `double`. */
export const DOUBLE: u32 = 6;
/** Milliseconds in `integer`, two's complement. */
export const DATE: u32 = 7;
/** `size` bytes follow. */
export const STRING: u32 = 8;
export const BYTES: u32 = 9;
export const BIGINT: u32 = 10;
/** `size` values follow; of a MAP `size` pairs. */
export const ARRAY: u32 = 11;
export const MAP: u32 = 12;
/** `size` values follow; their keys are at `list`. */
export const RECORD: u32 = 13;
export const OWN_RECORD: u32 = 14;
/** A value follows that is written in another way: an array, which is all of a Set, and the parts of the others. */
export const SET: u32 = 15;
export const ERROR: u32 = 16;
export const REGEXP: u32 = 17;

export let size: u32 = 0;
export let integer: u64 = 0;
export let double: f64 = 0;
export let list: u32 = 0;

/** Ids below are in the definitions area, those from here on are of the item. */
const SHARED_IDS: u32 = 8160;
const FAULT_TOKEN: u32 = 2;

let definitions: u32 = 0;

export function setDefinitions(offset: u32): void {
  definitions = offset;
}

/** Reads the next token. NIL where there is none: then the fault is set. */
export function next(): u32 {
  if (!has(1)) return NIL;
  const byte = <u32>load<u8>(at);
  setAt(at + 1);
  if (byte < 0x40) return unsigned(byte);
  if (byte < 0x60) return record(byte - 0x40);
  if (byte < 0x80) {
    if (!has(1)) return NIL;
    const high = <u32>load<u8>(at);
    setAt(at + 1);
    return record((byte & 0x1f) + 0x20 + (high << 5));
  }
  if (byte < 0x90) return sized(MAP, byte & 0x0f);
  if (byte < 0xa0) return sized(ARRAY, byte & 0x0f);
  if (byte < 0xc0) return holding(STRING, byte & 0x1f);
  if (byte >= 0xe0) return signed(<i64><i32>(byte | 0xffffff00));
  return byte < 0xca ? constantOrBytes(byte) : byte < 0xd4 ? number(byte) : byte < 0xd9 ? fixedExtension(byte) : longer(byte);
}

function unsigned(value: u64): u32 {
  integer = value;
  return UNSIGNED;
}

function signed(value: i64): u32 {
  integer = <u64>value;
  return SIGNED;
}

function sized(kind: u32, count: u32): u32 {
  // A value takes a byte at least: more of them than bytes are left is no msgpack.
  if (end - at < count) setFault(FAULT_TOKEN);
  size = count;
  return kind;
}

function holding(kind: u32, bytes: u32): u32 {
  if (!has(bytes)) return NIL;
  size = bytes;
  return kind;
}

/** A big-endian length of 1, 2 or 4 bytes, at the place. */
function length(bytes: u32): u32 {
  if (!has(bytes)) return 0;
  const value = bytes == 1 ? <u32>load<u8>(at) : bytes == 2 ? read16(at) : read32(at);
  setAt(at + bytes);
  return value;
}

function constantOrBytes(byte: u32): u32 {
  if (byte == 0xc2) return FALSE;
  if (byte == 0xc3) return TRUE;
  if (byte < 0xc4) return NIL;
  if (byte < 0xc7) return holding(BYTES, length(1 << (byte - 0xc4)));
  const bytes = length(1 << (byte - 0xc7));
  return has(1) ? extension(bytes) : NIL;
}

function number(byte: u32): u32 {
  const bytes: u32 = byte < 0xcc ? 4 << (byte - 0xca) : byte < 0xd0 ? 1 << (byte - 0xcc) : 1 << (byte - 0xd0);
  if (!has(bytes)) return NIL;
  const from = at;
  setAt(at + bytes);
  if (byte == 0xca) double = <f64>reinterpret<f32>(read32(from));
  if (byte == 0xcb) double = reinterpret<f64>(read64(from));
  if (byte < 0xcc) return DOUBLE;
  if (bytes == 8) integer = read64(from);
  else if (bytes == 4) integer = byte == 0xd2 ? <u64><i64><i32>read32(from) : <u64>read32(from);
  else if (bytes == 2) integer = byte == 0xd1 ? <u64><i64><i16>read16(from) : <u64>read16(from);
  else integer = byte == 0xd0 ? <u64><i64>load<i8>(from) : <u64>load<u8>(from);
  return byte < 0xd0 ? UNSIGNED : SIGNED;
}

function longer(byte: u32): u32 {
  if (byte < 0xdc) return holding(STRING, length(1 << (byte - 0xd9)));
  const count = length(byte & 1 ? 4 : 2);
  return byte < 0xde ? sized(ARRAY, count) : sized(MAP, count);
}

function fixedExtension(byte: u32): u32 {
  return has(1) ? extension(1 << (byte - 0xd4)) : NIL;
}

/** At the type byte; `bytes` of data follow it. */
function extension(bytes: u32): u32 {
  const type = <u32>load<u8>(at);
  if (end - at - 1 < bytes) {
    setFault(FAULT_TOKEN);
    return NIL;
  }
  const data = at + 1;
  setAt(data + bytes);
  if (type == 0x72) return definition(data, bytes);
  if (type == 0xff) return date(data, bytes);
  if (type == 0x42 || type == 0x74) {
    const skipped: u32 = type == 0x74 && bytes > 0 ? 1 : 0;
    setAt(data + skipped);
    size = bytes - skipped;
    return type == 0x42 ? BIGINT : BYTES;
  }
  if (bytes != 1) return NIL;
  if (type == 0) return UNDEFINED;
  if (type == 0x73) return SET;
  if (type == 0x65) return ERROR;
  return type == 0x78 ? REGEXP : NIL;
}

function date(data: u32, bytes: u32): u32 {
  let seconds: i64 = 0;
  let nanoseconds: u32 = 0;
  if (bytes == 4) {
    seconds = <i64>read32(data);
  } else if (bytes == 8) {
    const both = read64(data);
    nanoseconds = <u32>(both >> 34);
    seconds = <i64>(both & 0x3ffffffff);
  } else if (bytes == 12) {
    nanoseconds = read32(data);
    seconds = <i64>read64(data + 4);
  } else {
    return NIL;
  }
  integer = <u64>(seconds * 1000 + <i64>(nanoseconds / 1000000));
  return DATE;
}

function record(id: u32): u32 {
  if (id >= SHARED_IDS) return ownRecord(id);
  list = definitions + load<u32>(definitions + (id << 2));
  if (list == definitions) {
    setFault(FAULT_TOKEN);
    return NIL;
  }
  return sized(RECORD, load<u32>(list));
}

function ownRecord(id: u32): u32 {
  if (id - SHARED_IDS >= OWN_LISTS) {
    setFault(FAULT_TOKEN);
    return NIL;
  }
  const entry = scratch + ((id - SHARED_IDS) << 3);
  list = load<u32>(entry);
  return sized(OWN_RECORD, load<u32>(entry, 4));
}

/** A list of keys that only this item has: an array of strings, after which the values of its first record follow. */
function definition(data: u32, bytes: u32): u32 {
  const low = <u32>load<u8>(data);
  const id = bytes == 2 ? (low & 0x1f) + 0x20 + (<u32>load<u8>(data, 1) << 5) : low - 0x40;
  if (id - SHARED_IDS >= OWN_LISTS || next() != ARRAY) {
    setFault(FAULT_TOKEN);
    return NIL;
  }
  const count = size;
  const keys = at;
  for (let key: u32 = 0; key < count; key += 1) {
    if (next() != STRING) {
      setFault(FAULT_TOKEN);
      return NIL;
    }
    setAt(at + size);
  }
  const entry = scratch + ((id - SHARED_IDS) << 3);
  store<u32>(entry, keys);
  store<u32>(entry, count, 4);
  return ownRecord(id);
}
