// What is asked of JavaScript.

/** Writes a number as JavaScript does; returns the bytes. */
// @ts-ignore: decorator
@external("host", "double")
export declare function writeDouble(value: f64, to: u32): u32;

/** Takes an integer of any size, big-endian in two's complement; returns how many characters its digits have. */
// @ts-ignore: decorator
@external("host", "bigint")
export declare function takeBigint(from: u32, bytes: u32): u32;

/** Writes so many of its digits, from the given one on. */
// @ts-ignore: decorator
@external("host", "digits")
export declare function writeDigits(from: u32, count: u32, to: u32): void;

/** zlib's checksum, which has instructions that WebAssembly has not. */
// @ts-ignore: decorator
@external("host", "crc32")
export declare function hostCrc32(from: u32, bytes: u32, crc: u32): u32;
