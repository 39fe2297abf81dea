// Values. Each function returns the step that follows.
import { beginBigint } from './host';
import { IN_ARRAY, IN_ERROR, formOf, open } from './containers';
import { measure } from './measure';
import { putDouble, putInteger, putSigned, putTime } from './numbers';
import { at, put, putNull, setAt, setFault } from './state';
import { BASE64, DIGITS, FAULT_ITEM, MEMBER, TEXT, VALUE } from './steps';
import { BARE, QUOTED, beginPiece } from './strings';
import { FALSE_TEXT, NAME_TEXT, TRUE_TEXT, putText } from './texts';
import {
  ARRAY, BIGINT, BYTES, DATE, DOUBLE, ERROR, FALSE, MAP, OWN_RECORD, RECORD, REGEXP, SET, SIGNED, STRING, TRUE, UNDEFINED, UNSIGNED,
  double, integer, next, size,
} from './tokens';

/** Numbers and constants. False for anything else. */
export function putScalar(kind: u32): bool {
  if (kind == UNSIGNED) putInteger(integer);
  else if (kind == SIGNED) putSigned(<i64>integer);
  else if (kind == TRUE) putText(TRUE_TEXT, 4);
  else if (kind == FALSE) putText(FALSE_TEXT, 5);
  else if (kind <= UNDEFINED) putNull();
  else if (kind != DOUBLE) return false;
  else if (abs(double) < Infinity) putDouble(double);
  else putNull();
  return true;
}

export function value(): u32 {
  const kind = next();
  if (kind == STRING) {
    put(0x22);
    beginPiece(at, size, QUOTED);
    setAt(at + size);
    return TEXT;
  }
  if (putScalar(kind)) return MEMBER;
  if (kind == RECORD || kind == OWN_RECORD || kind == MAP) {
    put(0x7b);
    open(formOf(kind), size, kind);
    return MEMBER;
  }
  if (kind == ARRAY) {
    put(0x5b);
    open(IN_ARRAY, size, kind);
    return MEMBER;
  }
  return rareValue(kind);
}

function rareValue(kind: u32): u32 {
  if (kind == SET) return VALUE;
  if (kind == BYTES) {
    put(0x22);
    beginPiece(at, size, QUOTED);
    setAt(at + size);
    return BASE64;
  }
  if (kind == BIGINT) {
    beginBigint(at, size);
    beginPiece(at, 0, BARE);
    setAt(at + size);
    return DIGITS;
  }
  if (kind == DATE) {
    put(0x22);
    putTime(<i64>integer);
    put(0x22);
  } else if (kind == REGEXP) {
    measure();
    put(0x7b);
    put(0x7d);
  } else if (kind == ERROR && next() == ARRAY && size == 3) {
    putText(NAME_TEXT, 8);
    open(IN_ERROR, 3, ARRAY);
  } else {
    setFault(FAULT_ITEM);
  }
  return MEMBER;
}
