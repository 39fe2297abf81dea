/** What a writer that died has left in the parking area, and who has it then. */
import { expect, test } from 'vitest';
import { toWireError, LastwordError } from '../../src/errors.js';
import { FRAME_HEADER_BYTES, PARKING_HEAD_WORD, PARKING_TAIL_WORD, layOut } from '../../src/ring/layout.js';
import { arenaAddress, createSidecarMemory, viewProducerMemory } from '../../src/ring/memory.js';
import { writeItemHeader } from '../../src/ring/frame.js';
import { Parking } from '../../src/ring/parking.js';
import { createRingConsumer } from '../../src/ring/ring-consumer.js';
import { takeSlot, tryAccept } from '../../src/ring/slots.js';
import type { Engine } from '../../worker/engine.js';
import { takeOver } from '../../worker/takeover.js';
import type { Transcoder } from '../../worker/transcode/transcoder.js';
import { Writer, type WriterParts } from '../../worker/writer.js';

const nothing = (): void => undefined;

test('frames of threads that were closed leave the log with the writer that knew of them', () => {
  const memory = viewProducerMemory(new SharedArrayBuffer(layOut(4_096, 0).pages * 65_536), 4_096, 0);
  const sidecar = createSidecarMemory();
  const openings = [0, 1].map((slot) => ({ slot, incarnation: takeSlot(sidecar, slot) }));
  const dead = new Parking(memory);
  const parked = openings.map(({ slot, incarnation }) => {
    tryAccept(sidecar, slot, 0, 1);
    writeItemHeader(memory, arenaAddress(memory, 0), 0, FRAME_HEADER_BYTES, slot, incarnation, 0, 0);
    return dead.add(arenaAddress(memory, 0));
  });
  // Written and closed, behind a frame that still waits: its room was not given back.
  dead.remove(parked.slice(1).flatMap((frame) => frame ?? []));
  expect(memory.control[PARKING_HEAD_WORD]).toBe(0);

  const parts = { sidecar, clock: { nowMs: () => 0, monotonicUs: () => 0, after: () => nothing }, tell: nothing, wake: nothing };
  const writer = new Writer(parts as unknown as WriterParts);
  writer.addRing(createRingConsumer(memory), {} as Transcoder, 0);
  const syncs = { folders: { rootOpened: nothing }, interference: { watch: nothing } };
  const leases = { openDirectory: nothing, takeOver: nothing };
  const failure = toWireError(new LastwordError('LASTWORD_WRITE_FAILED', 'a disk'), 'LASTWORD_WRITE_FAILED');
  const left = { ...openings[0], threadId: 'left', base: 0, path: '/nowhere', isDegraded: false, failure };
  takeOver({ ...parts, writer, syncs, leases } as unknown as Engine, '/nowhere', [left as never]);

  // The thread that is left has its frame; once that is let go of, nothing keeps the log.
  const [file] = writer.openRollouts;
  expect(file?.parked.map(({ slot }) => slot)).toEqual([0]);
  if (file !== undefined) writer.removeRollout(file);
  expect(memory.control[PARKING_HEAD_WORD]).toBe(memory.control[PARKING_TAIL_WORD]);
});
