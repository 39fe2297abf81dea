// CRC-32 as zlib's (polynomial 0xedb88320, reflected), sixteen bytes at a time with a table for each of them.
import { hostCrc32 } from './host';
import { CRC_TABLES, scratch } from './state';

/** From here on the call to zlib costs less than its speed saves. */
const HOST_BYTES_MIN: u32 = 1024;

export function makeCrcTables(): void {
  const tables = scratch + CRC_TABLES;
  for (let byte: u32 = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >> 1) ^ 0xedb88320 : value >> 1;
    store<u32>(tables + (byte << 2), value);
  }
  for (let index: u32 = 256; index < 16 * 256; index += 1) {
    const before = load<u32>(tables + ((index - 256) << 2));
    store<u32>(tables + (index << 2), (before >> 8) ^ load<u32>(tables + ((before & 255) << 2)));
  }
}

/** Four bytes, the last of which has the table `table`. */
// @ts-ignore: decorator
@inline
function four(tables: u32, table: u32, word: u32): u32 {
  return load<u32>(tables + ((table + 3) << 10) + ((word & 255) << 2))
    ^ load<u32>(tables + ((table + 2) << 10) + (((word >> 8) & 255) << 2))
    ^ load<u32>(tables + ((table + 1) << 10) + (((word >> 16) & 255) << 2))
    ^ load<u32>(tables + (table << 10) + ((word >> 24) << 2));
}

/** Goes on with `crc`, 0 at the start, as zlib's function does. */
export function crc32(from: u32, bytes: u32, crc: u32): u32 {
  if (bytes >= HOST_BYTES_MIN) return hostCrc32(from, bytes, crc);
  const tables = scratch + CRC_TABLES;
  let value = ~crc;
  const to = from + bytes;
  for (; to - from >= 16; from += 16) {
    value = four(tables, 12, load<u32>(from) ^ value) ^ four(tables, 8, load<u32>(from, 4))
      ^ four(tables, 4, load<u32>(from, 8)) ^ four(tables, 0, load<u32>(from, 12));
  }
  if (to - from >= 8) {
    value = four(tables, 4, load<u32>(from) ^ value) ^ four(tables, 0, load<u32>(from, 4));
    from += 8;
  }
  if (to - from >= 4) {
    value = four(tables, 0, load<u32>(from) ^ value);
    from += 4;
  }
  for (; from < to; from += 1) value = (value >> 8) ^ load<u32>(tables + (((value ^ <u32>load<u8>(from)) & 255) << 2));
  return ~value;
}
