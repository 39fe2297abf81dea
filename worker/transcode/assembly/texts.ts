// Fixed texts, sixteen bytes each.

// @ts-ignore: decorator
@lazy
export const LINE_TEXT: usize = memory.data<u8>([0x7b, 0x22, 0x74, 0x69, 0x6d, 0x65, 0x73, 0x74, 0x61, 0x6d, 0x70, 0x22, 0x3a, 0x22, 0, 0]); // {"timestamp":"
// @ts-ignore: decorator
@lazy
export const ORDINAL_TEXT: usize = memory.data<u8>([0x5a, 0x22, 0x2c, 0x22, 0x6f, 0x72, 0x64, 0x69, 0x6e, 0x61, 0x6c, 0x22, 0x3a, 0, 0, 0]); // Z","ordinal":
// @ts-ignore: decorator
@lazy
export const CRC_TEXT: usize = memory.data<u8>([0x2c, 0x22, 0x63, 0x72, 0x63, 0x22, 0x3a, 0x22, 0, 0, 0, 0, 0, 0, 0, 0]); // ,"crc":"
// @ts-ignore: decorator
@lazy
export const NAME_TEXT: usize = memory.data<u8>([0x2c, 0x22, 0x6e, 0x61, 0x6d, 0x65, 0x22, 0x3a, 0, 0, 0, 0, 0, 0, 0, 0]); // ,"name":
// @ts-ignore: decorator
@lazy
export const MESSAGE_TEXT: usize = memory.data<u8>([0x2c, 0x22, 0x6d, 0x65, 0x73, 0x73, 0x61, 0x67, 0x65, 0x22, 0x3a, 0, 0, 0, 0, 0]); // ,"message":
// @ts-ignore: decorator
@lazy
export const OBJECT_TEXT: usize = memory.data<u8>([0x5b, 0x6f, 0x62, 0x6a, 0x65, 0x63, 0x74, 0x5d, 0, 0, 0, 0, 0, 0, 0, 0]); // [object]
// @ts-ignore: decorator
@lazy
export const UNDEFINED_TEXT: usize = memory.data<u8>([0x75, 0x6e, 0x64, 0x65, 0x66, 0x69, 0x6e, 0x65, 0x64, 0, 0, 0, 0, 0, 0, 0]); // undefined

export const NULL_WORD: u32 = 0x6c6c756e;
export const TRUE_WORD: u32 = 0x65757274;
export const FALS_WORD: u32 = 0x736c6166;

/** Writes a text; returns its end. */
// @ts-ignore: decorator
@inline
export function putText(out: u32, text: usize, bytes: u32): u32 {
  v128.store(out, v128.load(text));
  return out + bytes;
}

// @ts-ignore: decorator
@inline
export function putNull(out: u32): u32 {
  store<u32>(out, NULL_WORD);
  return out + 4;
}
