/** What comes next in a line. */
export const MEMBER: u32 = 0;
export const VALUE: u32 = 1;
export const PREFIX: u32 = 2;
export const TEXT: u32 = 3;
export const BASE64: u32 = 4;
export const DIGITS: u32 = 5;
export const TAIL: u32 = 6;
export const DONE: u32 = 7;

export const FAULT_DEEP: u32 = 3;
export const FAULT_ITEM: u32 = 4;
