/**
 * Frames that cannot be written: two writers died of it, or no line can be made of it. The frame goes to a file of its own,
 * and a record keeps its ordinal, so that the thread goes on.
 */
import { basename } from 'node:path';
import type { SetAsideReason } from '../src/control/protocol.js';
import { isLastwordError } from '../src/errors.js';
import { readDefinitions } from '../src/producer/definitions.js';
import type { ProducerMemory } from '../src/ring/memory.js';
import { encodeLine } from '../src/rollout/envelope.js';
import { ordinal as asOrdinal } from '../src/units.js';
import type { RolloutFile } from './rollout-file.js';
import { writeSalvage, type SalvageParts } from './salvage.js';

/** Of the payload, encoded at a time: divisible by 3, so that the pieces make one text. */
const PIECE_BYTES = 48 * 1024;

export interface UnwritableFrame {
  readonly payloadOffset: number;
  readonly payloadBytes: number;
  readonly timestampMs: number;
  readonly ordinal: number;
}

/** Puts the frame into a file. Returns its path, and the line of the record that takes its place. @throws what the file system says */
export function setAside(
  parts: SalvageParts, memory: ProducerMemory, file: RolloutFile, frame: UnwritableFrame, reason: SetAsideReason,
): { path: string; line: Buffer } {
  const { ordinal, payloadBytes } = frame;
  const timestamp = new Date(frame.timestampMs).toISOString();
  const path = write(parts, memory, file, { ...frame, timestamp });
  const payload = { type: 'record_set_aside', reason, bytes: payloadBytes, file: basename(path) };
  return { path, line: encodeLine(timestamp, file.isNumbered ? asOrdinal(ordinal) : undefined, { type: 'event_msg', payload }) };
}

/** One JSON line: whose it is, the payload as it lies in memory, and the lists of keys that it refers to. */
function write(
  parts: SalvageParts, memory: ProducerMemory, file: RolloutFile, { payloadOffset, payloadBytes, ordinal, timestamp }: UnwritableFrame & { timestamp: string },
): string {
  const { threadId } = file;
  const head = JSON.stringify({ threadId, ordinal, timestamp, keys: readDefinitions(memory.buffer) });
  try {
    return writeSalvage(parts, file, (out) => {
      const put = (text: string): void => {
        const bytes = Buffer.from(text);
        out.take(bytes, 0, bytes.byteLength);
      };
      put(`${head.slice(0, -1)},"msgpack":"`);
      for (let done = 0; done < payloadBytes; done += PIECE_BYTES) {
        const piece = Math.min(PIECE_BYTES, payloadBytes - done);
        put(Buffer.from(memory.buffer, payloadOffset + done, piece).toString('base64'));
      }
      put('"}\n');
    }, 'set-aside');
  } catch (error) {
    // What may pass for any other write may pass for this one.
    throw isLastwordError(error) && error.cause !== undefined ? error.cause : error;
  }
}
