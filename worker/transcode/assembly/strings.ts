// The inside of JSON strings: thirty-two bytes at a time, up to the first that is not copied as it is.
import { pieceFrom, pieceTo, setPieceFrom } from './pieces';
import { ESCAPES, VECTORS, limit, scratch, vectorLast } from './state';

const HEX_LOW: u64 = 0x30;
const HEX_HIGH: u64 = 0x57;

export function makeEscapes(): void {
  const escapes = scratch + ESCAPES;
  for (let byte: u32 = 0; byte < 0x20; byte += 1) {
    const low = byte & 15;
    const digit = low < 10 ? HEX_LOW + low : HEX_HIGH + low;
    store<u64>(escapes + (byte << 3), 0x06_00_00_00_30_30_75_5c | ((HEX_LOW + (byte >> 4)) << 32) | (digit << 40));
  }
  memory.fill(scratch + VECTORS, 0x20, 16);
  memory.fill(scratch + VECTORS + 16, 0x22, 16);
  memory.fill(scratch + VECTORS + 32, 0x5c, 16);
  makeLetter(8, 0x62);
  makeLetter(9, 0x74);
  makeLetter(10, 0x6e);
  makeLetter(12, 0x66);
  makeLetter(13, 0x72);
  makeLetter(0x22, 0x22);
  makeLetter(0x5c, 0x5c);
}

function makeLetter(byte: u32, letter: u64): void {
  store<u64>(scratch + ESCAPES + (byte << 3), 0x02_00_00_00_00_00_00_5c | (letter << 8));
}

/** Bytes that are no plain ASCII: below 0x20, quotes, backslashes, and everything above 0x7f. */
// @ts-ignore: decorator
@inline
export function suspects(bytes: v128): v128 {
  return v128.or(
    i8x16.lt_s(bytes, i8x16.splat(0x20)),
    v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
  );
}

/** A bit for each of the sixteen bytes that begins something written otherwise; also reads the two bytes behind them. */
// @ts-ignore: decorator
@inline
function specials(from: u32, bytes: v128): u32 {
  const second = v128.load(from, 1);
  const third = v128.load(from, 2);
  const separator = v128.and(
    i8x16.eq(bytes, i8x16.splat(<i8>0xe2)),
    v128.and(i8x16.eq(second, i8x16.splat(<i8>0x80)), i8x16.eq(v128.and(third, i8x16.splat(<i8>0xfe)), i8x16.splat(<i8>0xa8))),
  );
  const surrogate = v128.and(i8x16.eq(bytes, i8x16.splat(<i8>0xed)), i8x16.ge_u(second, i8x16.splat(<i8>0xa0)));
  const ascii = v128.or(
    i8x16.lt_u(bytes, i8x16.splat(0x20)),
    v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
  );
  return i8x16.bitmask(v128.or(ascii, v128.or(separator, surrogate)));
}

/** Goes on with a piece of a string. All of it is out if `pieceFrom` is `pieceTo`; otherwise the limit is reached. */
export function pumpText(out: u32): u32 {
  const escapes = scratch + ESCAPES;
  const to = pieceTo;
  const stop = limit;
  // Loaded once: constants would be made anew in each turn of the loop.
  const space = v128.load(scratch + VECTORS);
  const quote = v128.load(scratch + VECTORS, 16);
  const backslash = v128.load(scratch + VECTORS, 32);
  let from = pieceFrom;
  while (from < to && out < stop) {
    if (from > vectorLast) {
      out = putUnit(from, to, out);
      from = pieceFrom;
      continue;
    }
    const left = to - from;
    const low = v128.load(from);
    const high = v128.load(from, 16);
    v128.store(out, low);
    v128.store(out, high, 16);
    const lowMask = v128.or(i8x16.lt_s(low, space), v128.or(i8x16.eq(low, quote), i8x16.eq(low, backslash)));
    const highMask = v128.or(i8x16.lt_s(high, space), v128.or(i8x16.eq(high, quote), i8x16.eq(high, backslash)));
    let mask = i8x16.bitmask(lowMask) | (i8x16.bitmask(highMask) << 16);
    if (mask != 0 && i8x16.bitmask(v128.or(low, high)) != 0) mask = specials(from, low) | (specials(from + 16, high) << 16);
    const plain = min<u32>(mask == 0 ? 32 : <u32>ctz<u32>(mask), left);
    from += plain;
    out += plain;
    if (plain == 32 || plain == left) continue;
    const byte = <u32>load<u8>(from);
    if (byte < 0x80) {
      const escape = load<u64>(escapes + (byte << 3));
      store<u64>(out, escape);
      out += <u32>(escape >> 56);
      from += 1;
    } else {
      out = putUnit(from, to, out);
      from = pieceFrom;
    }
  }
  setPieceFrom(from);
  return out;
}

/** The byte at `from`, or the character that it begins where that is written otherwise. Moves `pieceFrom` behind it. */
function putUnit(from: u32, to: u32, out: u32): u32 {
  const byte = <u32>load<u8>(from);
  const escape: u64 = byte < 0x80 ? load<u64>(scratch + ESCAPES + (byte << 3)) : 0;
  setPieceFrom(from + 1);
  if (escape != 0) {
    store<u64>(out, escape);
    return out + <u32>(escape >> 56);
  }
  if ((byte == 0xe2 || byte == 0xed) && to - from >= 3) {
    const second = <u32>load<u8>(from, 1);
    const third = <u32>load<u8>(from, 2);
    if (byte == 0xed && second >= 0xa0) {
      // A surrogate on its own, as msgpackr writes it in a short string: U+FFFD.
      store<u32>(out, 0x00bdbfef);
      setPieceFrom(from + 3);
      return out + 3;
    }
    if (byte == 0xe2 && second == 0x80 && (third & 0xfe) == 0xa8) {
      store<u64>(out, 0x3032755c | (<u64>(third == 0xa8 ? 0x3832 : 0x3932) << 32)); // \u2028 or \u2029
      setPieceFrom(from + 3);
      return out + 6;
    }
  }
  store<u8>(out, byte);
  return out + 1;
}
