// Where the transcoder is. Globals of an instance: several instances share one memory.

/** Reading: the next byte of the payload, and its end. */
export let at: u32 = 0;
export let end: u32 = 0;
/** Writing: the next byte of the output, and its end; vector stores may run up to 64 bytes past it. */
export let out: u32 = 0;
export let limit: u32 = 0;
/** Scratch of this instance. */
export let scratch: u32 = 0;
/** Not 0 once the payload turned out to be none. */
export let fault: u32 = 0;

/** Scratch: key lists that an item defines itself, 32 of two words each. */
export const OWN_LISTS: u32 = 32;
/** Scratch: second that was formatted last, as text. */
export const SECOND_TEXT: u32 = 256;
/** Scratch: text on its way to the output. */
export const TEXT: u32 = 320;
/** Scratch: one word a level, of measure(). */
export const LEVELS: u32 = 1024;
export const LEVELS_MAX: u32 = 2048;
/** Scratch: 16 bytes a container, of the line being written. */
export const STACK: u32 = LEVELS + LEVELS_MAX * 4;
export const STACK_MAX: u32 = 2048;
/** Scratch: the tables of the checksum. */
export const CRC_TABLES: u32 = STACK + STACK_MAX * 16;

/** Largest step that is not taken in pieces. */
export const STEP_BYTES: u32 = 96;

export function setScratch(offset: u32): void {
  scratch = offset;
}

export function setInput(from: u32, to: u32): void {
  at = from;
  end = to;
  fault = 0;
}

export function setOutput(from: u32, to: u32): void {
  out = from;
  limit = to;
}

export function setAt(position: u32): void {
  at = position;
}

export function setOut(position: u32): void {
  out = position;
}

export function setFault(code: u32): void {
  if (fault == 0) fault = code;
}

/** Whether so many bytes of the payload are left; else it is none. */
// @ts-ignore: decorator
@inline
export function has(bytes: u32): bool {
  if (end - at >= bytes) return true;
  setFault(1);
  return false;
}

/** Whether a step of the usual size fits into the output. */
// @ts-ignore: decorator
@inline
export function hasRoom(): bool {
  return limit - out >= STEP_BYTES;
}

// @ts-ignore: decorator
@inline
export function put(byte: u32): void {
  store<u8>(out, byte);
  out += 1;
}

/** Big-endian reads of the payload; the caller has asked has(). */
// @ts-ignore: decorator
@inline
export function read16(offset: u32): u32 {
  return <u32>bswap<u16>(load<u16>(offset));
}
// @ts-ignore: decorator
@inline
export function read32(offset: u32): u32 {
  return bswap<u32>(load<u32>(offset));
}
// @ts-ignore: decorator
@inline
export function read64(offset: u32): u64 {
  return bswap<u64>(load<u64>(offset));
}

export function putNull(): void {
  store<u32>(out, 0x6c6c756e);
  out += 4;
}
