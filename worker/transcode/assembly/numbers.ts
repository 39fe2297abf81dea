import { writeDouble } from './host';
import { putNull } from './texts';

/** Below this every integer is a double of its own, and an integer times a power of ten is exact enough. */
const DIGITS_15: f64 = 1e15;
const INTEGER_MAX: f64 = 9007199254740992;
const DECIMALS_MAX: u32 = 15;
/** JavaScript writes smaller ones with an exponent. */
const DECIMAL_MIN: f64 = 1e-6;

/** Decimal digits; returns their end. */
export function putInteger(out: u32, value: u64): u32 {
  if (value >> 32 != 0) {
    const high = value / 1000000000;
    return putDigits(putInteger(out, high), <u32>(value - high * 1000000000), 9);
  }
  const small = <u32>value;
  if (small < 10) {
    store<u8>(out, 0x30 + small);
    return out + 1;
  }
  return putDigits(out, small, countDigits(small));
}

function countDigits(value: u32): u32 {
  if (value < 10000) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4;
  if (value < 100000000) return value < 1000000 ? (value < 100000 ? 5 : 6) : value < 10000000 ? 7 : 8;
  return value < 1000000000 ? 9 : 10;
}

/** So many digits of the value, with zeros before it. */
export function putDigits(out: u32, value: u32, digits: u32): u32 {
  const last = out + digits;
  let to = last;
  while (to - out >= 2) {
    const rest = value / 100;
    const pair = value - rest * 100;
    const ten = pair / 10;
    to -= 2;
    store<u16>(to, 0x3030 + ten + ((pair - ten * 10) << 8));
    value = rest;
  }
  if (to != out) store<u8>(out, 0x30 + (value % 10));
  return last;
}

export function putSigned(out: u32, value: i64): u32 {
  if (value >= 0) return putInteger(out, <u64>value);
  store<u8>(out, 0x2d);
  return putInteger(out + 1, 0 - <u64>value);
}

/**
 * As JSON has it: the shortest text that reads back as the same double; null for what is no number. Integers, and decimals of
 * up to 15 digits, are done here; the rest is asked of JavaScript. With `scaled` the nearest integer to value * 10^k, for
 * the smallest k at which scaled / 10^k is the value: both of these are exact, the division rounds correctly, so the
 * decimal reads back as the value. Fewer decimals would not, by the choice of k; and no two decimals of 15 digits
 * read back as the same double, so there is no other with as few.
 */
export function putDouble(out: u32, value: f64): u32 {
  const magnitude = abs(value);
  if (!(magnitude < Infinity)) return putNull(out);
  if (magnitude < INTEGER_MAX && trunc(magnitude) == magnitude) return putSigned(out, <i64>value);
  if (magnitude >= DECIMAL_MIN && magnitude < DIGITS_15) {
    let power: f64 = 10;
    for (let decimals: u32 = 1; decimals <= DECIMALS_MAX; decimals += 1) {
      const scaled = nearest(magnitude * power);
      if (scaled >= DIGITS_15) break;
      if (scaled / power == magnitude) return putDecimal(out, value < 0, <u64>scaled, <u64>power, decimals);
      power *= 10;
    }
  }
  return out + writeDouble(value, out);
}

function putDecimal(out: u32, isNegative: bool, scaled: u64, power: u64, decimals: u32): u32 {
  if (isNegative) {
    store<u8>(out, 0x2d);
    out += 1;
  }
  const whole = scaled / power;
  const point = putInteger(out, whole);
  store<u8>(point, 0x2e);
  const fraction = scaled - whole * power;
  out = point + 1;
  if (decimals <= 9) return putDigits(out, <u32>fraction, decimals);
  const high = fraction / 1000000000;
  return putDigits(putDigits(out, <u32>high, decimals - 9), <u32>(fraction - high * 1000000000), 9);
}
