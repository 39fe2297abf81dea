// The containers that are open: the innermost in globals, the others on a stack in scratch.
import { FAULT_DEEP } from './steps';
import { STACK, STACK_MAX, put, scratch, setFault } from './state';
import { OWN_RECORD, RECORD, list, size } from './tokens';

/** Kinds. ITEM: the members of the line itself, whose braces are the envelope's. */
export const ITEM: u32 = 0;
export const IN_RECORD: u32 = 1;
export const IN_OWN_RECORD: u32 = 2;
export const IN_MAP: u32 = 3;
export const IN_ARRAY: u32 = 4;
export const IN_ERROR: u32 = 5;

/** Of the innermost: its kind, members left, where its next key is, its definition, and whether no member was written yet. */
let container: u32 = ITEM;
export let left: u32 = 0;
export let keys: u32 = 0;
export let definition: u32 = 0;
export let isFirst: bool = false;
/** What ITEM is in the payload: a record, an own record or a Map. */
let itemForm: u32 = IN_RECORD;
let depth: u32 = 0;

/** Bytes of an entry of the definitions before its keys. */
const ENTRY_HEADER: u32 = 16;

/** How the members of the innermost are read. */
// @ts-ignore: decorator
@inline
export function form(): u32 {
  return container == ITEM ? itemForm : container;
}

/** The kind of container that a token opens. */
export function formOf(token: u32): u32 {
  return token == RECORD ? IN_RECORD : token == OWN_RECORD ? IN_OWN_RECORD : IN_MAP;
}

/** The item, whose token was read last. */
export function openItem(token: u32): void {
  depth = 0;
  itemForm = formOf(token);
  begin(ITEM, size, token);
  isFirst = false;
}

/** The container whose token was read last; the one that is open waits. */
export function open(kind: u32, count: u32, token: u32): void {
  if (depth == STACK_MAX) {
    setFault(FAULT_DEEP);
    return;
  }
  const entry = scratch + STACK + (depth << 4);
  store<u32>(entry, container | (isFirst ? 256 : 0));
  store<u32>(entry, left, 4);
  store<u32>(entry, keys, 8);
  store<u32>(entry, definition, 12);
  depth += 1;
  begin(kind, count, token);
}

function begin(kind: u32, count: u32, token: u32): void {
  container = kind;
  left = count;
  definition = list;
  keys = token == RECORD ? list + ENTRY_HEADER : list;
  isFirst = true;
}

/** Closes the innermost. False when it was the item. */
export function close(): bool {
  if (depth == 0) return false;
  put(container == IN_ARRAY ? 0x5d : 0x7d);
  depth -= 1;
  const entry = scratch + STACK + (depth << 4);
  container = load<u32>(entry) & 255;
  isFirst = load<u32>(entry) >= 256;
  left = load<u32>(entry, 4);
  keys = load<u32>(entry, 8);
  definition = load<u32>(entry, 12);
  return true;
}

// @ts-ignore: decorator
@inline
export function takeMember(): void {
  left -= 1;
}

// @ts-ignore: decorator
@inline
export function setKeys(next: u32): void {
  keys = next;
}

// @ts-ignore: decorator
@inline
export function wroteMember(): void {
  isFirst = false;
}
