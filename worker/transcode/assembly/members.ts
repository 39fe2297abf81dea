// The members of containers, up to their values. Each function returns the step that follows.
import { beginBigint } from './host';
import {
  IN_ARRAY, IN_MAP, IN_OWN_RECORD, IN_RECORD, close, definition, form, isFirst, keys, left, setKeys, takeMember, wroteMember,
} from './containers';
import { measure } from './measure';
import { putTime } from './numbers';
import { at, end, out, put, setAt, setOut } from './state';
import { DIGITS, MEMBER, PREFIX, TAIL, TEXT, VALUE } from './steps';
import { AS_KEY, beginPiece, endKey } from './strings';
import { MESSAGE_TEXT, OBJECT_TEXT, UNDEFINED_TEXT, putText } from './texts';
import { BIGINT, DATE, STRING, UNDEFINED, integer, next, size } from './tokens';
import { putScalar } from './values';

/** Longest prefix that is copied in one step. */
const PREFIX_BYTES: u32 = 64;
const KEY_BYTES: u32 = 8;

/** The next member of the innermost container, or its end. */
export function member(): u32 {
  if (left == 0) return close() ? MEMBER : TAIL;
  takeMember();
  const kind = form();
  if (kind == IN_RECORD) return recordMember();
  if (kind == IN_ARRAY) return arrayMember();
  if (kind == IN_OWN_RECORD) return ownRecordMember();
  return kind == IN_MAP ? mapMember() : errorMember();
}

/** Whether undefined comes next: then it is passed over, and the member is left out. */
// @ts-ignore: decorator
@inline
function passedUndefined(): bool {
  if (end - at < 3 || load<u16>(at) != 0x00d4 || load<u8>(at, 2) != 0) return false;
  setAt(at + 3);
  return true;
}

function recordMember(): u32 {
  const key = keys;
  setKeys(key + KEY_BYTES);
  if (passedUndefined()) return MEMBER;
  const skipped: u32 = isFirst ? 1 : 0;
  const from = definition + load<u32>(key) + skipped;
  const bytes = load<u32>(key, 4) - skipped;
  wroteMember();
  if (bytes > PREFIX_BYTES) {
    beginPiece(from, bytes, AS_KEY);
    return PREFIX;
  }
  v128.store(out, v128.load(from));
  if (bytes > 16) {
    v128.store(out, v128.load(from, 16), 16);
    if (bytes > 32) {
      v128.store(out, v128.load(from, 32), 32);
      v128.store(out, v128.load(from, 48), 48);
    }
  }
  setOut(out + bytes);
  return VALUE;
}

function arrayMember(): u32 {
  if (!isFirst) put(0x2c);
  wroteMember();
  return VALUE;
}

function putKeyStart(): void {
  if (!isFirst) put(0x2c);
  wroteMember();
  put(0x22);
}

function ownRecordMember(): u32 {
  const value = at;
  setAt(keys);
  next();
  const from = at;
  const bytes = size;
  setKeys(from + bytes);
  setAt(value);
  if (passedUndefined()) return MEMBER;
  putKeyStart();
  beginPiece(from, bytes, AS_KEY);
  return TEXT;
}

/** A Map's key may be anything: a string as it is, a number or a constant as its text. */
function mapMember(): u32 {
  const start = at;
  measure();
  const valueAt = at;
  if (passedUndefined()) return MEMBER;
  setAt(start);
  const kind = next();
  const from = at;
  setAt(valueAt);
  putKeyStart();
  if (kind == STRING) {
    beginPiece(from, size, AS_KEY);
    return TEXT;
  }
  if (kind == BIGINT) {
    beginBigint(from, size);
    beginPiece(from, 0, AS_KEY);
    return DIGITS;
  }
  if (kind == UNDEFINED) putText(UNDEFINED_TEXT, 9);
  else if (kind == DATE) putTime(<i64>integer);
  else if (!putScalar(kind)) putText(OBJECT_TEXT, 8);
  endKey();
  return VALUE;
}

/** Name and message of an Error; its cause is passed over. */
function errorMember(): u32 {
  if (left == 1) putText(MESSAGE_TEXT, 11);
  if (left > 0) return VALUE;
  measure();
  return MEMBER;
}
