// Where the transcoder is: globals, which every instance has for itself, and the instance's part of its scratch area.

/** Reading: the next byte of the payload, and the end of it. */
export let at: u32 = 0;
export let end: u32 = 0;
/** The end of the output. Steps may run past it by CARRY_BYTES at most; what is past it is carried to the next output. */
export let limit: u32 = 0;
/** The payload turned out to be none. Then the limit is 0, so that every loop ends. */
export let isFaulty: bool = false;
/** Last address from which four vectors can be read. */
export let vectorLast: u32 = 0;

export let scratch: u32 = 0;
export let definitions: u32 = 0;

/** Scratch: lists of keys that the item defines itself, 64 of two words. */
export const OWN_LISTS: u32 = 0;
/** Scratch: what ran past the end of the output. */
export const CARRY: u32 = 512;
export const CARRY_BYTES: u32 = 512;
/** Scratch: the beginning of a line, up to the second. */
export const LINE_START: u32 = CARRY + CARRY_BYTES;
/** Scratch: for each byte below 128 its escape, and the escape's length in the eighth byte. */
export const ESCAPES: u32 = LINE_START + 128;
/** Scratch: three vectors, of spaces, quotes and backslashes. */
export const VECTORS: u32 = ESCAPES + 128 * 8;
/** Scratch: values left in each of the containers that are being passed over. */
export const LEVELS: u32 = VECTORS + 64;
export const LEVELS_MAX: u32 = 2048;
/** Scratch: open containers of the line, 16 bytes each. Only from here on the writer's side. */
export const STACK: u32 = LEVELS + LEVELS_MAX * 4;
export const STACK_MAX: u32 = 2048;
/** Scratch: the tables of the checksum. */
export const CRC_TABLES: u32 = STACK + STACK_MAX * 16;

export function setPlaces(scratchOffset: u32, definitionsOffset: u32): void {
  scratch = scratchOffset;
  definitions = definitionsOffset;
  vectorLast = <u32>min<u64>((<u64>memory.size() << 16) - 64, u32.MAX_VALUE);
}

export function setInput(from: u32, to: u32): void {
  at = from;
  end = to;
  isFaulty = false;
}

export function setLimit(to: u32): void {
  limit = to;
}

// @ts-ignore: decorator
@inline
export function setAt(to: u32): void {
  at = to;
}

/** The payload is none: everything ends. */
export function fail(): void {
  isFaulty = true;
  limit = 0;
  at = end;
}

/** Whether so many bytes of the payload are left; if not, it is none. */
// @ts-ignore: decorator
@inline
export function has(bytes: u32): bool {
  if (end - at >= bytes && !isFaulty) return true;
  fail();
  return false;
}

/** Big-endian, anywhere. */
// @ts-ignore: decorator
@inline
export function read16(from: u32): u32 {
  return <u32>bswap<u16>(load<u16>(from));
}

// @ts-ignore: decorator
@inline
export function read32(from: u32): u32 {
  return bswap<u32>(load<u32>(from));
}

// @ts-ignore: decorator
@inline
export function read64(from: u32): u64 {
  return bswap<u64>(load<u64>(from));
}

/** A length of 1, 2 or 4 bytes at the place, which moves behind it. 0 when it is not there. */
export function readLength(bytes: u32): u32 {
  if (!has(bytes)) return 0;
  const from = at;
  at = from + bytes;
  return bytes == 1 ? <u32>load<u8>(from) : bytes == 2 ? read16(from) : read32(from);
}
