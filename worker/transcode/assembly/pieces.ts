// Pieces: what may be longer than the output. A piece that is not all out when the limit is reached goes on with the next output.
import { writeDigits } from './host';
import { limit } from './state';

/** What the piece is. */
export const NONE: u32 = 0;
/** The inside of a string, and of a key. */
export const TEXT: u32 = 1;
export const KEY: u32 = 2;
/** Bytes of a shared key, copied. */
export const PREFIX: u32 = 3;
export const BASE64: u32 = 4;
/** Digits that the host holds, from which number on; those of a key are in quotes. */
export const DIGITS: u32 = 5;
export const DIGITS_KEY: u32 = 6;

export let piece: u32 = NONE;
/** What is left of it. */
export let pieceFrom: u32 = 0;
export let pieceTo: u32 = 0;

export function beginPiece(kind: u32, from: u32, bytes: u32): void {
  piece = kind;
  pieceFrom = from;
  pieceTo = from + bytes;
}

export function endPiece(): void {
  piece = NONE;
}

// @ts-ignore: decorator
@inline
export function setPieceFrom(from: u32): void {
  pieceFrom = from;
}

// @ts-ignore: decorator
@lazy
const DIGITS_64: usize = memory.data<u8>([
  0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50,
  0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
  0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76,
  0x77, 0x78, 0x79, 0x7a, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x2b, 0x2f,
]);

/** Goes on with a piece that is copied. */
export function pumpCopy(out: u32): u32 {
  if (out >= limit) return out;
  const bytes = min<u32>(pieceTo - pieceFrom, limit - out);
  memory.copy(out, pieceFrom, bytes);
  pieceFrom += bytes;
  return out + bytes;
}

// @ts-ignore: decorator
@inline
function digit64(value: u32): u32 {
  return <u32>load<u8>(DIGITS_64 + (value & 63));
}

/** Goes on with base64 of the piece, padded. */
export function pumpBase64(out: u32): u32 {
  const to = pieceTo;
  let from = pieceFrom;
  for (; to - from >= 3 && out < limit; from += 3) {
    const three = (<u32>load<u8>(from) << 16) | (<u32>load<u8>(from, 1) << 8) | <u32>load<u8>(from, 2);
    store<u32>(out, digit64(three >> 18) | (digit64(three >> 12) << 8) | (digit64(three >> 6) << 16) | (digit64(three) << 24));
    out += 4;
  }
  const left = to - from;
  if (left > 0 && left < 3 && out < limit) {
    const rest = (<u32>load<u8>(from) << 16) | (left == 2 ? <u32>load<u8>(from, 1) << 8 : 0);
    const third: u32 = left == 2 ? digit64(rest >> 6) : 0x3d;
    store<u32>(out, digit64(rest >> 18) | (digit64(rest >> 12) << 8) | (third << 16) | (0x3d << 24));
    out += 4;
    from = to;
  }
  pieceFrom = from;
  return out;
}

/** Goes on with digits that the host holds. */
export function pumpDigits(out: u32): u32 {
  if (out >= limit) return out;
  const count = min<u32>(pieceTo - pieceFrom, limit - out);
  writeDigits(pieceFrom, count, out);
  pieceFrom += count;
  return out + count;
}
