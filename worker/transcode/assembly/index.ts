// msgpack to one JSON line, in steps that fit into a bounded output. What is not finished when the output is full goes on
// where it stopped: the place is in globals, the containers that are open are on a stack in scratch.
import { crc32, makeTables } from './crc';
import { measure } from './measure';
import { putDouble, putInteger, putSigned, putTime } from './numbers';
import {
  limit, STACK, STACK_MAX, at, end, fault, hasRoom, out, put, putNull, scratch, setAt, setFault, setInput, setOut, setOutput, setScratch,
} from './state';
import { beginPiece, pumpBase64, pumpCopy, pumpString } from './strings';
import {
  CRC_END_TEXT, CRC_TEXT, FALSE_TEXT, MESSAGE_TEXT, NAME_TEXT, OBJECT_TEXT, ORDINAL_TEXT, TIMESTAMP_TEXT, TRUE_TEXT, UNDEFINED_TEXT, putText,
} from './texts';
import {
  ARRAY, BIGINT, BYTES, DATE, DOUBLE, ERROR, FALSE, MAP, OWN_RECORD, RECORD, REGEXP, SET, SIGNED, STRING, TRUE, UNDEFINED, UNSIGNED,
  double, integer, list, next, setDefinitions, size,
} from './tokens';

// @ts-ignore: decorator
@external("host", "bigint")
declare function beginBigint(from: u32, bytes: u32): void;
// @ts-ignore: decorator
@external("host", "bigintPiece")
declare function bigintPiece(to: u32, room: u32): i32;

/** What comes next. */
const MEMBER: u32 = 0;
const VALUE: u32 = 1;
const PREFIX: u32 = 2;
const TEXT: u32 = 3;
const BASE64: u32 = 4;
const DIGITS: u32 = 5;
const TAIL: u32 = 6;
const DONE: u32 = 7;

/** Containers. ITEM: the members of the line itself, whose braces are the envelope's. */
const ITEM: u32 = 0;
const IN_RECORD: u32 = 1;
const IN_OWN_RECORD: u32 = 2;
const IN_MAP: u32 = 3;
const IN_ARRAY: u32 = 4;
const IN_ERROR: u32 = 5;

/** Longest prefix that is copied in one step. */
const PREFIX_BYTES: u32 = 64;
const FAULT_DEEP: u32 = 3;
const FAULT_ITEM: u32 = 4;

let state: u32 = DONE;
/** The piece being written is a key, or digits without quotes. */
let isKey: bool = false;
let isBare: bool = false;
/** The open container: its kind, members left, where its next key is, and whether a member was written. */
let container: u32 = ITEM;
let left: u32 = 0;
let keys: u32 = 0;
let isFirst: bool = false;
/** Whether ITEM's members are a record's, an own record's or a Map's. */
let itemForm: u32 = IN_RECORD;
/** Where the open record's definition is. */
let recordAt: u32 = 0;
let depth: u32 = 0;
/** The checksum so far, and where what it does not cover yet begins. */
let crc: u32 = 0;
let lineStart: u32 = 0;

export function init(scratchOffset: u32, definitionsOffset: u32): void {
  setScratch(scratchOffset);
  setDefinitions(definitionsOffset);
}

/** Before the first line; an instance that only measures needs no tables. */
export function initWriter(): void {
  makeTables();
}

/** Levels of the value at `payload`: containers in containers. Negative when it is no msgpack. */
export function levels(payload: u32, bytes: u32): i32 {
  setInput(payload, payload + bytes);
  const deepest = measure();
  return fault == 0 && at == end ? <i32>deepest : -1;
}

/** The end of what was written; negated while the line is not finished, 0 when the payload is none. */
export function line(payload: u32, bytes: u32, timestampMs: f64, ordinal: f64, to: u32, toEnd: u32): f64 {
  setInput(payload, payload + bytes);
  setOutput(to, toEnd);
  crc = 0;
  depth = 0;
  putEnvelope(<i64>timestampMs, <u64>ordinal);
  beginItem();
  return run(to);
}

export function resume(to: u32, toEnd: u32): f64 {
  setOutput(to, toEnd);
  return run(to);
}

function putEnvelope(timestampMs: i64, ordinal: u64): void {
  putText(TIMESTAMP_TEXT, 14);
  putTime(timestampMs);
  putText(ORDINAL_TEXT, 12);
  putInteger(ordinal);
}

/** The item: a record or a Map, whose members become the line's. */
function beginItem(): void {
  const kind = next();
  itemForm = kind == RECORD ? IN_RECORD : kind == OWN_RECORD ? IN_OWN_RECORD : IN_MAP;
  if (kind != RECORD && kind != OWN_RECORD && kind != MAP) setFault(FAULT_ITEM);
  container = ITEM;
  left = size;
  keys = firstKey(kind);
  recordAt = list;
  isFirst = false;
  state = MEMBER;
}

/** Steps until the line is done, the output is full, or the payload turns out to be none. */
function run(from: u32): f64 {
  lineStart = from;
  while (state != DONE && fault == 0 && step()) {
    continue;
  }
  if (fault != 0) {
    state = DONE;
    return 0;
  }
  if (state == DONE) return <f64>out;
  crc = crc32(from, out - from, crc);
  return -<f64>out;
}

/** One step. False when it does not fit. */
function step(): bool {
  if (!hasRoom()) return false;
  if (state == MEMBER) member();
  else if (state == VALUE) value();
  else if (state == TAIL) tail();
  else return pump();
  return true;
}

/** Goes on with a piece of any length. */
function pump(): bool {
  if (state == PREFIX) {
    if (!pumpCopy()) return false;
    state = VALUE;
    return true;
  }
  if (state == DIGITS) {
    const bytes = bigintPiece(out, limit - out - 8);
    setOut(out + <u32>(bytes < 0 ? ~bytes : bytes));
    if (bytes < 0) return false;
  } else if (!(state == TEXT ? pumpString() : pumpBase64())) {
    return false;
  }
  endPiece();
  return true;
}

/** A key, a string or digits are all out. */
function endPiece(): void {
  if (isKey) {
    store<u16>(out, 0x3a22); // ":
    setOut(out + 2);
    state = VALUE;
    return;
  }
  if (!isBare) put(0x22);
  state = MEMBER;
}

function beginText(from: u32, bytes: u32, asKey: bool): void {
  beginPiece(from, bytes);
  isKey = asKey;
  isBare = false;
  state = TEXT;
}

/** Where the keys of a record begin, which `next()` has just read. */
function firstKey(kind: u32): u32 {
  return kind == RECORD ? list + 16 : list;
}

/** Opens a container; the one that is open waits. */
function open(kind: u32, count: u32, firstKeyAt: u32): void {
  if (depth == STACK_MAX) {
    setFault(FAULT_DEEP);
    return;
  }
  const entry = scratch + STACK + (depth << 4);
  store<u32>(entry, container | (isFirst ? 256 : 0));
  store<u32>(entry, left, 4);
  store<u32>(entry, keys, 8);
  store<u32>(entry, recordAt, 12);
  depth += 1;
  container = kind;
  left = count;
  keys = firstKeyAt;
  recordAt = list;
  isFirst = true;
  state = MEMBER;
}

/** Closes the open container, or the item. */
function close(): void {
  if (depth == 0) {
    state = TAIL;
    return;
  }
  put(container == IN_ARRAY ? 0x5d : 0x7d);
  depth -= 1;
  const entry = scratch + STACK + (depth << 4);
  container = load<u32>(entry) & 255;
  isFirst = load<u32>(entry) >= 256;
  left = load<u32>(entry, 4);
  keys = load<u32>(entry, 8);
  recordAt = load<u32>(entry, 12);
}

/** The next member of the open container, up to its value. */
function member(): void {
  if (left == 0) {
    close();
    return;
  }
  left -= 1;
  const form = container == ITEM ? itemForm : container;
  if (form == IN_RECORD) recordMember();
  else if (form == IN_ARRAY) arrayMember();
  else if (form == IN_OWN_RECORD) ownRecordMember();
  else if (form == IN_MAP) mapMember();
  else errorMember();
}

/** Whether undefined comes next: then it is passed over, and the member is left out. */
// @ts-ignore: decorator
@inline
function passedUndefined(): bool {
  if (end - at < 3 || load<u16>(at) != 0x00d4 || load<u8>(at, 2) != 0) return false;
  setAt(at + 3);
  return true;
}

function recordMember(): void {
  const key = keys;
  keys += 8;
  if (passedUndefined()) return;
  const skipped: u32 = isFirst ? 1 : 0;
  const from = recordAt + load<u32>(key) + skipped;
  const bytes = load<u32>(key, 4) - skipped;
  isFirst = false;
  if (bytes > PREFIX_BYTES) {
    beginPiece(from, bytes);
    state = PREFIX;
    return;
  }
  v128.store(out, v128.load(from));
  if (bytes > 16) {
    v128.store(out, v128.load(from, 16), 16);
    if (bytes > 32) {
      v128.store(out, v128.load(from, 32), 32);
      v128.store(out, v128.load(from, 48), 48);
    }
  }
  setOut(out + bytes);
  state = VALUE;
}

function arrayMember(): void {
  if (!isFirst) put(0x2c);
  isFirst = false;
  state = VALUE;
}

function putKeyStart(): void {
  if (!isFirst) put(0x2c);
  isFirst = false;
  put(0x22);
}

function ownRecordMember(): void {
  const value = at;
  setAt(keys);
  next();
  const from = at;
  const bytes = size;
  keys = at + size;
  setAt(value);
  if (passedUndefined()) return;
  putKeyStart();
  beginText(from, bytes, true);
}

/** A Map's key may be anything: a string as it is, a number or a constant as its text. */
function mapMember(): void {
  const start = at;
  measure();
  const valueAt = at;
  if (passedUndefined()) return;
  setAt(start);
  const kind = next();
  const from = at;
  setAt(valueAt);
  putKeyStart();
  if (kind == STRING) {
    beginText(from, size, true);
    return;
  }
  if (kind == BIGINT) {
    beginBigint(from, size);
    isKey = true;
    state = DIGITS;
    return;
  }
  if (kind == UNDEFINED) putText(UNDEFINED_TEXT, 9);
  else if (kind == DATE) putTime(<i64>integer);
  else if (!putScalar(kind)) putText(OBJECT_TEXT, 8);
  isKey = true;
  endPiece();
}

/** Name and message of an Error; its cause is passed over. */
function errorMember(): void {
  state = VALUE;
  if (left == 1) {
    putText(MESSAGE_TEXT, 11);
  } else if (left == 0) {
    measure();
    state = MEMBER;
  }
}

/** Numbers and constants. False for anything else. */
function putScalar(kind: u32): bool {
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

function value(): void {
  const kind = next();
  if (kind == STRING) {
    put(0x22);
    beginText(at, size, false);
    setAt(at + size);
    return;
  }
  state = MEMBER;
  if (putScalar(kind)) return;
  if (kind == RECORD || kind == OWN_RECORD || kind == MAP) {
    put(0x7b);
    open(kind == RECORD ? IN_RECORD : kind == OWN_RECORD ? IN_OWN_RECORD : IN_MAP, size, firstKey(kind));
  } else if (kind == ARRAY) {
    put(0x5b);
    open(IN_ARRAY, size, 0);
  } else {
    rareValue(kind);
  }
}

function rareValue(kind: u32): void {
  if (kind == DATE) {
    put(0x22);
    putTime(<i64>integer);
    put(0x22);
  } else if (kind == BYTES || kind == BIGINT) {
    isKey = false;
    isBare = kind == BIGINT;
    if (kind == BYTES) put(0x22);
    if (kind == BYTES) beginPiece(at, size);
    else beginBigint(at, size);
    state = kind == BYTES ? BASE64 : DIGITS;
    setAt(at + size);
  } else if (kind == SET) {
    state = VALUE;
  } else if (kind == ERROR && next() == ARRAY && size == 3) {
    putText(NAME_TEXT, 8);
    open(IN_ERROR, 3, 0);
  } else if (kind == REGEXP) {
    measure();
    put(0x7b);
    put(0x7d);
  } else {
    setFault(FAULT_ITEM);
  }
}

/** The checksum of everything before it, and the line's end. */
function tail(): void {
  crc = crc32(lineStart, out - lineStart, crc);
  putText(CRC_TEXT, 8);
  for (let shift = 28; shift >= 0; shift -= 4) {
    const digit = (crc >> shift) & 15;
    put(digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
  putText(CRC_END_TEXT, 3);
  if (at != end) setFault(FAULT_ITEM);
  state = DONE;
}
