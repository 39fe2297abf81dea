// CRC-32 as zlib's (polynomial 0xedb88320, reflected), sixteen bytes at a time with a table for each.
import { hostCrc32 } from './host';
import { CRC_TABLES, scratch } from './state';

/** From here on asking zlib, which has vector instructions for it, is worth the call. */
const HOST_BYTES_MIN: u32 = 4096;

/** Fills the tables of this instance. */
export function makeTables(): void {
  const tables = scratch + CRC_TABLES;
  for (let byte: u32 = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >> 1) ^ 0xedb88320 : value >> 1;
    store<u32>(tables + (byte << 2), value);
  }
  for (let table: u32 = 1; table < 16; table += 1) {
    for (let byte: u32 = 0; byte < 256; byte += 1) {
      const before = load<u32>(tables + ((table - 1) << 10) + (byte << 2));
      store<u32>(tables + (table << 10) + (byte << 2), (before >> 8) ^ load<u32>(tables + ((before & 255) << 2)));
    }
  }
}

// @ts-ignore: decorator
@inline
function entry(tables: u32, table: u32, byte: u32): u32 {
  return load<u32>(tables + (table << 10) + ((byte & 255) << 2));
}

// @ts-ignore: decorator
@inline
function four(tables: u32, table: u32, word: u32): u32 {
  return entry(tables, table, word) ^ entry(tables, table - 1, word >> 8) ^ entry(tables, table - 2, word >> 16) ^ entry(tables, table - 3, word >> 24);
}

/** Goes on with `crc`, 0 at the start, as zlib's function does. */
export function crc32(from: u32, bytes: u32, crc: u32): u32 {
  if (bytes >= HOST_BYTES_MIN) return hostCrc32(from, bytes, crc);
  const tables = scratch + CRC_TABLES;
  let value = ~crc;
  const to = from + bytes;
  while (to - from >= 16) {
    value = four(tables, 15, load<u32>(from) ^ value) ^ four(tables, 11, load<u32>(from, 4))
      ^ four(tables, 7, load<u32>(from, 8)) ^ four(tables, 3, load<u32>(from, 12));
    from += 16;
  }
  for (; from < to; from += 1) value = (value >> 8) ^ entry(tables, 0, value ^ <u32>load<u8>(from));
  return ~value;
}
