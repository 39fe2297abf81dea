// msgpack to JSON lines, in steps. A line stops at the end of its output and goes on in the next one.
import { crc32, makeCrcTables } from './crc';
import { IN_ARRAY, IN_MAP, IN_OWN_RECORD, IN_RECORD, close, depth, form, left, openItem, passKey, passedUndefined, putLead, putPrefix, takeOne } from './members';
import { NONE, PREFIX, endPiece, piece } from './pieces';
import { goOn, putRareMember } from './rare';
import { define, findRecord, forgetOwnLists, isOwn, keyCount } from './records';
import { skim } from './skim';
import {
  CARRY, at, end, fail, has, isFaulty, limit, readLength, scratch, setAt, setInput, setLimit, setPlaces,
} from './state';
import { makeEscapes } from './strings';
import { CRC_TEXT, putText } from './texts';
import { isTime, putEnvelope } from './time';
import { putValue } from './values';

/** The line's end has been written. */
let isEnded: bool = true;
/** Bytes that ran past the last output. */
let carried: u32 = 0;
/** Checksum of the line up to `crcFrom`. */
let crc: u32 = 0;
let crcFrom: u32 = 0;
/** Bytes after which the checksum catches up, so that it finds them in the cache. */
const STRETCH_BYTES: u32 = 32 * 1024;

/** `isWriter`: lines will be written; an instance that only measures has less scratch. */
export function init(scratchOffset: u32, definitionsOffset: u32, isWriter: bool): void {
  setPlaces(scratchOffset, definitionsOffset);
  if (!isWriter) return;
  makeEscapes();
  makeCrcTables();
}

/** Levels of the value: containers in containers. -1 when it is none. */
export function levels(payload: u32, bytes: u32): i32 {
  setInput(payload, payload + bytes);
  setLimit(payload);
  forgetOwnLists();
  const deepest = skim();
  return isFaulty ? -1 : <i32>deepest;
}

/** The end of what is written of the line; negated while it is not finished; 0 when the payload is none. */
export function line(payload: u32, bytes: u32, timestampMs: f64, ordinal: f64, to: u32, toEnd: u32): f64 {
  setInput(payload, payload + bytes);
  setLimit(toEnd);
  forgetOwnLists();
  endPiece();
  isEnded = false;
  carried = 0;
  crc = 0;
  crcFrom = to;
  if (!isTime(timestampMs)) return 0;
  const out = putEnvelope(to, <i64>timestampMs, <i64>ordinal);
  beginItem();
  return stop(isFaulty ? out : run(out, toEnd), toEnd);
}

/** Goes on; as `line`. */
export function resume(to: u32, toEnd: u32): f64 {
  const bytes = min<u32>(carried, toEnd - to);
  const carry = scratch + CARRY;
  memory.copy(to, carry, bytes);
  carried -= bytes;
  if (carried > 0) {
    memory.copy(carry, carry + bytes, carried);
    if (!isEnded) crc = crc32(to, bytes, crc);
    return -<f64>toEnd;
  }
  if (isEnded) return <f64>(to + bytes);
  crcFrom = to;
  return stop(run(to + bytes, toEnd), toEnd);
}

/** The item: a record or a Map, whose members go on with the envelope's. */
function beginItem(): void {
  if (!has(1)) return;
  const byte = <u32>load<u8>(at);
  setAt(at + 1);
  if (byte >= 0x40 && byte < 0x80) {
    if (findRecord(byte)) openFound();
  } else if (byte >= 0x80 && byte < 0x90) {
    openItem(IN_MAP, byte & 15);
  } else if (byte == 0xde || byte == 0xdf) {
    openItem(IN_MAP, readLength(byte == 0xde ? 2 : 4));
  } else if ((byte == 0xd4 || byte == 0xd5) && has(1) && load<u8>(at) == 0x72) {
    setAt(at + 1);
    if (define(byte - 0xd3)) openFound();
  } else {
    fail();
  }
}

function openFound(): void {
  openItem(isOwn ? IN_OWN_RECORD : IN_RECORD, keyCount);
}

/**
 * Writes until the line has ended, the output is full, or the payload turns out to be none: in stretches, after each of which
 * the checksum takes in what is still in the cache.
 */
function run(out: u32, toEnd: u32): u32 {
  while (true) {
    setLimit(min<u32>(toEnd, out + STRETCH_BYTES));
    out = runStretch(out);
    if (isEnded || isFaulty || out >= toEnd) return out;
    catchUp(out);
  }
}

function runStretch(out: u32): u32 {
  if (piece != NONE) out = goOn(out);
  while (out < limit) {
    if (left == 0) {
      if (depth == 0) return putEnd(out);
      out = close(out);
      continue;
    }
    takeOne();
    if (form == IN_RECORD) {
      if (passedUndefined()) {
        passKey();
        continue;
      }
      out = putPrefix(out);
      out = piece == PREFIX ? goOn(out) : putValue(out);
    } else if (form == IN_ARRAY) {
      out = putValue(putLead(out));
    } else {
      out = putRareMember(out);
    }
  }
  return out;
}

function catchUp(out: u32): void {
  crc = crc32(crcFrom, out - crcFrom, crc);
  crcFrom = out;
}

/** The checksum of everything before it, and the line's end. */
function putEnd(out: u32): u32 {
  if (at != end) fail();
  catchUp(out);
  isEnded = true;
  out = putText(out, CRC_TEXT, 8);
  for (let shift: u32 = 32; shift > 0; out += 1) {
    shift -= 4;
    const digit = (crc >> shift) & 15;
    store<u8>(out, digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
  store<u32>(out, 0x000a7d22);
  return out + 3;
}

/** Keeps what ran past the end of the output for the next one. */
function stop(out: u32, toEnd: u32): f64 {
  if (isFaulty) {
    isEnded = true;
    return 0;
  }
  if (out <= toEnd) {
    if (isEnded) return <f64>out;
  } else {
    carried = out - toEnd;
    memory.copy(scratch + CARRY, toEnd, carried);
  }
  const last = min<u32>(out, toEnd);
  if (!isEnded && last > crcFrom) crc = crc32(crcFrom, last - crcFrom, crc);
  return -<f64>last;
}
