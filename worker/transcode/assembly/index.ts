// msgpack to one JSON line, in steps that fit into a bounded output. What is not finished when the output is full goes on
// where it stopped: the place is in globals, the containers that are open are on a stack in scratch.
import { openItem } from './containers';
import { crc32, makeTables } from './crc';
import { bigintPiece } from './host';
import { measure } from './measure';
import { member } from './members';
import { putInteger, putTime } from './numbers';
import { at, end, fault, hasRoom, limit, out, put, setFault, setInput, setOut, setOutput, setScratch } from './state';
import { BASE64, DIGITS, DONE, FAULT_ITEM, MEMBER, PREFIX, TAIL, VALUE } from './steps';
import { AS_KEY, QUOTED, endKey, pieceKind, pumpBase64, pumpCopy, pumpString } from './strings';
import { CRC_END_TEXT, CRC_TEXT, ORDINAL_TEXT, TIMESTAMP_TEXT, putText } from './texts';
import { MAP, OWN_RECORD, RECORD, next, setDefinitions } from './tokens';
import { value } from './values';

let state: u32 = DONE;
/** The checksum so far, and where what it does not cover yet begins. */
let crc: u32 = 0;
let unchecked: u32 = 0;
/** Kept free behind digits, for what ends them. */
const PIECE_END: u32 = 8;

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
  putText(TIMESTAMP_TEXT, 14);
  putTime(<i64>timestampMs);
  putText(ORDINAL_TEXT, 12);
  putInteger(<u64>ordinal);
  const token = next();
  if (token != RECORD && token != OWN_RECORD && token != MAP) setFault(FAULT_ITEM);
  openItem(token);
  state = MEMBER;
  return run(to);
}

export function resume(to: u32, toEnd: u32): f64 {
  setOutput(to, toEnd);
  return run(to);
}

/** Steps until the line is done, the output is full, or the payload turns out to be none. */
function run(from: u32): f64 {
  unchecked = from;
  while (state != DONE && fault == 0 && step()) {
    continue;
  }
  if (fault != 0) {
    state = DONE;
    return 0;
  }
  if (state == DONE) return <f64>out;
  crc = crc32(unchecked, out - unchecked, crc);
  return -<f64>out;
}

/** One step. False when it does not fit. */
function step(): bool {
  if (!hasRoom()) return false;
  if (state == MEMBER) state = member();
  else if (state == VALUE) state = value();
  else if (state == TAIL) tail();
  else return pump();
  return true;
}

/** Goes on with a piece of any length. False when the output is full first. */
function pump(): bool {
  if (state == PREFIX) {
    if (!pumpCopy()) return false;
    state = VALUE;
    return true;
  }
  if (!(state == DIGITS ? pumpDigits() : state == BASE64 ? pumpBase64() : pumpString())) return false;
  if (pieceKind == AS_KEY) {
    endKey();
    state = VALUE;
  } else {
    if (pieceKind == QUOTED) put(0x22);
    state = MEMBER;
  }
  return true;
}

function pumpDigits(): bool {
  const bytes = bigintPiece(out, limit - out - PIECE_END);
  setOut(out + <u32>(bytes < 0 ? ~bytes : bytes));
  return bytes >= 0;
}

/** The checksum of everything before it, and the line's end. */
function tail(): void {
  crc = crc32(unchecked, out - unchecked, crc);
  putText(CRC_TEXT, 8);
  for (let shift = 28; shift >= 0; shift -= 4) {
    const digit = (crc >> shift) & 15;
    put(digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
  putText(CRC_END_TEXT, 3);
  if (at != end) setFault(FAULT_ITEM);
  state = DONE;
}
