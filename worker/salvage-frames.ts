/** What is accepted of an opening and not written, wherever it lies in shared memory, put into a salvage file. */
import type { Salvage } from '../src/control/protocol.js';
import {
  FRAME_BYTES_WORD, FRAME_COUNT_WORD, FRAME_HEADER_BYTES, FRAME_INCARNATION_WORD, FRAME_SLOT_WORD, FRAME_TIMESTAMP_DOUBLE, OUTPUT_BYTES, OUTPUT_OFFSET,
} from '../src/ring/layout.js';
import { createBatch, walk, wholeBehind, type RingConsumer } from '../src/ring/ring-consumer.js';
import type { SidecarMemory } from '../src/ring/memory.js';
import { acceptedIn, sealWordOf } from '../src/ring/slots.js';
import type { RolloutFile } from './rollout-file.js';
import { writeSalvage, type SalvageFile, type SalvageParts } from './salvage.js';
import { NO_ORDINAL } from './transcode/transcoder.js';
import type { WriterRing } from './writer-ring.js';

export type SalvagerParts = SalvageParts & { readonly sidecar: SidecarMemory };

const WALK_FRAMES_MAX = 16_384;

interface Frame {
  readonly ring: WriterRing;
  readonly address: number;
}

/**
 * Copies everything of the opening that is not written; what is salvaged already is not done again. It all stays where it
 * is. Undefined when there is nothing. @throws LASTWORD_WRITE_FAILED when no place takes it
 */
export function salvageUnwritten(parts: SalvagerParts, rings: readonly WriterRing[], file: RolloutFile): Salvage | undefined {
  const frames = unwrittenOf(parts, rings, file);
  const counts = [...frames.keys()].sort((one, other) => one - other);
  const [from] = counts;
  const to = counts.at(-1);
  if (from === undefined || to === undefined) return undefined;
  const earlier = file.salvage;
  if (earlier !== undefined && earlier.from <= from && earlier.to >= to) return earlier;
  let records = 0;
  const path = writeSalvage(parts, file, (out) => {
    records = 0;
    for (const count of counts) {
      const frame = frames.get(count);
      if (frame !== undefined && copyFrame(out, file, frame, count)) records += 1;
    }
  });
  file.salvage = { path, from, to, records };
  // It holds nothing more than this one.
  if (earlier !== undefined) tryToRemove(parts, earlier.path);
  return file.salvage;
}

/** By count. One that was parked may still lie in the ring. */
function unwrittenOf({ sidecar }: SalvagerParts, rings: readonly WriterRing[], file: RolloutFile): Map<number, Frame> {
  const accepted = acceptedIn(sealWordOf(sidecar, file.slot));
  const frames = new Map<number, Frame>();
  const batch = createBatch(WALK_FRAMES_MAX);
  for (const ring of rings) {
    const { memory, head, arenaHead } = ring.consumer;
    const take = (address: number): void => {
      const word = address >>> 2;
      const count = memory.words[word + FRAME_COUNT_WORD] ?? 0;
      const isOfFile = memory.words[word + FRAME_SLOT_WORD] === file.slot && memory.words[word + FRAME_INCARNATION_WORD] === file.incarnation;
      if (isOfFile && count >= file.written && count < accepted) frames.set(count, { ring, address });
    };
    // The ring's own head stays where it is.
    const cursor: RingConsumer = { memory, head, arenaHead };
    for (let isMore = true; isMore;) {
      walk(cursor, batch, Infinity);
      isMore = batch.head !== cursor.head || batch.arenaHead !== cursor.arenaHead;
      cursor.head = batch.head;
      cursor.arenaHead = batch.arenaHead;
      for (const address of batch.addresses.subarray(0, batch.frames)) take(address);
    }
    for (const address of wholeBehind(cursor, batch)) take(address);
    for (const { address, count, slot, incarnation, isWritten } of ring.parking.frames) {
      if (slot === file.slot && incarnation === file.incarnation && !isWritten && count >= file.written) frames.set(count, { ring, address });
    }
  }
  return frames;
}

/** False for a frame that no line can be made of. */
function copyFrame(out: SalvageFile, file: RolloutFile, { ring, address }: Frame, count: number): boolean {
  const { consumer: { memory }, transcoder } = ring;
  const bytes = memory.words[(address >>> 2) + FRAME_BYTES_WORD] ?? 0;
  const timestampMs = memory.doubles[(address >>> 3) + FRAME_TIMESTAMP_DOUBLE] ?? 0;
  const ordinal = file.isNumbered ? file.base + count : NO_ORDINAL;
  const limit = OUTPUT_OFFSET + OUTPUT_BYTES;
  out.begin(file.threadId);
  try {
    let end = transcoder.line(address + FRAME_HEADER_BYTES, bytes, timestampMs, ordinal, OUTPUT_OFFSET, limit);
    while (!transcoder.finished) {
      out.take(memory.bytes, OUTPUT_OFFSET, end - OUTPUT_OFFSET);
      end = transcoder.resume(OUTPUT_OFFSET, limit);
    }
    // Without its newline.
    out.take(memory.bytes, OUTPUT_OFFSET, end - OUTPUT_OFFSET - 1);
    out.end();
    return true;
  } catch (error) {
    if ((error as Partial<NodeJS.ErrnoException>).errno !== undefined) throw error;
    out.cancel();
    return false;
  }
}

function tryToRemove({ fs }: SalvageParts, path: string): void {
  try {
    fs.unlink(path);
  } catch {
    return; // a copy too many: importing it finds every record there already
  }
}
