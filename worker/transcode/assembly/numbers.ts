import { doubleText } from './host';
import { SECOND_TEXT, out, put, scratch, setOut } from './state';

const DIGITS_EXACT_MAX: f64 = 1e15;
const DECIMALS_MAX: i32 = 15;
const INTEGER_MAX: f64 = 9007199254740992;

/** Decimal digits of an integer, at least `width` of them. */
export function putInteger(value: u64, width: i32 = 1): void {
  let digits: i32 = 1;
  for (let rest = value / 10; rest != 0; rest /= 10) digits += 1;
  if (digits < width) digits = width;
  let to = out + <u32>digits;
  setOut(to);
  for (let i = 0; i < digits; i += 1) {
    to -= 1;
    store<u8>(to, 0x30 + <u32>(value % 10));
    value /= 10;
  }
}

export function putSigned(value: i64): void {
  if (value < 0) put(0x2d);
  putInteger(value < 0 ? <u64>(0 - value) : <u64>value);
}

/**
 * The shortest text that reads back as the same double, as JavaScript writes it. Integers and decimals of up to 15 digits
 * are done here: the nearest integer n to value * 10^k, for the smallest k at which n / 10^k is the value again. Both are
 * exact below 2^53, the division rounds correctly, and no two decimals of 15 digits are the same double, so this one is
 * the shortest. Everything else is asked of JavaScript.
 */
export function putDouble(value: f64): void {
  const magnitude = abs(value);
  if (magnitude < INTEGER_MAX && trunc(value) == value) {
    putSigned(<i64>value);
    return;
  }
  if (magnitude >= 1e-6 && magnitude < DIGITS_EXACT_MAX) {
    let power: f64 = 10;
    for (let decimals = 1; decimals <= DECIMALS_MAX; decimals += 1) {
      const scaled = nearest(magnitude * power);
      if (scaled >= DIGITS_EXACT_MAX) break;
      if (scaled / power == magnitude) {
        putDecimal(value < 0, <u64>scaled, <u64>power, decimals);
        return;
      }
      power *= 10;
    }
  }
  setOut(out + doubleText(value, out));
}

function putDecimal(isNegative: bool, scaled: u64, power: u64, decimals: i32): void {
  if (isNegative) put(0x2d);
  putInteger(scaled / power);
  put(0x2e);
  putInteger(scaled % power, decimals);
}

let secondFormatted: i64 = i64.MIN_VALUE;
let secondBytes: u32 = 0;

/** Milliseconds since 1970 as Date.prototype.toISOString writes them. */
export function putTime(ms: i64): void {
  const second = floorDiv(ms, 1000);
  const text = scratch + SECOND_TEXT;
  if (second != secondFormatted) {
    const start = out;
    putSecond(second);
    secondBytes = out - start;
    memory.copy(text, start, secondBytes);
    secondFormatted = second;
  } else {
    v128.store(out, v128.load(text));
    v128.store(out, v128.load(text, 16), 16);
    setOut(out + secondBytes);
  }
  put(0x2e);
  putInteger(<u64>(ms - second * 1000), 3);
  put(0x5a);
}

function floorDiv(value: i64, by: i64): i64 {
  const quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

/** Date and time to the second. Days to a date as in "chrono-Compatible Low-Level Date Algorithms" (H. Hinnant). */
function putSecond(second: i64): void {
  const day = floorDiv(second, 86400);
  const time = second - day * 86400;
  const shifted = day + 719468;
  const era = floorDiv(shifted, 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const monthFromMarch = (5 * dayOfYear + 2) / 153;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  if (year < 0 || year > 9999) {
    put(year < 0 ? 0x2d : 0x2b);
    putInteger(<u64>(year < 0 ? 0 - year : year), 6);
  } else {
    putInteger(<u64>year, 4);
  }
  put(0x2d);
  putInteger(<u64>month, 2);
  put(0x2d);
  putInteger(<u64>(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1), 2);
  put(0x54);
  putInteger(<u64>(time / 3600), 2);
  put(0x3a);
  putInteger(<u64>((time / 60) % 60), 2);
  put(0x3a);
  putInteger(<u64>(time % 60), 2);
}
