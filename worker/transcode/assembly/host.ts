// What the host does for a line: texts that only JavaScript makes.

/** The shortest text of a double, written at `to`. Returns its bytes. */
// @ts-ignore: decorator
@external("host", "double")
export declare function doubleText(value: f64, to: u32): u32;

/** Makes the digits of a big integer ready. */
// @ts-ignore: decorator
@external("host", "bigint")
export declare function beginBigint(from: u32, bytes: u32): void;

/** Writes as many of them as there is room for. Returns how many; their complement while more are to come. */
// @ts-ignore: decorator
@external("host", "bigintPiece")
export declare function bigintPiece(to: u32, room: u32): i32;

/** zlib's checksum, going on with `crc`. */
// @ts-ignore: decorator
@external("host", "crc32")
export declare function hostCrc32(from: u32, bytes: u32, crc: u32): u32;
