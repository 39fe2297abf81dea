/** The words of a thread, seen by every handle in every JavaScript thread. Counts are of one opening of the thread. */
import {
  BASE_HIGH_WORD, BASE_LOW_WORD, COUNT_MAX, HELD_WORD, INCARNATION_WORD, LATE_WORD, SEALED, SEAL_WORD, SLOTS_WORD, SLOT_WORDS, STATE_WORD,
  SYNCED_WORD, WANTED_SYNCED_WORD, WANTED_WRITTEN_WORD, WRITTEN_WORD,
} from './layout.js';
import type { SidecarMemory } from './memory.js';

/** States of a slot; the index is what the state word holds. */
export const SLOT_STATES = ['free', 'open', 'closing', 'closed', 'failed'] as const;
export type SlotState = (typeof SLOT_STATES)[number];

/**
 * The lifecycle of a thread, and with it of its slot. From open to free: its rollout could not be made. A drain that was
 * not acknowledged stays `closing`. From failed to closed: it was abandoned.
 */
export const TRANSITIONS = {
  free: ['open'],
  open: ['closing', 'failed', 'free'],
  closing: ['closed', 'failed'],
  closed: ['free'],
  failed: ['closed'],
} as const satisfies Record<SlotState, readonly SlotState[]>;

const TWO_TO_32 = 2 ** 32;

function wordOf(slot: number, word: number): number {
  return SLOTS_WORD + slot * SLOT_WORDS + word;
}

/** Main takes a free slot for a new opening. Returns its incarnation. */
export function takeSlot(sidecar: SidecarMemory, slot: number): number {
  const { words } = sidecar;
  Atomics.store(words, wordOf(slot, SEAL_WORD), 0);
  Atomics.store(words, wordOf(slot, WRITTEN_WORD), 0);
  Atomics.store(words, wordOf(slot, SYNCED_WORD), -1);
  Atomics.store(words, wordOf(slot, WANTED_WRITTEN_WORD), 0);
  Atomics.store(words, wordOf(slot, WANTED_SYNCED_WORD), -1);
  Atomics.store(words, wordOf(slot, LATE_WORD), 0);
  Atomics.store(words, wordOf(slot, HELD_WORD), 0);
  const incarnation = Atomics.add(words, wordOf(slot, INCARNATION_WORD), 1) + 1;
  moveState(sidecar, slot, 'open');
  return incarnation;
}

/** By main, before anybody has a handle: the ordinal of the opening's first item. */
export function setBase(sidecar: SidecarMemory, slot: number, base: number): void {
  Atomics.store(sidecar.words, wordOf(slot, BASE_LOW_WORD), base | 0);
  Atomics.store(sidecar.words, wordOf(slot, BASE_HIGH_WORD), Math.floor(base / TWO_TO_32));
}

export function incarnationOf(sidecar: SidecarMemory, slot: number): number {
  return Atomics.load(sidecar.words, wordOf(slot, INCARNATION_WORD));
}

/** Moves the state if the table allows it from where it is. Main and the writer may both try. */
export function moveState(sidecar: SidecarMemory, slot: number, to: SlotState): boolean {
  const word = wordOf(slot, STATE_WORD);
  for (;;) {
    const seen = Atomics.load(sidecar.words, word);
    const from = SLOT_STATES[seen] ?? 'free';
    if (!(TRANSITIONS[from] as readonly SlotState[]).includes(to)) return false;
    if (Atomics.compareExchange(sidecar.words, word, seen, SLOT_STATES.indexOf(to)) === seen) return true;
  }
}

export function stateOf(sidecar: SidecarMemory, slot: number): SlotState {
  return SLOT_STATES[Atomics.load(sidecar.words, wordOf(slot, STATE_WORD))] ?? 'free';
}

/** Ordinal of the first item of this opening. */
export function baseOf(sidecar: SidecarMemory, slot: number): number {
  const low = Atomics.load(sidecar.words, wordOf(slot, BASE_LOW_WORD)) >>> 0;
  return Atomics.load(sidecar.words, wordOf(slot, BASE_HIGH_WORD)) * TWO_TO_32 + low;
}

/** The seal word: negative once sealed, else the accepted count. */
export function sealWordOf(sidecar: SidecarMemory, slot: number): number {
  return Atomics.load(sidecar.words, wordOf(slot, SEAL_WORD));
}

/** Accepted count within a seal word. */
export function acceptedIn(sealWord: number): number {
  return sealWord & COUNT_MAX;
}

/** The exchange of append(): from `seen` to `seen` + `items`. False when the thread was sealed in between. */
export function tryAccept(sidecar: SidecarMemory, slot: number, seen: number, items: number): boolean {
  return Atomics.compareExchange(sidecar.words, wordOf(slot, SEAL_WORD), seen, seen + items) === seen;
}

/** From here on nothing is taken. Returns the accepted count, the drain's target at this moment. */
export function seal(sidecar: SidecarMemory, slot: number): number {
  return acceptedIn(Atomics.or(sidecar.words, wordOf(slot, SEAL_WORD), SEALED));
}

/** An item came after the seal. */
export function countLate(sidecar: SidecarMemory, slot: number, items: number): void {
  Atomics.add(sidecar.words, wordOf(slot, LATE_WORD), items);
}

export function lateOf(sidecar: SidecarMemory, slot: number): number {
  return Atomics.load(sidecar.words, wordOf(slot, LATE_WORD));
}

/** By the thread that appends: whether a close has to ask it for what is held. */
export function setHeld(sidecar: SidecarMemory, slot: number, held: boolean): void {
  Atomics.store(sidecar.words, wordOf(slot, HELD_WORD), held ? 1 : 0);
}

export function isHeld(sidecar: SidecarMemory, slot: number): boolean {
  return Atomics.load(sidecar.words, wordOf(slot, HELD_WORD)) === 1;
}

/** Items that write() took. */
export function writtenOf(sidecar: SidecarMemory, slot: number): number {
  return Atomics.load(sidecar.words, wordOf(slot, WRITTEN_WORD));
}

/** By the writer, after write() returned and before the ring's head moves. */
export function publishWritten(sidecar: SidecarMemory, slot: number, count: number): void {
  Atomics.store(sidecar.words, wordOf(slot, WRITTEN_WORD), count);
}

/** Items that a data sync covered; -1 while not even the header is. */
export function syncedOf(sidecar: SidecarMemory, slot: number): number {
  return Atomics.load(sidecar.words, wordOf(slot, SYNCED_WORD));
}

/** By the writer: the count written when the sync started. */
export function publishSynced(sidecar: SidecarMemory, slot: number, count: number): void {
  Atomics.store(sidecar.words, wordOf(slot, SYNCED_WORD), count);
}

export function wantWritten(sidecar: SidecarMemory, slot: number, count: number): void {
  raise(sidecar, wordOf(slot, WANTED_WRITTEN_WORD), count);
}

export function wantSynced(sidecar: SidecarMemory, slot: number, count: number): void {
  raise(sidecar, wordOf(slot, WANTED_SYNCED_WORD), count);
}

export function wantedSyncedOf(sidecar: SidecarMemory, slot: number): number {
  return Atomics.load(sidecar.words, wordOf(slot, WANTED_SYNCED_WORD));
}

/** Wanted words are only ever raised: several threads may want at once. */
function raise(sidecar: SidecarMemory, word: number, value: number): void {
  for (;;) {
    const seen = Atomics.load(sidecar.words, word);
    if (seen >= value || Atomics.compareExchange(sidecar.words, word, seen, value) === seen) return;
  }
}
