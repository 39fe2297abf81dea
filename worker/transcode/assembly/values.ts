// Values: each is read and written in one go, but for what is a piece.
import { takeBigint } from './host';
import { IN_ARRAY, IN_ERROR, IN_MAP, open, openRecord } from './members';
import { putDouble, putInteger, putSigned } from './numbers';
import { BASE64, DIGITS, TEXT, beginPiece, endPiece, pieceFrom, pieceTo, pumpBase64, pumpDigits } from './pieces';
import { define, findRecord } from './records';
import { isTag, skim } from './skim';
import { at, end, fail, has, read16, read32, read64, readLength, setAt, vectorLast } from './state';
import { pumpText, suspects } from './strings';
import { FALS_WORD, TRUE_WORD, putNull } from './texts';
import { isTime, putTime } from './time';

const QUOTE: u32 = 0x22;
const NO_TIME: f64 = NaN;

/** The next value; returns the end of what is written of it. A piece that is not all out has reached the limit. */
export function putValue(out: u32): u32 {
  if (!has(1)) return out;
  const byte = <u32>load<u8>(at);
  setAt(at + 1);
  if (byte < 0x40) return putInteger(out, byte);
  if (byte < 0x80) {
    if (findRecord(byte)) openRecord();
    return out;
  }
  if (byte < 0xa0) {
    if (byte < 0x90) open(IN_MAP, byte & 15);
    else open(IN_ARRAY, byte & 15);
    return out;
  }
  if (byte < 0xc0) return putString(out, byte & 31);
  if (byte == 0xd9) return putString(out, readLength(1));
  if (byte == 0xda) return putString(out, readLength(2));
  if (byte >= 0xe0) return putSigned(out, <i64>byte - 0x100);
  if (byte >= 0xca && byte < 0xd4) return putNumber(out, byte);
  return putOther(out, byte);
}

function putString(out: u32, bytes: u32): u32 {
  if (!has(bytes)) return out;
  const from = at;
  setAt(from + bytes);
  store<u8>(out, QUOTE);
  out += 1;
  if (bytes <= 16 && from <= vectorLast) {
    const chars = v128.load(from);
    v128.store(out, chars);
    if ((i8x16.bitmask(suspects(chars)) & ((1 << bytes) - 1)) == 0) {
      out += bytes;
      store<u8>(out, QUOTE);
      return out + 1;
    }
  }
  beginPiece(TEXT, from, bytes);
  return endString(pumpText(out));
}

/** The quote, when the piece before it is all out. */
function endString(out: u32): u32 {
  if (pieceFrom != pieceTo) return out;
  endPiece();
  store<u8>(out, QUOTE);
  return out + 1;
}

function putNumber(out: u32, byte: u32): u32 {
  const bytes: u32 = byte < 0xcc ? 4 << (byte - 0xca) : 1 << ((byte - 0xcc) & 3);
  if (!has(bytes)) return out;
  const from = at;
  setAt(from + bytes);
  switch (byte) {
    case 0xca: return putDouble(out, <f64>reinterpret<f32>(read32(from)));
    case 0xcb: return putDouble(out, reinterpret<f64>(read64(from)));
    case 0xcc: return putInteger(out, load<u8>(from));
    case 0xcd: return putInteger(out, read16(from));
    case 0xce: return putInteger(out, read32(from));
    case 0xcf: return putInteger(out, read64(from));
    case 0xd0: return putSigned(out, load<i8>(from));
    case 0xd1: return putSigned(out, <i16>read16(from));
    case 0xd2: return putSigned(out, <i32>read32(from));
    default: return putSigned(out, <i64>read64(from));
  }
}

function putOther(out: u32, byte: u32): u32 {
  switch (byte) {
    case 0xc0: return putNull(out);
    // msgpackr's class for this byte has no members.
    case 0xc1: return putEmptyObject(out);
    case 0xc2: return putFalse(out);
    case 0xc3: return putTrue(out);
    case 0xc4: return putBytes(out, readLength(1));
    case 0xc5: return putBytes(out, readLength(2));
    case 0xc6: return putBytes(out, readLength(4));
    case 0xc7: return putExtension(out, readLength(1));
    case 0xc8: return putExtension(out, readLength(2));
    case 0xc9: return putExtension(out, readLength(4));
    case 0xdb: return putString(out, readLength(4));
    case 0xdc: open(IN_ARRAY, readLength(2)); break;
    case 0xdd: open(IN_ARRAY, readLength(4)); break;
    case 0xde: open(IN_MAP, readLength(2)); break;
    case 0xdf: open(IN_MAP, readLength(4)); break;
    default: return putExtension(out, 1 << (byte - 0xd4));
  }
  return out;
}

export function putTrue(out: u32): u32 {
  store<u32>(out, TRUE_WORD);
  return out + 4;
}

export function putFalse(out: u32): u32 {
  store<u32>(out, FALS_WORD);
  store<u8>(out, 0x65, 4);
  return out + 5;
}

function putEmptyObject(out: u32): u32 {
  store<u16>(out, 0x7d7b);
  return out + 2;
}

function putBytes(out: u32, bytes: u32): u32 {
  if (!has(bytes)) return out;
  store<u8>(out, QUOTE);
  beginPiece(BASE64, at, bytes);
  setAt(at + bytes);
  return endString(pumpBase64(out + 1));
}

/** `bytes` of it follow the type. One that is not known is written as its bytes. */
function putExtension(out: u32, bytes: u32): u32 {
  if (!has(1)) return out;
  const type = <u32>load<u8>(at);
  setAt(at + 1);
  if (type == 0x72) {
    if (define(bytes)) openRecord();
    return out;
  }
  if (type == 0x74 && bytes > 0 && has(bytes)) {
    // The kind of the typed array is of no interest.
    setAt(at + 1);
    return putBytes(out, bytes - 1);
  }
  if (!has(bytes)) return out;
  if (type == 0xff) return putDate(out, readTime(bytes));
  if (type == 0x42) return putBigint(out, bytes);
  const first = bytes == 1 ? <u32>load<u8>(at) : 1;
  if (isTag(type, first)) {
    setAt(at + 1);
    return putTagged(out, type);
  }
  if (type != 0) return putBytes(out, bytes);
  setAt(at + bytes);
  return putNull(out);
}

/** The value behind a tag: a Set's array as it is, an Error's name and message, a RegExp as an object without members. */
function putTagged(out: u32, type: u32): u32 {
  while (end - at >= 3 && load<u8>(at) == 0xd4 && isTag(load<u8>(at, 1), load<u8>(at, 2))) {
    type = load<u8>(at, 1);
    setAt(at + 3);
  }
  if (type == 0x65 && at < end && load<u8>(at) == 0x93) {
    setAt(at + 1);
    open(IN_ERROR, 3);
    return out;
  }
  if (type != 0x78) return putValue(out);
  skim();
  return putEmptyObject(out);
}

/** Milliseconds of a timestamp extension, which is passed over. NO_TIME for an invalid Date. */
export function readTime(bytes: u32): f64 {
  const from = at;
  setAt(from + bytes);
  if (bytes == 4) return <f64>read32(from) * 1000;
  if (bytes == 8) {
    const both = read64(from);
    return <f64>(both & 0x3ffffffff) * 1000 + <f64>((both >> 34) / 1000000);
  }
  return bytes == 12 ? <f64><i64>read64(from + 4) * 1000 + <f64>(read32(from) / 1000000) : NO_TIME;
}

function putDate(out: u32, ms: f64): u32 {
  if (!isTime(ms)) return putNull(out);
  store<u8>(out, QUOTE);
  return putQuote(putTime(out + 1, <i64>ms));
}

// @ts-ignore: decorator
@inline
function putQuote(out: u32): u32 {
  store<u8>(out, QUOTE);
  return out + 1;
}

function putBigint(out: u32, bytes: u32): u32 {
  beginPiece(DIGITS, 0, takeBigint(at, bytes));
  setAt(at + bytes);
  out = pumpDigits(out);
  if (pieceFrom == pieceTo) endPiece();
  return out;
}
