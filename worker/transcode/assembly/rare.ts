// Members of containers that are not records or arrays.
import { takeBigint } from './host';
import { IN_MAP, IN_OWN_RECORD, beginOwnKey, form, left, passedUndefined, putLead } from './members';
import { putDouble, putInteger, putSigned } from './numbers';
import { BASE64, DIGITS_KEY, KEY, beginPiece, endPiece, piece, pieceFrom, pieceTo, pumpBase64, pumpCopy, pumpDigits, PREFIX, TEXT } from './pieces';
import { readKeyHead } from './records';
import { skim } from './skim';
import { at, isFaulty, read16, read32, read64, readLength, setAt } from './state';
import { pumpText } from './strings';
import { MESSAGE_TEXT, NAME_TEXT, OBJECT_TEXT, UNDEFINED_TEXT, putNull, putText } from './texts';
import { isTime, putTime } from './time';
import { putFalse, putTrue, putValue, readTime } from './values';

/** The next member of a container that has its keys in the payload, or of an Error. */
export function putRareMember(out: u32): u32 {
  if (form == IN_OWN_RECORD) {
    beginOwnKey();
    if (passedUndefined()) {
      endPiece();
      return out;
    }
    return goOn(putKeyStart(out));
  }
  return form == IN_MAP ? putMapMember(out) : putErrorMember(out);
}

function putKeyStart(out: u32): u32 {
  out = putLead(out);
  store<u8>(out, 0x22);
  return out + 1;
}

/** Goes on with the piece; when it is all out, with what belongs behind it. */
export function goOn(out: u32): u32 {
  if (piece == TEXT || piece == KEY) out = pumpText(out);
  else if (piece == PREFIX) out = pumpCopy(out);
  else if (piece == BASE64) out = pumpBase64(out);
  else out = pumpDigits(out);
  if (pieceFrom != pieceTo) return out;
  const ended = piece;
  endPiece();
  if (ended == KEY || ended == DIGITS_KEY) return putValue(putKeyEnd(out));
  if (ended == PREFIX) return putValue(out);
  if (ended == TEXT || ended == BASE64) {
    store<u8>(out, 0x22);
    return out + 1;
  }
  return out;
}

function putKeyEnd(out: u32): u32 {
  store<u16>(out, 0x3a22);
  return out + 2;
}

/**
 * A Map's key as an object's: a string as it is; numbers, constants, bigints as String() has them, a Date as JSON has it;
 * anything else as [object].
 */
function putMapMember(out: u32): u32 {
  const key = at;
  skim();
  if (isFaulty || passedUndefined()) return out;
  const value = at;
  setAt(key);
  out = putKeyStart(out);
  const byte = <u32>load<u8>(key);
  if ((byte >= 0xa0 && byte < 0xc0) || (byte >= 0xd9 && byte <= 0xdb)) {
    const bytes = readKeyHead();
    beginPiece(KEY, at, bytes);
  } else if (!beginBigintKey(byte)) {
    out = putKeyEnd(putScalarKey(out, byte));
    setAt(value);
    return putValue(out);
  }
  setAt(value);
  return goOn(out);
}

/** Whether the key is a bigint of many digits. Afterwards the place is behind the head of an extension. */
function beginBigintKey(byte: u32): bool {
  if (byte < 0xc7 || byte > 0xd8 || (byte > 0xc9 && byte < 0xd4)) return false;
  const key = at;
  setAt(key + 1);
  const bytes: u32 = byte < 0xd4 ? readLength(1 << (byte - 0xc7)) : 1 << (byte - 0xd4);
  if (load<u8>(at) == 0x42) {
    beginPiece(DIGITS_KEY, 0, takeBigint(at + 1, bytes));
    return true;
  }
  setAt(key);
  return false;
}

function putScalarKey(out: u32, byte: u32): u32 {
  const from = at + 1;
  if (byte < 0x40) return putInteger(out, byte);
  if (byte >= 0xe0) return putSigned(out, <i64>byte - 0x100);
  switch (byte) {
    case 0xc0: return putNull(out);
    case 0xc2: return putFalse(out);
    case 0xc3: return putTrue(out);
    case 0xca: return putDoubleKey(out, <f64>reinterpret<f32>(read32(from)));
    case 0xcb: return putDoubleKey(out, reinterpret<f64>(read64(from)));
    case 0xcc: return putInteger(out, load<u8>(from));
    case 0xcd: return putInteger(out, read16(from));
    case 0xce: return putInteger(out, read32(from));
    case 0xcf: return putInteger(out, read64(from));
    case 0xd0: return putSigned(out, load<i8>(from));
    case 0xd1: return putSigned(out, <i16>read16(from));
    case 0xd2: return putSigned(out, <i32>read32(from));
    case 0xd3: return putSigned(out, <i64>read64(from));
    default: return putExtensionKey(out, byte);
  }
}

// @ts-ignore: decorator
@lazy
const INFINITY_TEXT: usize = memory.data<u8>([0x2d, 0x49, 0x6e, 0x66, 0x69, 0x6e, 0x69, 0x74, 0x79, 0, 0, 0, 0, 0, 0, 0, 0]);
const NAN_WORD: u32 = 0x004e614e;

function putDoubleKey(out: u32, value: f64): u32 {
  if (abs(value) < Infinity) return putDouble(out, value);
  if (value > 0) return putText(out, INFINITY_TEXT + 1, 8);
  if (value < 0) return putText(out, INFINITY_TEXT, 9);
  store<u32>(out, NAN_WORD);
  return out + 3;
}

function putExtensionKey(out: u32, byte: u32): u32 {
  if (byte < 0xd4 || byte > 0xd8) {
    if (byte != 0xc7 || load<u8>(at, 1) != 12 || load<u8>(at, 2) != 0xff) return putText(out, OBJECT_TEXT, 8);
    setAt(at + 3);
    return putTimeKey(out, readTime(12));
  }
  if (load<u8>(at, 1) == 0xff) {
    setAt(at + 2);
    return putTimeKey(out, readTime(1 << (byte - 0xd4)));
  }
  return byte == 0xd4 && load<u16>(at, 1) == 0 ? putText(out, UNDEFINED_TEXT, 9) : putText(out, OBJECT_TEXT, 8);
}

function putTimeKey(out: u32, ms: f64): u32 {
  return isTime(ms) ? putTime(out, <i64>ms) : putNull(out);
}

/** Name and message; the cause is passed over. `left` no longer counts the member. */
function putErrorMember(out: u32): u32 {
  if (left == 0) {
    skim();
    return out;
  }
  if (passedUndefined()) return out;
  const start = out;
  out = left == 2 ? putText(out, NAME_TEXT, 8) : putText(out, MESSAGE_TEXT, 11);
  putLead(start);
  return putValue(out);
}
