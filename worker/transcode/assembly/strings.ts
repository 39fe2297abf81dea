import { limit, out, setOut } from './state';

/** What is being written piece by piece: bytes of the payload, or of the definitions. */
let from: u32 = 0;
let to: u32 = 0;
/** What stands around it: a key's end, a quote, nothing. */
export const AS_KEY: u32 = 0;
export const QUOTED: u32 = 1;
export const BARE: u32 = 2;
export let pieceKind: u32 = BARE;

const VECTOR: u32 = 16;
/** Kept free behind a piece, for what ends it. */
const PIECE_END: u32 = 8;

export function beginPiece(start: u32, bytes: u32, kind: u32): void {
  from = start;
  to = start + bytes;
  pieceKind = kind;
}

/** What stands between a key and its value. */
export function endKey(): void {
  store<u16>(out, 0x3a22); // ":
  setOut(out + 2);
}

/** Copies bytes as they are. True when all are out. */
export function pumpCopy(): bool {
  const bytes = min<u32>(to - from, limit - out);
  memory.copy(out, from, bytes);
  setOut(out + bytes);
  from += bytes;
  return from == to;
}

/**
 * The inside of a JSON string. Sixteen bytes at a time, up to the first that is not copied as it is: below 0x20, a quote, a
 * backslash, and the first bytes of what may be U+2028, U+2029 or a lone surrogate. True when all is out.
 */
export function pumpString(): bool {
  const last = (<u32>memory.size() << 16) - VECTOR;
  while (from < to) {
    if (limit - out < VECTOR + PIECE_END) return false;
    if (from > last) {
      putCharacter();
      continue;
    }
    const bytes = v128.load(from);
    v128.store(out, bytes);
    const special = v128.or(
      v128.or(i8x16.lt_u(bytes, i8x16.splat(0x20)), i8x16.eq(bytes, i8x16.splat(0x22))),
      v128.or(i8x16.eq(bytes, i8x16.splat(0x5c)), v128.or(i8x16.eq(bytes, i8x16.splat(<i8>0xe2)), i8x16.eq(bytes, i8x16.splat(<i8>0xed)))),
    );
    const plain = min<u32>(<u32>ctz<i32>(i8x16.bitmask(special) | 0x10000), to - from);
    from += plain;
    setOut(out + plain);
    if (plain < VECTOR && from < to) putCharacter();
  }
  return true;
}

/** One byte of a string, or the character it begins where that is written otherwise. */
function putCharacter(): void {
  const byte = <u32>load<u8>(from);
  if (byte == 0xe2 || byte == 0xed) {
    putThreeBytes(byte);
  } else if (byte == 0x22 || byte == 0x5c) {
    store<u16>(out, 0x5c | (byte << 8));
    setOut(out + 2);
    from += 1;
  } else if (byte < 0x20) {
    putControl(byte);
    from += 1;
  } else {
    store<u8>(out, byte);
    setOut(out + 1);
    from += 1;
  }
}

function putThreeBytes(byte: u32): void {
  const second = to - from >= 3 ? <u32>load<u8>(from, 1) : 0;
  const third = to - from >= 3 ? <u32>load<u8>(from, 2) : 0;
  if (byte == 0xe2 && second == 0x80 && (third == 0xa8 || third == 0xa9)) {
    store<u32>(out, 0x3032755c); // \u20
    store<u16>(out, third == 0xa8 ? 0x3832 : 0x3932, 4); // 28 or 29
    setOut(out + 6);
    from += 3;
  } else if (byte == 0xed && second >= 0xa0) {
    // A surrogate on its own, as msgpackr writes it in a short string: U+FFFD.
    store<u16>(out, 0xbfef);
    store<u8>(out, 0xbd, 2);
    setOut(out + 3);
    from += 3;
  } else {
    store<u8>(out, byte);
    setOut(out + 1);
    from += 1;
  }
}

function putControl(byte: u32): void {
  let letter: u32 = 0;
  if (byte == 8) letter = 0x62;
  else if (byte == 9) letter = 0x74;
  else if (byte == 10) letter = 0x6e;
  else if (byte == 12) letter = 0x66;
  else if (byte == 13) letter = 0x72;
  if (letter != 0) {
    store<u16>(out, 0x5c | (letter << 8));
    setOut(out + 2);
    return;
  }
  const low = byte & 15;
  store<u32>(out, 0x3030755c); // \u00
  store<u8>(out, 0x30 + (byte >> 4), 4);
  store<u8>(out, low < 10 ? 0x30 + low : 0x57 + low, 5);
  setOut(out + 6);
}

/** Base64 of the bytes, padded. True when all is out. */
export function pumpBase64(): bool {
  while (to - from >= 3) {
    if (limit - out < 4 + PIECE_END) return false;
    const three = (<u32>load<u8>(from) << 16) | (<u32>load<u8>(from, 1) << 8) | <u32>load<u8>(from, 2);
    store<u32>(out, digit64(three >> 18) | (digit64(three >> 12) << 8) | (digit64(three >> 6) << 16) | (digit64(three) << 24));
    setOut(out + 4);
    from += 3;
  }
  if (to == from) return true;
  if (limit - out < 4 + PIECE_END) return false;
  const isTwo = to - from == 2;
  const rest = (<u32>load<u8>(from) << 16) | (isTwo ? <u32>load<u8>(from, 1) << 8 : 0);
  const third = isTwo ? digit64(rest >> 6) : 0x3d;
  store<u32>(out, digit64(rest >> 18) | (digit64(rest >> 12) << 8) | (third << 16) | (0x3d << 24));
  setOut(out + 4);
  from = to;
  return true;
}

// @ts-ignore: decorator
@inline
function digit64(value: u32): u32 {
  const six = value & 63;
  if (six < 26) return 0x41 + six;
  if (six < 52) return 0x47 + six;
  if (six < 62) return six - 4;
  return six == 62 ? 0x2b : 0x2f;
}
