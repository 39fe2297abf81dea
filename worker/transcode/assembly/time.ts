import { putDigits, putInteger } from './numbers';
import { LINE_START, scratch } from './state';
import { LINE_TEXT, ORDINAL_TEXT, putText } from './texts';

/** Furthest a Date reaches from 1970, in milliseconds. */
const TIME_MAX: f64 = 8.64e15;
const SECONDS_A_DAY: i64 = 86400;

export function isTime(ms: f64): bool {
  return abs(ms) <= TIME_MAX;
}

/** The second that the text at LINE_START is of, and the text's end. */
let lineSecond: i64 = i64.MIN_VALUE;
let lineStartBytes: u32 = 0;

/**
 * `{"timestamp":"…","ordinal":…`, or without the ordinal when it is below 0: the second's text is kept, since most lines are
 * of the same one as the line before.
 */
export function putEnvelope(out: u32, ms: i64, ordinal: i64): u32 {
  const second = floorDiv(ms, 1000);
  const start = scratch + LINE_START;
  if (second != lineSecond) {
    lineStartBytes = putSecond(putText(start, LINE_TEXT, 14), second) - start;
    lineSecond = second;
  }
  v128.store(out, v128.load(start));
  v128.store(out, v128.load(start, 16), 16);
  v128.store(out, v128.load(start, 32), 32);
  const last = putMilliseconds(out + lineStartBytes, <u32>(ms - second * 1000));
  if (ordinal < 0) return putText(last, ORDINAL_TEXT, 2);
  return putInteger(putText(last, ORDINAL_TEXT, 13), <u64>ordinal);
}

/** As Date.prototype.toISOString writes it. */
export function putTime(out: u32, ms: i64): u32 {
  const second = floorDiv(ms, 1000);
  const last = putMilliseconds(putSecond(out, second), <u32>(ms - second * 1000));
  store<u8>(last, 0x5a);
  return last + 1;
}

function putMilliseconds(out: u32, ms: u32): u32 {
  store<u8>(out, 0x2e);
  return putDigits(out + 1, ms, 3);
}

function floorDiv(value: i64, by: i64): i64 {
  const quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

function putSeparated(out: u32, separator: u32, value: u32): u32 {
  store<u8>(out, separator);
  return putDigits(out + 1, value, 2);
}

/** Date and time to the second. From days to a date as in "chrono-Compatible Low-Level Date Algorithms" by H. Hinnant. */
function putSecond(out: u32, second: i64): u32 {
  const day = floorDiv(second, SECONDS_A_DAY);
  const time = <u32>(second - day * SECONDS_A_DAY);
  const shifted = day + 719468;
  const era = floorDiv(shifted, 146097);
  const dayOfEra = <u32>(shifted - era * 146097);
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const fromMarch = (5 * dayOfYear + 2) / 153;
  const month: u32 = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = <i32>yearOfEra + <i32>era * 400 + (month <= 2 ? 1 : 0);
  out = putYear(out, year);
  out = putSeparated(out, 0x2d, month);
  out = putSeparated(out, 0x2d, dayOfYear - (153 * fromMarch + 2) / 5 + 1);
  out = putSeparated(out, 0x54, time / 3600);
  out = putSeparated(out, 0x3a, (time / 60) % 60);
  return putSeparated(out, 0x3a, time % 60);
}

function putYear(out: u32, year: i32): u32 {
  if (year >= 0 && year <= 9999) return putDigits(out, <u32>year, 4);
  store<u8>(out, year < 0 ? 0x2d : 0x2b);
  return putDigits(out + 1, <u32>abs(year), 6);
}
