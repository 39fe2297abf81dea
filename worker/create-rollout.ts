import { basename, dirname, join } from 'node:path';
import { LastwordError } from '../src/errors.js';
import type { CreateThreadCommand } from '../src/control/protocol.js';
import { HEADER_BYTES, OUTPUT_BYTES, OUTPUT_OFFSET } from '../src/ring/layout.js';
import type { RingConsumer } from '../src/ring/ring-consumer.js';
import { HeldRecords, type HeldPool } from './held.js';
import type { Leases } from './lease/leases.js';
import { RolloutFile } from './rollout-file.js';
import type { FsOps } from './seams.js';
import { removeFile } from './lease/owner-file.js';
import { readAt } from './recovery/read-lines.js';
import type { Transcoder } from './transcode/transcoder.js';
import { writeAll } from './write-all.js';

/**
 * Publishes a rollout with its header: written whole under a temporary name, then linked into place, so that no reader
 * ever sees it empty or half. Returns the file and the descriptor it is open with.
 */
export function createRollout(
  { fs, held, leases: { instance } }: { readonly fs: FsOps; readonly held: HeldPool; readonly leases: Pick<Leases, 'instance'> }, ring: { readonly consumer: RingConsumer; readonly transcoder: Transcoder }, command: CreateThreadCommand,
): { file: RolloutFile; descriptor: number } {
  const folder = dirname(command.path);
  fs.makeDirectory(folder);
  const temporary = join(folder, `.${basename(command.path)}.${instance}.tmp`);
  if (command.isAgain) removeFile(fs, temporary);
  const descriptor = fs.createFile(temporary);
  const records = new HeldRecords(held, 0);
  try {
    const bytes = writeHeader(fs, descriptor, ring, command, records);
    const published = publish(fs, { temporary, descriptor, bytes }, command);
    return { file: new RolloutFile(command, { wholeBytes: bytes, isNumbered: true }, records), descriptor: published };
  } catch (error) {
    records.clear(0);
    fs.close(descriptor);
    fs.unlink(temporary);
    if ((error as Partial<NodeJS.ErrnoException>).code === 'EEXIST') {
      const { threadId, path } = command;
      throw new LastwordError('LASTWORD_THREAD_EXISTS', `thread ${threadId} has a rollout already`, { threadId, path }, { cause: error });
    }
    throw error;
  }
}

/** Gives the header its name. Returns the descriptor of the file that has the name. */
function publish(
  fs: FsOps, { temporary, descriptor, bytes }: { temporary: string; descriptor: number; bytes: number }, { path, isAgain }: CreateThreadCommand,
): number {
  try {
    fs.link(temporary, path);
    fs.unlink(temporary);
    return reopen(fs, path, descriptor);
  } catch (error) {
    if (!isAgain || (error as Partial<NodeJS.ErrnoException>).code !== 'EEXIST') throw error;
    // A writer that died has published the same header: then it is this one.
    const published = fs.openFile(path);
    const isSame = fs.size(published) === bytes && readAt(fs, published, 0, bytes).equals(readAt(fs, descriptor, 0, bytes));
    if (!isSame) {
      fs.close(published);
      throw error;
    }
    fs.unlink(temporary);
    closeSpare(fs, descriptor);
    return published;
  }
}

/** Under its own name: a descriptor that was opened under another cannot tell where the file is moved to. */
function reopen(fs: FsOps, path: string, descriptor: number): number {
  let named: number;
  try {
    named = fs.openFile(path);
  } catch {
    return descriptor; // as good, but for that
  }
  closeSpare(fs, descriptor);
  return named;
}

function closeSpare(fs: FsOps, descriptor: number): void {
  try {
    fs.close(descriptor);
  } catch {
    return; // closed it is; the file itself is open under its name, or is nobody's
  }
}

/** Transcodes the header from the writer's own area of the memory, where its definitions are known. */
function writeHeader(
  fs: FsOps, descriptor: number, { consumer, transcoder }: { consumer: RingConsumer; transcoder: Transcoder }, command: CreateThreadCommand, records: HeldRecords,
): number {
  const { memory } = consumer;
  const { header, timestampMs, base } = command;
  if (header.byteLength > HEADER_BYTES) throw new LastwordError('LASTWORD_ITEM_TOO_LARGE', `a header has at most ${HEADER_BYTES} bytes`);
  memory.bytes.set(header, memory.layout.headerOffset);
  const limit = OUTPUT_OFFSET + OUTPUT_BYTES;
  let bytes = 0;
  const write = (end: number): void => {
    bytes += writeAll(fs, descriptor, memory.bytes, OUTPUT_OFFSET, end - OUTPUT_OFFSET);
    records.add(memory.bytes, OUTPUT_OFFSET, end - OUTPUT_OFFSET, 0, 0);
  };
  write(transcoder.line(memory.layout.headerOffset, header.byteLength, timestampMs, base - 1, OUTPUT_OFFSET, limit));
  while (!transcoder.finished) write(transcoder.resume(OUTPUT_OFFSET, limit));
  return bytes;
}
